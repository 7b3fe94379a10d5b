"""The path of a file and of a cell, in plain functions; no server is needed.

:func:`process` is the main job. Its steps are functions of their own, which ``flows/`` runs as
Prefect tasks in the same order: both ways write the same bytes.
"""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from cellpipe import analyses
from cellpipe._version import __version__
from cellpipe.core.errors import (
    CellpipeError,
    DamagedLedgerError,
    DamagedTableError,
    LockedFileError,
    StoreError,
)
from cellpipe.core.model import Finding
from cellpipe.pipeline.cell_inputs import CellInputs, group_files, read_input_tables
from cellpipe.pipeline.finalize import (
    Summary,
    cell_events,
    cell_outputs,
    finalize,
    finding_rows,
    plan_or_skip,
)
from cellpipe.pipeline.ingest import (
    IngestResult,
    Job,
    Plan,
    ingest_file,
    open_failure_message,
    plan_files,
    record_ingest,
    suspension_message,
)
from cellpipe.pipeline.sheet_snapshot import SheetSnapshot, read_current_sheet
from cellpipe.store import CellEntry, ResultFile, write_table
from cellpipe.store.failures import FileFailure
from cellpipe.store.history import Event, last_numbers
from cellpipe.store.manifest import (
    delete_partial_files,
    describe_file,
    quarantine_damaged,
    register_existing,
)
from cellpipe.store.writer_lease import acquire
from cellpipe.system.processes import Workers
from cellpipe.system.progress import CELL_COST, FILE_COST, Progress, StageProgress
from cellpipe.system.scan import Failure
from cellpipe.system.time_zones import check_time_zone

_log = logging.getLogger("cellpipe")
JOB_KEY = "what the results are made of"


def process(
    folder: str | Path,
    out: str | Path,
    *,
    time_zone: str | None = None,
    also: Sequence[str | Path] = (),
    workers: int = 1,
    wait_second: float = 0.0,
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
    also
        More folders with raw files of the same cells.
    workers
        How many processes read files and compute cells. (With more than one, a script needs the
        usual ``if __name__ == "__main__":``.)
    wait_second
        How long to wait for another run that is writing into ``out``.
    progress
        Called as ``progress(stage, done, total, what, share)``; ``share`` of the stage's work is
        done, by the size of files and the records of cells: time left can be told by it.

    Returns
    -------
    What the run did: files read and unchanged, failures with their reasons, and the lab's tables of
    files, findings and cells. What could not be used is in there, and raises nothing.

    Raises
    ------
    CellpipeError
        If nothing can be done at all: no such folder, no usable cell sheet, no results folder,
        another run that does not end.

    """
    job = prepare_lab(folder, out, time_zone, also)
    with Workers(workers) as pool:
        return run_lab(job, pool, wait_second=wait_second, progress=progress)


def run_lab(
    job: Job,
    workers: Workers,
    *,
    only: Sequence[Path] | None = None,
    wait_second: float = 0.0,
    progress: Progress | None = None,
) -> Summary:
    """Do the main job for what was prepared; ``only`` names the files to look at, if not all."""

    def once() -> Summary:
        with exclusive_run(job, wait_second):
            sheet = read_current_sheet(job)
            found = plan_files(job, only) if only is not None else plan_or_skip(job, sheet)
            return (
                found if isinstance(found, Summary) else _run(job, sheet, found, workers, progress)
            )

    return with_repair(job, once)


def with_repair(job: Job, run: Callable[[], Summary]) -> Summary:
    """Do a run; where it meets results that are damaged, put them aside and do it again."""
    for _ in range(3):
        try:
            return run()
        except DamagedTableError as error:
            _log.warning("%s", error)
            with acquire(job.ledger, wait_second=60):
                if not quarantine_damaged(job.ledger, thoroughly=True):
                    raise
        except DamagedLedgerError:
            job.ledger.repair()
    return run()


@contextmanager
def exclusive_run(job: Job, wait_second: float = 0.0) -> Iterator[None]:
    """Be the writer of a job's results, and find what earlier runs left in disorder."""

    def tell(sentence: str) -> None:
        _log.warning("%s, at most %.0f s", sentence, wait_second, extra={"aloud": True})

    with acquire(job.ledger, wait_second=wait_second, tell=tell):
        save_job(job)
        count = delete_partial_files(job.out)
        register_existing(job.ledger)
        broken = quarantine_damaged(job.ledger)
        if count or broken:
            _log.warning("%d unfinished files removed, %d damaged put aside", count, len(broken))
        yield


def save_job(job: Job) -> None:
    """Note what the results are made of, so that they can be made again by their name alone."""
    also = [str(path) for path in job.also]
    described = {"folder": str(job.folder), "time_zone": job.time_zone, "also": also}
    text = json.dumps(described)
    if job.ledger.key_value(JOB_KEY) != text:
        job.ledger.set_key_value(JOB_KEY, text)


def load_job(out: Path) -> Job:
    """Return the job that results were made by last.

    Raises
    ------
    StoreError
        If the ledger knows of none.

    """
    text = Job(out, out).ledger.key_value(JOB_KEY)
    if text is None:
        raise StoreError(
            "results of which the ledger does not know what they were made of",
            expected="those of a run of this version",
            remedy="run cellpipe process FOLDER --out RESULTS", file=out,
        )  # fmt: skip
    said = json.loads(text)
    return prepare_lab(said["folder"], out, said["time_zone"], said["also"])


def _run(
    job: Job, sheet: SheetSnapshot, plan: Plan, workers: Workers, progress: Progress | None
) -> Summary:
    failures = []
    by_size = StageProgress(
        "files", {path: FILE_COST + _file_size(path) for path in plan.new}, progress
    )
    for path, result in workers.map(ingest_file, job, plan.new):
        failures += record_file(job, path, result)
        by_size.advance(path, job.relative_name(path))
    grouping = group_files(job, plan.files, sheet)
    stale = stale_cells(job, grouping.cells)
    costs = {inputs.cell.cell_id: CELL_COST + _record_count(inputs) for inputs in stale}
    by_records = StageProgress("cells", costs, progress)
    for inputs, made in workers.map(compute_cell, job, stale):
        failures += record_cell(job, inputs, made)
        by_records.advance(inputs.cell.cell_id, inputs.cell.cell_id)
    summary = finalize(job, plan, grouping, sheet, failures, len(stale))
    StageProgress("report", {None: 1}, progress).advance(None, summary.page.name)
    return summary


def prepare_lab(
    folder: str | Path,
    out: str | Path,
    time_zone: str | None = None,
    also: Sequence[str | Path] = (),
) -> Job:
    """Check what a run needs before it begins."""
    folders = [Path(each).resolve() for each in also]
    job = Job(Path(folder).resolve(), Path(out).resolve(), time_zone, tuple(folders))
    for each in (job.folder, *job.also):
        check_folder(each)
    if time_zone is not None:
        check_time_zone(time_zone)
    if job.out in {job.folder, *job.also}:
        raise CellpipeError(
            "one folder for raw files and results", expected="a results folder of its own",
            remedy="choose another with --out",
        )  # fmt: skip
    _ = job.raw
    others = [folder for folder in job.ledger.folders() if folder != job.folder]
    if any(folder.is_dir() for folder in others):
        raise StoreError(
            f"results of the folder {others[0]}", expected=f"those of {job.folder}",
            remedy="choose a results folder for each folder with --out", file=job.out,
        )  # fmt: skip
    return job


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


def record_file(job: Job, path: Path, result: IngestResult | Exception) -> list[Failure]:
    """Note what taking a file in gave; give the failure, if it is one, so that the others go on.

    Raises
    ------
    StoreError
        If the results can't be written: then there is no use in going on.

    """
    relative = job.relative_name(path)
    if isinstance(result, IngestResult):
        record_ingest(job, result)
        whole = result.file_content
        return [Failure(relative, whole.reason or "")] if whole.status == "set aside" else []
    if isinstance(result, StoreError) and not isinstance(result, LockedFileError):
        raise result
    if isinstance(result, OSError):
        reason, reading = open_failure_message("It", result), ""  # may pass: it never rests
    elif isinstance(result, LockedFileError):
        reason, reading = str(result), ""
    else:
        _log.error("file %s", relative, exc_info=result)
        reason = f"found an error while reading the file ({type(result).__name__}: {result})"
        reading = job.reading
    status = _file_status(path)
    size, modified = (status.st_size, status.st_mtime_ns) if status else (None, None)
    fault = FileFailure(relative, size, modified, reading, reason, 1)
    fault = replace(fault, attempts=job.ledger.record_failure(fault))
    rests = fault.is_suspended(size, modified, job.reading)
    return [Failure(relative, suspension_message(fault) if rests else reason)]


def _file_size(path: Path) -> int:
    status = _file_status(path)
    return status.st_size if status else 0


def _file_status(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except OSError:
        return None


def stale_cells(job: Job, cells: Sequence[CellInputs]) -> list[CellInputs]:
    """Return the cells whose results were computed from other inputs, or are not all there.

    Those with the most records come first, so that no process is left with a long one at the end.
    """
    known = job.ledger.cells()

    def fresh(inputs: CellInputs) -> bool:
        entry = known.get(inputs.cell.cell_id)
        same = entry is not None and entry.inputs == inputs.fingerprint
        return same and all(p.is_file() for p in cell_outputs(job, inputs.cell.cell_id))

    stale = (inputs for inputs in cells if not fresh(inputs))
    return sorted(stale, key=_record_count, reverse=True)


def _record_count(inputs: CellInputs) -> int:
    return sum(file.content.records or 0 for file in inputs.files)


@dataclass(frozen=True)
class CellResult:
    """What computing a cell gave, for the ledger; ``traces`` of what failed are for the log."""

    entry: CellEntry
    written: tuple[ResultFile, ...]
    events: tuple[Event, ...]
    traces: tuple[str, ...] = ()


def compute_cell(job: Job, inputs: CellInputs) -> CellResult:
    """Compute a cell's tables, write them and its report; the ledger is left as it is."""
    from cellpipe.report import BlockFailure, write_cell_report

    begun = time.perf_counter()
    tables = read_input_tables(job, inputs)
    findings = [*inputs.findings, *_file_findings(inputs)]
    paths, traces = [], list[str]()
    for result in analyses.results_of(inputs.cell, tables):
        findings += result.findings
        traces += filter(None, [result.trace])
        if result.table.columns:
            paths.append(write_table(job.out, result.analysis, inputs.cell.cell_id, result.table))
            tables[result.analysis] = result.table
    tables["findings"] = finding_rows(findings, inputs.cell.cell_id)
    failed: list[BlockFailure] = []
    paths += write_cell_report(
        inputs.cell, tables, tables["files"], job.out, version=__version__, tell=failed.append
    )
    findings += [each.finding for each in failed]
    traces += [each.trace for each in failed]
    seconds = round(time.perf_counter() - begun, 4)
    cell_id = inputs.cell.cell_id
    entry = CellEntry(cell_id, inputs.fingerprint, inputs.contents, tuple(findings), seconds)
    last = last_numbers(job.ledger.database, cell_id)
    events = cell_events(job.ledger.cell(cell_id), entry, tables["cells"], last)
    written = tuple(describe_file(job.out, path) for path in paths)
    return CellResult(entry, written, tuple(events), tuple(traces))


def record_cell(job: Job, inputs: CellInputs, made: CellResult | Exception) -> list[Failure]:
    """Note what computing a cell gave; give the failure, if it is one, so that the others go on.

    Raises
    ------
    StoreError
        If the results can't be read or written: then there is no use in going on.

    """
    if isinstance(made, CellResult):
        for trace in made.traces:
            _log.error("cell %s: %s", inputs.cell.cell_id, trace)
        job.ledger.record_cell(made.entry, made.written, made.events)
        return []
    if isinstance(made, StoreError) and not isinstance(made, LockedFileError):
        raise made
    if isinstance(made, CellpipeError):
        held = isinstance(made, LockedFileError)  # then the reason is nothing without the file
        return [Failure(inputs.cell.cell_id, str(made) if held else made.reason)]
    _log.error("cell %s", inputs.cell.cell_id, exc_info=made)
    reason = f"found an error while computing the cell ({type(made).__name__}: {made})"
    return [Failure(inputs.cell.cell_id, reason)]


def _file_findings(inputs: CellInputs) -> list[Finding]:
    """Return what was said of the cell's files, once where it was said of several."""
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
