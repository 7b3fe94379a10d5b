"""The path of a file and of a cell, in plain functions; no server is needed.

:func:`process` is the main job. Its steps are functions of their own, which ``flows/`` runs as
Prefect tasks in the same order: both ways write the same bytes.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import polars as pl

import cellpipe
from cellpipe import analyses, contracts
from cellpipe.baselines import table1
from cellpipe.cell_inputs import CellInputs, file_rows, grouped, input_tables
from cellpipe.cell_sheet import CellSheet, cell_sheet
from cellpipe.domain import Finding
from cellpipe.errors import CellpipeError
from cellpipe.intake import Job, Plan, planned, take_in, waiting_finding
from cellpipe.store import CellEntry, Results, read_table, write_table

LAB = "lab"  # key of the tables that are about the whole folder
_log = logging.getLogger("cellpipe")

Stage = Literal["files", "cells", "report"]
Progress = Callable[[Stage, int, int, str], None]  # stage, done, of how many, what


@dataclass(frozen=True)
class Failure:
    """A file or a cell that could not be used, and why."""

    path: str
    reason: str


@dataclass(frozen=True)
class Summary:
    """What a run did. ``cells`` and ``files`` are the lab's tables as they now stand."""

    job: Job
    read: int
    unchanged: int
    left_alone: tuple[str, ...]
    cells_updated: int
    failures: tuple[Failure, ...]
    cells: pl.DataFrame
    files: pl.DataFrame
    findings: pl.DataFrame

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
    cells, said = grouped(job, plan.files, sheet)
    stale = stale_cells(job, cells)
    for number, inputs in enumerate(stale, 1):
        failure = updated(job, inputs)
        failures += [failure] if failure else []
        _tell(progress, "cells", number, len(stale), inputs.cell.cell_id)
    summary = concluded(job, plan, cells, [*sheet.findings, *said], failures, len(stale))
    _tell(progress, "report", 1, 1, summary.page.name)
    return summary


def _tell(progress: Progress | None, stage: Stage, done: int, total: int, what: str) -> None:
    _log.info("%s %d/%d %s", stage, done, total, what)
    if progress is not None:
        progress(stage, done, total, what)


def prepared(folder: str | Path, out: str | Path, time_zone: str | None) -> tuple[Job, CellSheet]:
    """Check what a run needs before it begins."""
    job = Job(Path(folder).resolve(), Path(out).resolve(), time_zone)
    if not job.folder.is_dir():
        raise CellpipeError(
            "no such folder", expected="a folder with raw files", file=folder,
            remedy="check the path; a network drive may be away",
        )  # fmt: skip
    if time_zone is not None:
        _check_time_zone(time_zone)
    job.ledger  # noqa: B018 - fails now if the results folder can't be used
    return job, cell_sheet(job.folder)


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
        return Failure(relative, waiting_finding(relative, error).sentence)
    except Exception as error:  # a fault in one file must not stop the others
        _log.exception("file %s", relative)
        reason = f"found an error while reading the file ({type(error).__name__}: {error})"
        return Failure(relative, reason)
    return None if content.status == "used" else Failure(relative, content.reason or "")


def stale_cells(job: Job, cells: list[CellInputs]) -> list[CellInputs]:
    """Give the cells whose tables were computed from other inputs, or not at all."""
    known = job.ledger.cells()
    return [c for c in cells if _entry_inputs(known.get(c.cell.cell_id)) != c.fingerprint]


def _entry_inputs(entry: CellEntry | None) -> str | None:
    return entry.inputs if entry else None


def update_cell(job: Job, inputs: CellInputs) -> None:
    """Compute a cell's tables, write them and its report, and note that in the ledger."""
    from cellpipe.report import write_cell_report

    tables = input_tables(job, inputs)
    findings = [*inputs.findings, *_file_findings(inputs)]
    for result in analyses.results_of(inputs.cell, tables):
        write_table(job.out, result.analysis, inputs.cell.cell_id, result.table)
        tables[result.analysis] = result.table
        findings += result.findings
    tables["findings"] = _finding_rows(findings, inputs.cell.cell_id)
    write_cell_report(inputs.cell, tables, tables["files"], job.out, version=cellpipe.__version__)
    entry = CellEntry(inputs.cell.cell_id, inputs.fingerprint, tuple(findings))
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


def concluded(
    job: Job, plan: Plan, cells: list[CellInputs], findings: list[Finding],
    failures: list[Failure], cells_updated: int,
) -> Summary:  # fmt: skip
    """Write what is about the whole lab, and its page; sum the run up."""
    files = _lab_files(job, plan, cells, failures)
    said = _lab_findings(job, cells, findings)
    failed = tuple(
        Failure(*row)
        for row in files.filter(status="set aside").select("path", "reason").iter_rows()
    ) + tuple(f for f in failures if f.path not in set(files["path"]))
    changed = _write_lab_tables(job, files, said)
    if cells_updated or changed or not (job.out / "index.html").is_file():
        _write_index(job, files, said)
    table = Results(job.out)["cells"].filter(
        pl.col("cell_id").is_in([c.cell.cell_id for c in cells])
    )
    return Summary(
        job, len(plan.new), len(plan.known), tuple(job.relative(p) for p in plan.left_alone),
        cells_updated, failed, table.sort("cell_id").collect(), files, said,
    )  # fmt: skip


def _lab_files(
    job: Job, plan: Plan, cells: list[CellInputs], failures: list[Failure]
) -> pl.DataFrame:
    """Give one row per file of the folder, used or set aside."""
    seen, contents = job.ledger.seen_files(job.folder), job.ledger.contents()
    used = pl.concat([contracts.empty("files"), *(file_rows(inputs) for inputs in cells)])
    mine = set(used["path"])
    reasons = {failure.path: failure.reason for failure in failures}
    rows = []
    for path in plan.files:
        relative = job.relative(path)
        if relative in mine:
            continue
        file = seen.get(relative)
        content = contents.get(file.sha256) if file else None
        reason = reasons.get(relative) or (content.reason if content else None)
        if content is not None and content.status == "used":
            reason = reason or "another file holds the same recording, or two rows claim it"
        rows.append({
            "path": relative, "file_sha256": file.sha256 if file else None, "cell_id": None,
            "status": "set aside" if reason else "used", "format": None,
            "size_byte": path.stat().st_size, "records": None, "spectra": None,
            "started_at": None, "reason": reason,
        })  # fmt: skip
    aside = pl.DataFrame(rows, schema=used.schema)
    return contracts.checked("files", pl.concat([used, aside]).sort("path"))


def _finding_rows(
    findings: list[Finding] | tuple[Finding, ...], cell_id: str | None
) -> pl.DataFrame:
    rows = [
        {"cell_id": cell_id, "file": None, "level": f.level, "code": f.code,
         "sentence": f.sentence, "rows": f.rows}
        for f in findings
    ]  # fmt: skip
    return pl.DataFrame(rows, schema=contracts.empty("findings").schema)


def _lab_findings(job: Job, cells: list[CellInputs], findings: list[Finding]) -> pl.DataFrame:
    entries = job.ledger.cells()
    mine = [entries[c.cell.cell_id] for c in cells if c.cell.cell_id in entries]
    parts = [_finding_rows(entry.findings, entry.cell_id) for entry in mine]
    return contracts.checked("findings", pl.concat([_finding_rows(findings, None), *parts]))


def _write_lab_tables(job: Job, files: pl.DataFrame, findings: pl.DataFrame) -> bool:
    """Write the lab's tables where they changed; tell whether any did."""
    changed = False
    for name, frame in (("files", files), ("findings", findings), ("baselines", table1())):
        before = read_table(job.out, name, LAB)
        if before is None or not before.equals(frame):
            write_table(job.out, name, LAB, frame)
            changed = True
    return changed


def _write_index(job: Job, files: pl.DataFrame, findings: pl.DataFrame) -> None:
    from cellpipe.report import write_index

    results = Results(job.out)
    tables = {name: results[name].collect() for name in ("cells", "baseline_comparison", "cycles")}
    write_index(
        tables["cells"].sort("cell_id"), tables["baseline_comparison"], tables["cycles"],
        files, findings, job.out, version=cellpipe.__version__,
    )  # fmt: skip
