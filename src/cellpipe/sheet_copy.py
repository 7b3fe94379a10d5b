"""The cell sheet of a run: as it is now, or as it last was while it can't be used.

At night nobody closes Excel, and nobody mends a header. The last sheet that could be used is kept
in the results; a run goes on with it, says so, and takes the new one as soon as that can be used.
"""

from __future__ import annotations

import contextlib
import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cellpipe.cell_sheet import CellSheet, cell_sheet, read_sheet
from cellpipe.domain import Finding
from cellpipe.errors import CellSheetError
from cellpipe.intake import Job
from cellpipe.raw_folders import Failure
from cellpipe.result_files import written_whole

_COPY = "sheet.copy"


@dataclass(frozen=True)
class Sheet(CellSheet):
    """A cell sheet, why it is not the folder's own if so, and a digest of what it says."""

    failures: tuple[Failure, ...] = ()
    digest: str = ""


def current_sheet(job: Job) -> Sheet:
    """Read the cell sheet of a job's folder, or the last one that could be used.

    Raises
    ------
    CellSheetError
        If it can't be used, and none ever could.

    """
    try:
        sheet = cell_sheet(job.folder)
        content = sheet.path.read_bytes() if sheet.path else b""
    except (CellSheetError, OSError) as error:
        return _last(job, error)
    if sheet.path:
        _keep(job, sheet.path.suffix.lower(), content)
    digest = hashlib.sha256(repr((sheet.cells, sheet.findings)).encode()).hexdigest()
    return Sheet(sheet.path, sheet.cells, sheet.findings, digest=digest)


def _keep(job: Job, suffix: str, content: bytes) -> None:
    copy = job.out / f"{_COPY}{suffix}"
    if not copy.is_file() or copy.read_bytes() != content:
        written_whole(copy, lambda path: path.write_bytes(content))
    for other in (".xlsx", ".csv"):
        if other != suffix:
            with contextlib.suppress(FileNotFoundError):
                (job.out / f"{_COPY}{other}").unlink()


def _last(job: Job, error: CellSheetError | OSError) -> Sheet:
    copies = [job.out / f"{_COPY}{suffix}" for suffix in (".xlsx", ".csv")]
    there = [copy for copy in copies if copy.is_file()]
    if not there:
        raise error
    when = datetime.fromtimestamp(there[0].stat().st_mtime, UTC)
    said = error.reason if isinstance(error, CellSheetError) else f"found {error.strerror}."
    name = error.file if isinstance(error, CellSheetError) and error.file else "cells.xlsx"
    sentence = f"{said} The sheet as it was on {when:%Y-%m-%d %H:%M} UTC is used until then."
    sheet = read_sheet(there[0])
    findings = (Finding("error", "sheet_not_used", sentence), *sheet.findings)
    failure = Failure(Path(name).name, sentence)
    return Sheet(Path(name), sheet.cells, findings, (failure,))
