"""Record in the ledger what became of a file or a cell; what failed costs itself only."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from cellpipe.core.errors import CellpipeError, LockedFileError, Reason, StoreError
from cellpipe.pipeline.bounded_reading import death_error
from cellpipe.pipeline.ingest import IngestResult
from cellpipe.pipeline.plan import NewFile, reading_key, suspension_message
from cellpipe.store.failures import FileFailure
from cellpipe.store.history import Event
from cellpipe.store.lab import Lab
from cellpipe.system.processes import WorkerDiedError
from cellpipe.system.scan import Failure

if TYPE_CHECKING:
    from cellpipe.pipeline.cell_inputs import CellTask
    from cellpipe.pipeline.compute import CellResult

_log = logging.getLogger("cellpipe")


@dataclass(frozen=True)
class FileOutcome:
    """What became of a file: what was ingested, or the failure as it was counted."""

    ingested: IngestResult | None = None
    counted: FileFailure | None = None
    failure: Failure | None = None


def record_file(lab: Lab, file: NewFile, result: IngestResult | Exception) -> FileOutcome:
    """Record what ingesting a file gave, or that it failed, so that the others go on.

    Raises
    ------
    StoreError
        If the results can't be written: then there is no use in going on.

    """
    name = lab.relative_name(file.path)
    if isinstance(result, IngestResult):
        record_ingest(lab, result)
        whole = result.file_content
        is_rejected = whole.status == "set aside"
        failure = Failure(name, whole.reason or Reason("")) if is_rejected else None
        return FileOutcome(result, failure=failure)
    if isinstance(result, StoreError) and not isinstance(result, LockedFileError):
        raise result
    reason, reading = _failure_reason(lab, name, result)
    status = _file_status(file.path)
    size, modified = (status.st_size, status.st_mtime_ns) if status else (None, None)
    counted = FileFailure(name, size, modified, reading, reason, 1)
    counted = replace(counted, attempts=lab.ledger.record_failure(counted))
    is_suspended = counted.is_suspended(size, modified, reading_key(lab, None))
    shown = suspension_message(counted) if is_suspended else reason
    return FileOutcome(counted=counted, failure=Failure(name, shown))


def _failure_reason(lab: Lab, name: str, error: Exception) -> tuple[Reason, str]:
    """Return why a file failed, and the reading that a failure which does not pass belongs to."""
    if isinstance(error, OSError):
        return open_failure_reason("It", error), ""  # may pass: it is never suspended
    if isinstance(error, LockedFileError):
        return error.reason_with_file, ""
    if isinstance(error, WorkerDiedError):
        return death_error(error).reason, reading_key(lab, None)
    _log.error("file %s", name, exc_info=error)
    return _fault_reason("reading the file", error), reading_key(lab, None)


def record_ingest(lab: Lab, result: IngestResult) -> None:
    """Record in the ledger what ingesting a file gave."""
    events = []
    for file, content in zip(result.files, result.contents, strict=True):
        event = "read" if content.sha256 in result.read else "known content"
        event = "set aside" if content.status == "set aside" else event
        seconds = content.seconds if event == "read" else None
        events.append(Event(file.path, event, content.sha256, content.reason, seconds=seconds))
    lab.ledger.record_files(lab.folder, result.files, result.contents, result.written, events)


def record_cell(lab: Lab, task: CellTask, result: CellResult | Exception) -> Failure | None:
    """Record what computing a cell gave; return the failure, if it is one: the others go on.

    Raises
    ------
    StoreError
        If the results can't be read or written: then there is no use in going on.

    """
    cell_id = task.inputs.cell.cell_id
    if not isinstance(result, Exception):
        for trace in result.traces:
            _log.error("cell %s: %s", cell_id, trace)
        lab.ledger.record_cell(result.entry, result.written, result.events)
        if result.report_error is None:
            return None
        return Failure(cell_id, _cell_reason("writing the cell's page", result.report_error))
    if isinstance(result, StoreError) and not isinstance(result, LockedFileError):
        raise result
    if not isinstance(result, CellpipeError):
        _log.error("cell %s", cell_id, exc_info=result)
    return Failure(cell_id, _cell_reason("computing the cell", result))


def _cell_reason(doing: str, error: BaseException) -> Reason:
    if isinstance(error, LockedFileError):
        return error.reason_with_file
    if isinstance(error, WorkerDiedError):
        return Reason(f"found a computation that {error}", found=f"a computation that {error}")
    return error.reason if isinstance(error, CellpipeError) else _fault_reason(doing, error)


def _fault_reason(doing: str, error: BaseException) -> Reason:
    found = f"an error while {doing} ({type(error).__name__}: {error})"
    return Reason(f"found {found}", found=found)


def open_failure_reason(what: str, error: OSError) -> Reason:
    """Say that something can't be opened now and will be tried again."""
    said = error.strerror or str(error)
    return Reason(
        f"{what} can't be opened now ({said}); the next run tries again.",
        found=f"a file that can't be opened now ({said})", expected="one that can be read",
        remedy="close it in the program that holds it; the next run tries again",
    )  # fmt: skip


def _file_status(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except OSError:
        return None
