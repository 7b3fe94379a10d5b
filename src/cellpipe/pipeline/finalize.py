"""What is about the whole lab: its tables, its page, what a run did, and tidying up after it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import polars as pl

from cellpipe import analyses
from cellpipe._version import __version__
from cellpipe.core import contracts
from cellpipe.core.errors import LockedFileError
from cellpipe.core.model import Finding
from cellpipe.pipeline.cell_inputs import Grouping, file_rows
from cellpipe.pipeline.ingest import Job, Plan, plan_entries
from cellpipe.pipeline.sheet_snapshot import SheetSnapshot
from cellpipe.store import LAB, CellEntry, Results, read_table, table_path, write_table
from cellpipe.store.consolidated import consolidate_tables
from cellpipe.store.failures import MAX_ATTEMPTS
from cellpipe.store.history import Event
from cellpipe.store.ledger import LAST_COMPLETE_STATE
from cellpipe.store.manifest import describe_file, names_digest, quarantine_orphans
from cellpipe.system.atomic_files import delete, file_name
from cellpipe.system.scan import Failure

_NUMBERS = (
    "files", "cycles", "complete_cycles", "first_discharging_capacity_ah", "capacity_retention",
    "retention_cycle", "initial_coulombic_efficiency", "mean_coulombic_efficiency", "spectra",
    "first_interfacial_resistance_ohm", "last_interfacial_resistance_ohm",
)  # fmt: skip
ALL_CELLS = "all-cells.xlsx"
_WORKBOOK_PENDING = "all-cells.xlsx is to be written"
_END_OF_LIFE = 0.8  # of the reference capacity, as the field says


@dataclass(frozen=True)
class Summary:
    """What a run did. ``files`` and ``findings`` are the lab's tables as they now stand.

    ``reread`` counts the files that were read again because the version or the time zone changed.
    """

    job: Job
    read: int
    reread: int
    unchanged: int
    ignored: tuple[str, ...]
    cells_updated: int
    failures: tuple[Failure, ...]
    files: pl.DataFrame
    findings: pl.DataFrame
    unreachable: tuple[Failure, ...] = ()

    @cached_property
    def cells(self) -> pl.DataFrame:
        """The table of the lab's cells."""
        ids = self.files["cell_id"].drop_nulls().unique()
        return Results(self.job.out)["cells"].filter(
            pl.col("cell_id").is_in(ids.to_list())
        ).sort("cell_id").collect()  # fmt: skip

    @property
    def page(self) -> Path:
        """The page to open."""
        return self.job.out / "index.html"

    @property
    def exit_code(self) -> int:
        """0 if everything was used, 1 if something was set aside, 2 if nothing could be done."""
        if not (self.files["status"] == "used").any():
            return 2
        return 1 if self.failures else 0


def cell_outputs(job: Job, cell_id: str) -> list[Path]:
    """Return every file that a cell's results consist of."""
    made = [name for analysis in analyses.all_analyses() for name in analysis.makes]
    pages = [job.out / "cells" / f"{file_name(cell_id)}{suffix}" for suffix in (".html", ".xlsx")]
    return [*(table_path(job.out, name, cell_id) for name in made), *pages]


def plan_or_skip(job: Job, sheet: SheetSnapshot) -> Summary | Plan:
    """Walk the folders; give the summary if nothing is new since the last run, else the plan.

    Nothing is new if the walk, the cell sheet, the versions and the names of the results are as
    they were; then nothing more than that is looked at.
    """
    entries, unreachable = job.raw.walk()
    walk = job.raw.digest(entries)
    last = json.loads(job.ledger.key_value(LAST_COMPLETE_STATE) or "{}")
    hidden = _has_hidden_files(job, unreachable)
    if hidden or sheet.failures or last.get("state") != _state_digest(job, sheet, walk):
        return plan_entries(job, entries, unreachable, walk)
    files = read_table(job.out, "files", LAB)
    findings = read_table(job.out, "findings", LAB)
    outputs = (job.out / "index.html", job.out / ALL_CELLS, table_path(job.out, "cell_sheet", LAB))
    there = all(path.is_file() for path in outputs)
    if files is None or findings is None or not there:
        return plan_entries(job, entries, unreachable, walk)
    left_alone, failures = last["left_alone"], [Failure(*each) for each in last["failures"]]
    known = len(entries) - len(left_alone)
    return Summary(job, 0, 0, known, tuple(left_alone), 0, tuple(failures), files, findings)


def _state_digest(job: Job, sheet: SheetSnapshot, walk: str) -> str:
    described = (
        walk,
        sheet.digest,
        job.reading,
        analyses.analysis_versions(),
        names_digest(job.out),
    )
    return hashlib.sha256(repr(described).encode()).hexdigest()


def finalize(
    job: Job,
    plan: Plan,
    grouping: Grouping,
    sheet: SheetSnapshot,
    failures: Sequence[Failure],
    cells_updated: int,
) -> Summary:
    """Tidy up, write what is about the whole lab, and its page; sum the run up.

    ``failures`` are those of files and cells in this run.
    """
    job.ledger.set_key_value(LAST_COMPLETE_STATE, None)
    resting = [failure for _, failure in plan.suspended]
    failed = [*plan.unreachable, *resting, *failures]
    kept = _remove_outdated(job, plan, grouping)
    files = _files_table(job, plan, grouping, failed)
    said = _findings_table(job, grouping, [*sheet.findings, *grouping.findings, *kept], failed)
    aside = files.filter(status="set aside")
    named = set(aside["path"])
    every = [Failure(*row) for row in aside.select("path", "reason").iter_rows()]
    every += [failure for failure in failed if failure.path not in named]
    every += sheet.failures
    changed = _write_tables(
        job, {"files": files, "findings": said, "cell_sheet": _sheet_table(grouping)}
    )
    consolidate(job)
    there = all((job.out / name).is_file() for name in ("index.html", ALL_CELLS))
    stale = job.ledger.key_value(_WORKBOOK_PENDING) is not None
    is_due = cells_updated or changed or stale or not there
    held = _write_reports(job, files, said) if is_due else []
    if stale or held:
        job.ledger.set_key_value(_WORKBOOK_PENDING, "yes" if held else None)
    every += held
    quarantine_orphans(job.ledger)
    left_alone = tuple(job.relative_name(path) for path in plan.ignored)
    hidden = _has_hidden_files(job, plan.unreachable)
    if plan.walk and not (hidden or held or sheet.failures or _has_pending_retry(job, failures)):
        told = {"state": _state_digest(job, sheet, plan.walk), "left_alone": left_alone,
                "failures": [(failure.path, failure.reason) for failure in every]}  # fmt: skip
        job.ledger.set_key_value(LAST_COMPLETE_STATE, json.dumps(told))
    return Summary(
        job, len(plan.new), plan.reread, len(plan.known), left_alone, cells_updated, tuple(every),
        files, said, plan.unreachable,
    )  # fmt: skip


def _has_hidden_files(job: Job, unreachable: Sequence[Failure]) -> bool:
    """Return whether what is out of reach may be more than links that lead nowhere."""
    return any(
        failure.path == "." or not job.raw.path(failure.path).is_symlink()
        for failure in unreachable
    )


def _has_pending_retry(job: Job, failures: Sequence[Failure]) -> bool:
    """Return whether something is to be tried again: a fault that does not rest, or a cell that failed."""
    failed = job.ledger.file_failures()
    if any(not fault.reading or fault.attempts < MAX_ATTEMPTS for fault in failed.values()):
        return True
    seen = job.ledger.seen_files(job.folder) if failures else {}
    return any(failure.path not in seen and failure.path not in failed for failure in failures)


def cell_events(
    before: CellEntry | None, entry: CellEntry, cells: pl.DataFrame, last: Mapping[str, object]
) -> list[Event]:
    """Say what computing a cell means for its history: its numbers now, and alarms that are new.

    ``last`` are the numbers of before. An alarm is a warning or an error that was not there then,
    or a capacity that has fallen below 80 % of its reference.
    """
    row: Mapping[str, object] = cells.row(0, named=True) if cells.height else {}
    numbers = {name: row[name] for name in _NUMBERS if row.get(name) is not None}
    contents = hashlib.sha256(" ".join(entry.contents).encode()).hexdigest()
    events = [
        Event(entry.cell_id, "computed", contents, numbers=numbers, seconds=entry.seconds)
    ]  # fmt: skip
    known = {finding.code for finding in before.findings} if before else set()
    events += [
        Event(entry.cell_id, "alarm", reason=finding.sentence)
        for finding in entry.findings
        if finding.level in {"warning", "error"} and before and finding.code not in known
    ]
    retention, earlier = (n.get("capacity_retention") for n in (row, last))
    fell = not isinstance(earlier, float) or earlier >= _END_OF_LIFE
    if isinstance(retention, float) and retention < _END_OF_LIFE and fell:
        sentence = f"The capacity is at {100 * retention:.1f} % of its reference."
        events.append(Event(entry.cell_id, "alarm", reason=sentence))
    return events


def _files_table(
    job: Job, plan: Plan, grouping: Grouping, failures: Sequence[Failure]
) -> pl.DataFrame:
    """Return one row per file of the folder: used, set aside or a duplicate."""
    used = pl.concat([contracts.empty_table("files"), *(file_rows(c) for c in grouping.cells)])
    mine = set(used["path"])
    reasons = {failure.path: failure.reason for failure in failures}
    rows, written = [], {}
    for relative, known in job.recordings(plan.files).items():
        written[relative] = known[0].modified_ns if known else None
        if relative in mine:
            continue
        file, content = known or (None, None)
        said = reasons.get(relative) or (content.reason if content else None)
        status, reason = "set aside", said or "It was not read yet."
        if relative in grouping.unused:
            status, reason = grouping.unused[relative]
        rows.append({
            "path": relative, "file_sha256": file.sha256 if file else None, "status": status,
            "size_byte": file.size if file else 0, "reason": reason,
        })  # fmt: skip
    rest = pl.DataFrame(rows, schema_overrides=used.schema)
    every = pl.concat([used, rest], how="diagonal").sort("path")
    when = pl.Series([written.get(path) for path in every["path"]], dtype=pl.Int64)
    modified = when.cast(pl.Datetime("ns", "UTC")).cast(every.schema["modified_at"])
    return contracts.validate("files", every.with_columns(modified_at=modified))


def finding_rows(findings: Iterable[Finding], cell_id: str | None) -> pl.DataFrame:
    """Return the rows of the table ``findings`` for findings of a cell, or of the lab."""
    rows = [
        {"cell_id": cell_id, "file": None, "level": f.level, "code": f.code,
         "sentence": f.sentence, "rows": f.rows}
        for f in findings
    ]  # fmt: skip
    return pl.DataFrame(rows, schema=contracts.empty_table("findings").schema)


def _findings_table(
    job: Job, grouping: Grouping, findings: Sequence[Finding], failures: Sequence[Failure]
) -> pl.DataFrame:
    entries = job.ledger.cells()
    ids = [inputs.cell.cell_id for inputs in grouping.cells]
    mine = [entries[cell_id] for cell_id in ids if cell_id in entries]
    broken = [
        Finding("error", "not_updated", f"{f.path}: {f.reason} What is shown is from before.")
        for f in failures
        if f.path in entries or any(f.path in {x.path for x in c.files} for c in grouping.cells)
    ]
    parts = [finding_rows(entry.findings, entry.cell_id) for entry in mine]
    return contracts.validate(
        "findings", pl.concat([finding_rows([*findings, *broken], None), *parts])
    )


def _sheet_table(grouping: Grouping) -> pl.DataFrame:
    """Return what the cell sheet says of each cell."""
    columns = contracts.empty_table("cell_sheet").schema
    rows = [{name: getattr(each.cell, name) for name in columns} for each in grouping.cells]
    return contracts.validate("cell_sheet", pl.DataFrame(rows, schema=columns))


def consolidate(job: Job, *, all_of_it: bool = False) -> None:
    """Gather the tables of many cells in one file each; see :mod:`cellpipe.store.consolidated`."""
    made = consolidate_tables(job.out, all_of_it=all_of_it)
    job.ledger.record_result_files(describe_file(job.out, path) for path in made)


def _write_tables(job: Job, tables: Mapping[str, pl.DataFrame]) -> bool:
    """Write the lab's tables where they changed; tell whether any did."""
    changed = False
    for name, frame in tables.items():
        before = read_table(job.out, name, LAB)
        if before is None or not before.equals(frame):
            path = write_table(job.out, name, LAB, frame)
            job.ledger.record_result_files([describe_file(job.out, path)])
            changed = True
    return changed


def _write_reports(job: Job, files: pl.DataFrame, findings: pl.DataFrame) -> list[Failure]:
    """Write the lab's page and workbook; give the failure if Excel holds the workbook open."""
    from cellpipe.report import write_index, write_lab_workbook

    results = Results(job.out)
    tables = {
        name: results[name].collect().sort("cell_id", maintain_order=True)
        for name in ("cells", "baseline_comparison", "cycles")
    }
    tables |= {"files": files, "findings": findings}
    try:
        write_index(tables, job.out, version=__version__)
    except LockedFileError as error:
        return [Failure("index.html", str(error))]
    try:
        write_lab_workbook(tables, job.out, version=__version__)
    except LockedFileError as error:
        return [Failure(ALL_CELLS, str(error))]
    return []


def _remove_outdated(job: Job, plan: Plan, grouping: Grouping) -> list[Finding]:
    """Remove what a later state replaced; keep the results of cells whose files were taken away.

    A cell that is gone though its files are there (they belong to another one now, or to none)
    loses its results; one whose files are no longer in the folder keeps them, and a finding says
    so. Tables of contents that
    neither a file nor a cell names any more are removed. Nothing is removed while a part of the
    folder is out of reach.
    """
    is_emptied = not plan.files and not plan.is_partial  # a share that is away may look like that
    if _has_hidden_files(job, plan.unreachable) or is_emptied:
        return []
    ledger = job.ledger
    seen = ledger.seen_files(job.folder)
    there = {job.relative_name(path) for path in plan.files} | job.recordings(plan.files).keys()
    ledger.forget_files(job.folder, sorted((set(seen) | ledger.file_failures().keys()) - there))
    current = {c.cell.cell_id for c in grouping.cells}
    here = {file.sha256 for path, file in seen.items() if path in there}
    findings = []
    for entry in ledger.cells().values():
        if entry.cell_id in current:
            continue
        if here & set(entry.contents):
            try:
                _delete_files(cell_outputs(job, entry.cell_id), keep=_output_keys(job, current))
            except LockedFileError as error:
                findings.append(Finding("warning", "held_open", f"{entry.cell_id}: {error}"))
                continue
            ledger.forget_cell(entry.cell_id)
        else:
            sentence = f"The files of {entry.cell_id} are no longer there; its results are kept."
            findings.append(Finding("info", "cell_kept", sentence))
    named = here | {sha256 for entry in ledger.cells().values() for sha256 in entry.contents}
    for content in ledger.contents().values():
        if content.sha256 not in named:
            paths = [table_path(job.out, name, content.sha256) for name in content.tables]
            with suppress(LockedFileError):  # a program reads it; the next run removes it
                _delete_files(paths, keep=set())
                ledger.forget_content(content.sha256)
    return findings


def _output_keys(job: Job, cell_ids: Iterable[str]) -> set[str]:
    """Paths of these cells' results, without regard to case."""
    return {str(p).casefold() for cell_id in cell_ids for p in cell_outputs(job, cell_id)}


def _delete_files(paths: Iterable[Path], *, keep: set[str]) -> None:
    for path in paths:
        if str(path).casefold() not in keep:
            delete(path)
