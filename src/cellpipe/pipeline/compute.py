"""Compute a cell: the analyses whose inputs changed, and its page and workbook."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import polars as pl

from cellpipe import analyses, report
from cellpipe._version import __version__
from cellpipe.analyses.alarms import check_limits
from cellpipe.core import contracts
from cellpipe.core.errors import LockedFileError, StoreError
from cellpipe.core.finding_rows import finding_rows, keep_since, run_day, severity_of
from cellpipe.core.model import CONTRADICTION, Analysis, Finding
from cellpipe.core.steps import StepFailure, run_step
from cellpipe.pipeline.cell_inputs import CellInputs, CellTask, read_input_tables
from cellpipe.pipeline.fingerprints import (
    cell_fingerprint,
    fingerprint,
    input_digests,
    table_digests,
    unchanged_analyses,
)
from cellpipe.report import BlockFailure
from cellpipe.store import LAB, CellEntry, ResultFile, read_table, write_table
from cellpipe.store.history import Event
from cellpipe.store.lab import Lab
from cellpipe.store.layout import cell_report_paths, table_path
from cellpipe.store.manifest import describe_file
from cellpipe.store.records import AnalysisRecord
from cellpipe.store.snapshot import LedgerSnapshot
from cellpipe.system.own_folder import foreign_names

_NUMBERS = (
    "files", "cycles", "complete_cycles", "first_discharging_capacity_ah", "capacity_retention",
    "retention_cycle", "initial_coulombic_efficiency", "mean_coulombic_efficiency", "spectra",
    "first_interfacial_resistance_ohm", "last_interfacial_resistance_ohm",
)  # fmt: skip
_NO_REPORT = "its report is to be written"  # in place of a fingerprint: its tables are current


@dataclass(frozen=True)
class CellResult:
    """What computing a cell gave, for the ledger.

    ``computed`` names the analyses that ran; ``traces`` of what failed are for the log, and
    ``report_error`` is why the cell's page or workbook could not be written.
    """

    entry: CellEntry
    written: tuple[ResultFile, ...]
    events: tuple[Event, ...]
    computed: tuple[str, ...] = ()
    traces: tuple[str, ...] = ()
    report_error: BaseException | None = None


def stale_cells(
    lab: Lab,
    state: LedgerSnapshot,
    cells: Sequence[CellInputs],
    *,
    redraw: bool = False,
    day: datetime | None = None,
) -> list[CellTask]:
    """Return the cells whose results were made from other inputs, or are not all there.

    Those with the most records come first, so that no process is left with a long one at the end.
    With ``redraw`` the reports of all of them are made anew. ``day`` is that of the run.
    """
    tasks = (
        CellTask(inputs, state.cells.get(inputs.cell.cell_id), day)
        for inputs in cells
        if redraw or _is_stale(lab, inputs, state.cells.get(inputs.cell.cell_id))
    )
    return sorted(tasks, key=lambda task: task.records, reverse=True)


def _is_stale(lab: Lab, inputs: CellInputs, entry: CellEntry | None) -> bool:
    unchanged = unchanged_analyses(inputs, entry)
    if entry is None or len(unchanged) < len(analyses.all_analyses()):
        return True
    fingerprints = {name: record.fingerprint for name, record in unchanged.items()}
    if entry.inputs != cell_fingerprint(inputs, fingerprints, input_findings(inputs), lab.limits):
        return True
    return not all(path.is_file() for path in cell_outputs(lab, inputs.cell.cell_id))


def cell_outputs(lab: Lab, cell_id: str) -> list[Path]:
    """Return every file that a cell's results consist of."""
    made = [name for analysis in analyses.all_analyses() for name in analysis.makes]
    tables = (table_path(lab.results, name, cell_id) for name in made)
    return [*tables, *cell_report_paths(lab.results, cell_id)]


def input_findings(inputs: CellInputs) -> list[Finding]:
    """Return what is known of a cell before it is computed: of its history and of its files.

    A finding of several files is named once.
    """
    files: dict[Finding, list[str]] = {}
    for file in inputs.files:
        for finding in file.content.findings:
            files.setdefault(finding, []).append(file.path)
    of_files = [
        replace(
            f, sentence=f"{paths[0] if len(paths) == 1 else f'{len(paths)} files'}: {f.sentence}"
        )
        for f, paths in files.items()
    ]
    return [*inputs.findings, *of_files]


def compute_cell(lab: Lab, task: CellTask) -> CellResult:
    """Compute a cell's tables, write them and its report; the ledger is left as it is.

    A report that can't be written costs itself only: the tables stand, and the next run writes it.
    """
    start = time.perf_counter()
    computation = _Computation(lab, task)
    computation.run()
    inputs, records = task.inputs, computation.records
    before = input_findings(inputs)
    made = [finding for record in records.values() for finding in record.findings]
    tables = computation.tables
    made += check_limits(tables["cells"], tables["cycles"], lab.limits)
    blocks, failure = _write_report(lab, computation, [*before, *made], task.day or run_day())
    findings = (*before, *made, *(block.finding for block in blocks))
    traces = [*computation.traces, *(block.trace for block in blocks)]
    traces += [failure.trace] if failure and not isinstance(failure.error, LockedFileError) else []
    fingerprints = {name: record.fingerprint for name, record in records.items()}
    entry = CellEntry(
        inputs.cell.cell_id,
        _NO_REPORT if failure else cell_fingerprint(inputs, fingerprints, before, lab.limits),
        inputs.contents, findings, round(time.perf_counter() - start, 4), records,
        _first_numbers(tables["cells"]),
    )  # fmt: skip
    computed = tuple(computation.computed)
    events = cell_events(task.entry, entry, is_computed=bool(computed))
    return CellResult(
        entry, tuple(computation.written), tuple(events), computed, tuple(traces),
        failure.error if failure else None,
    )  # fmt: skip


def _write_report(
    lab: Lab, computation: _Computation, findings: Sequence[Finding], day: datetime
) -> tuple[list[BlockFailure], StepFailure | None]:
    """Write a cell's page and workbook; return the blocks that failed, or why all of it did.

    Raises
    ------
    StoreError
        If the results can't be written: then there is no use in going on.

    """
    cell, tables = computation.inputs.cell, computation.tables
    told = read_table(lab.results, "findings", LAB)
    own = None if told is None else told.filter(cell_id=cell.cell_id)
    tables["findings"] = keep_since(finding_rows(findings, cell.cell_id), own, day)
    failed: list[BlockFailure] = []
    paths = run_step(
        lambda: report.write_cell_report(
            cell,
            tables,
            tables["files"],
            lab.results,
            version=__version__,
            analyses=analyses.analysis_facts(tables["findings"]),
            tell=failed.append,
        )
    )
    if isinstance(paths, StepFailure):
        if isinstance(paths.error, StoreError) and not isinstance(paths.error, LockedFileError):
            raise paths.error
        foreign = {lab.results / name for name in foreign_names(lab.results)}
        paths_of_cell = {*cell_report_paths(lab.results, cell.cell_id)} - foreign
        there = [path for path in sorted(paths_of_cell) if path.is_file()]
        computation.written += [describe_file(lab.results, path) for path in there]
        return [], paths
    computation.written += [describe_file(lab.results, path) for path in paths]
    return failed, None


class _Computation:
    """The analyses of one cell, in order: each is run, or what it gave before is read."""

    def __init__(self, lab: Lab, task: CellTask) -> None:
        self.lab, self.inputs = lab, task.inputs
        self.tables = read_input_tables(lab, task.inputs)
        self.records: dict[str, AnalysisRecord] = {}
        self.written: list[ResultFile] = []
        self.computed: list[str] = []
        self.traces: list[str] = []
        self._known = task.entry.analyses if task.entry is not None and task.entry.inputs else {}
        self._digests = input_digests(task.inputs)

    def run(self) -> None:
        for analysis in analyses.execution_order():
            key = fingerprint(analysis, self.inputs, self._digests)
            record = self._known.get(analysis.name)
            if record is None or record.fingerprint != key or not self._read_tables(analysis):
                record = self._compute(analysis, key)
            self.records[analysis.name] = record
            self._digests.update(record.digests)

    def _read_tables(self, analysis: Analysis) -> bool:
        """Read the tables that an analysis made before; False where one is not as it would be."""
        cell_id = self.inputs.cell.cell_id
        frames = {name: read_table(self.lab.results, name, cell_id) for name in analysis.makes}
        found = {name: frame for name, frame in frames.items() if frame is not None}
        if len(found) < len(frames) or not all(map(_has_todays_columns, found, found.values())):
            return False
        self.tables.update(found)
        return True

    def _compute(self, analysis: Analysis, key: str) -> AnalysisRecord:
        """Run an analysis, and write its tables."""
        folder, cell = self.lab.results, self.inputs.cell
        digests: dict[str, Mapping[str, str]] = {}
        findings: list[Finding] = []
        for result in analyses.attempt_analysis(analysis, cell, self.tables):
            findings += result.findings
            self.traces += filter(None, [result.trace])
            if not result.table.columns:
                continue
            path = write_table(folder, result.analysis, cell.cell_id, result.table)
            file = describe_file(folder, path)
            self.written.append(file)
            self.tables[result.analysis] = result.table
            digests[result.analysis] = table_digests(result.analysis, result.table, file.sha256)
        self.computed.append(analysis.name)
        return AnalysisRecord(key, digests, tuple(findings))


def _has_todays_columns(name: str, frame: pl.DataFrame) -> bool:
    return set(contracts.empty_table(name).columns) <= set(frame.columns)


def _first_numbers(cells: pl.DataFrame) -> dict[str, object]:
    row = cells.row(0, named=True) if cells.height else {}
    return {name: row[name] for name in _NUMBERS if row.get(name) is not None}


def cell_events(
    before: CellEntry | None, entry: CellEntry, *, is_computed: bool = True
) -> list[Event]:
    """Return what a cell's new results mean for its history: its numbers, and what is to check.

    That is what was not there before. Alarms, and what contradicts physics, are told by the table
    of findings at the end of the run.
    """
    contents = hashlib.sha256(" ".join(entry.contents).encode()).hexdigest()
    kind = "computed" if is_computed else "reported"
    events = [
        Event(entry.cell_id, kind, contents, numbers=entry.numbers, seconds=entry.seconds)
    ]  # fmt: skip
    known = {finding.code for finding in before.findings} if before else set()
    events += [
        Event(entry.cell_id, "check", reason=finding.sentence)
        for finding in entry.findings
        if before and severity_of(finding) == "check" and finding.code not in known
        if not finding.code.startswith(CONTRADICTION)
    ]
    return events
