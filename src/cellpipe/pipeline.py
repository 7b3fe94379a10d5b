"""The path of a file and of a cell, in plain functions; no server is needed.

:func:`process` is the main job. Its steps are functions of their own, which ``flows/`` runs as
Prefect tasks in the same order: both ways write the same bytes.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import cellpipe
from cellpipe import analyses
from cellpipe.cell_inputs import CellInputs, grouped, input_tables
from cellpipe.cell_sheet import CellSheet, cell_sheet
from cellpipe.domain import Finding
from cellpipe.errors import CellpipeError, StoreError
from cellpipe.intake import Failure, Job, cannot_be_opened, planned, take_in
from cellpipe.lab import Summary, cell_outputs, concluded, finding_rows
from cellpipe.store import CellEntry, write_table

_log = logging.getLogger("cellpipe")

Stage = Literal["files", "cells", "report"]
Progress = Callable[[Stage, int, int, str], None]  # stage, done, of how many, what


def process(
    folder: str | Path,
    out: str | Path,
    *,
    time_zone: str | None = None,
    progress: Progress | None = None,
) -> Summary:
    """Do the main job: find the files, read, check, analyse, fit and report.

    Parameters
    ----------
    folder
        Folder with raw files and, at its top, cells.xlsx or cells.csv.
    out
        Folder for the results; a second run does only what is new.
    time_zone
        IANA name of the zone of the instruments' clocks.
    progress
        Called as ``progress(stage, done, total, what)``.

    Raises
    ------
    CellpipeError
        If nothing can be done at all: no such folder, no usable cell sheet, no results folder.

    """
    job, sheet = prepared(folder, out, time_zone)
    plan = planned(job)
    failures = []
    for number, path in enumerate(plan.new, 1):
        failure = taken_in(job, path)
        failures += [failure] if failure else []
        _tell(progress, "files", number, len(plan.new), job.relative(path))
    grouping = grouped(job, plan.files, sheet)
    stale = stale_cells(job, grouping.cells)
    for number, inputs in enumerate(stale, 1):
        failure = updated(job, inputs)
        failures += [failure] if failure else []
        _tell(progress, "cells", number, len(stale), inputs.cell.cell_id)
    summary = concluded(job, plan, grouping, sheet.findings, failures, len(stale))
    _tell(progress, "report", 1, 1, summary.page.name)
    return summary


def _tell(progress: Progress | None, stage: Stage, done: int, total: int, what: str) -> None:
    _log.info("%s %d/%d %s", stage, done, total, what)
    if progress is not None:
        progress(stage, done, total, what)


def prepared(folder: str | Path, out: str | Path, time_zone: str | None) -> tuple[Job, CellSheet]:
    """Check what a run needs before it begins."""
    job = Job(Path(folder).resolve(), Path(out).resolve(), time_zone)
    check_folder(job.folder)
    if time_zone is not None:
        _check_time_zone(time_zone)
    if job.out == job.folder:
        raise CellpipeError(
            "one folder for raw files and results", expected="a results folder of its own",
            remedy="choose another with --out",
        )  # fmt: skip
    others = [folder for folder in job.ledger.folders() if folder != job.folder]
    if any(folder.is_dir() for folder in others):
        raise StoreError(
            f"results of the folder {others[0]}", expected=f"those of {job.folder}",
            remedy="choose a results folder for each folder with --out", file=job.out,
        )  # fmt: skip
    return job, cell_sheet(job.folder)


def check_folder(folder: Path) -> None:
    """Refuse what is no folder, or can't be looked into."""
    try:
        with os.scandir(folder) as entries:
            next(entries, None)
    except NotADirectoryError as error:
        raise CellpipeError(
            "a file", expected="a folder with raw files", file=folder,
            remedy="name the folder that it is in; cellpipe check FILE looks at one file",
        ) from error  # fmt: skip
    except OSError as error:
        found = "no such folder" if isinstance(error, FileNotFoundError) else (
            f"a folder that can't be opened ({error.strerror})"
        )  # fmt: skip
        raise CellpipeError(
            found, expected="a folder with raw files", file=folder,
            remedy="check the path; a network drive may be away",
        ) from error  # fmt: skip


def _check_time_zone(name: str) -> None:
    import zoneinfo

    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise CellpipeError(
            f"the time zone {name!r}", expected="an IANA name such as Europe/Berlin",
            remedy="see the list in Wikipedia under 'List of tz database time zones'",
        ) from error  # fmt: skip


def taken_in(job: Job, path: Path) -> Failure | None:
    """Take one file in; give the failure instead of raising it, so that the others go on."""
    relative = job.relative(path)
    try:
        content = take_in(job, path)
    except OSError as error:
        return Failure(relative, cannot_be_opened("It", error))
    except Exception as error:  # a fault in one file must not stop the others
        _log.exception("file %s", relative)
        reason = f"found an error while reading the file ({type(error).__name__}: {error})"
        return Failure(relative, reason)
    return Failure(relative, content.reason or "") if content.status == "set aside" else None


def stale_cells(job: Job, cells: Sequence[CellInputs]) -> list[CellInputs]:
    """Give the cells whose results were computed from other inputs, or are not all there."""
    known = job.ledger.cells()

    def fresh(inputs: CellInputs) -> bool:
        entry = known.get(inputs.cell.cell_id)
        computed = entry is not None and entry.inputs == inputs.fingerprint
        return computed and all(p.is_file() for p in cell_outputs(job, inputs.cell.cell_id))

    return [inputs for inputs in cells if not fresh(inputs)]


def update_cell(job: Job, inputs: CellInputs) -> None:
    """Compute a cell's tables, write them and its report, and note that in the ledger."""
    from cellpipe.report import write_cell_report

    tables = input_tables(job, inputs)
    findings = [*inputs.findings, *_file_findings(inputs)]
    for result in analyses.results_of(inputs.cell, tables):
        write_table(job.out, result.analysis, inputs.cell.cell_id, result.table)
        tables[result.analysis] = result.table
        findings += result.findings
    tables["findings"] = finding_rows(findings, inputs.cell.cell_id)
    write_cell_report(inputs.cell, tables, tables["files"], job.out, version=cellpipe.__version__)
    entry = CellEntry(inputs.cell.cell_id, inputs.fingerprint, inputs.contents, tuple(findings))
    job.ledger.remember_cell(entry)


def _file_findings(inputs: CellInputs) -> list[Finding]:
    """Give what was said of the cell's files, once where it was said of several."""
    said: dict[Finding, list[str]] = {}
    for file in inputs.files:
        for finding in file.content.findings:
            said.setdefault(finding, []).append(file.path)
    return [
        replace(
            f, sentence=f"{paths[0] if len(paths) == 1 else f'{len(paths)} files'}: {f.sentence}"
        )
        for f, paths in said.items()
    ]


def updated(job: Job, inputs: CellInputs) -> Failure | None:
    """Update one cell; give the failure instead of raising it, so that the others go on."""
    try:
        update_cell(job, inputs)
    except CellpipeError as error:
        return Failure(inputs.cell.cell_id, error.reason)
    except Exception as error:  # a cell's fault must not stop the others
        _log.exception("cell %s", inputs.cell.cell_id)
        reason = f"found an error while computing the cell ({type(error).__name__}: {error})"
        return Failure(inputs.cell.cell_id, reason)
    return None
