"""What each analysis of a cell depends on: computed again is only what depends on what changed.

The fingerprint of an analysis is that of its version, of the schemas that its tables are held to,
of the fields of the cell that it names and of the tables that it needs (of their columns, where it
names them). A table's digest is known before it is read: of raw tables it is that of the contents
and of what they share, of tables that other analyses make it was recorded with them.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from functools import cache

import polars as pl

from cellpipe import analyses, report
from cellpipe.core.contracts import schema_digest
from cellpipe.core.limits import Limits
from cellpipe.core.model import Analysis, Finding
from cellpipe.pipeline.cell_inputs import CellInputs, file_rows
from cellpipe.store.records import AnalysisRecord, CellEntry

ALL_COLUMNS = "*"
Digests = dict[str, Mapping[str, str]]  # of a table's columns, by table


def input_digests(inputs: CellInputs) -> Digests:
    """Return the digests of a cell's raw tables, its files and the published cells."""
    names = {name for file in inputs.files for name in file.content.tables}
    made = {name for analysis in analyses.all_analyses() for name in analysis.makes}
    needed = {name for analysis in analyses.all_analyses() for name in analysis.needs}
    contents = {
        name: [
            (file.content.sha256, file.content.reading, *map(asdict, file.overlaps))
            for file in inputs.files
            if name in file.content.tables
        ]
        for name in (names | needed) - made
    }
    described: dict[str, object] = {
        **contents,
        "files": file_rows(inputs).to_dicts(),
        "baselines": inputs.baselines,
    }
    return {name: {ALL_COLUMNS: _digest_json(value)} for name, value in described.items()}


def fingerprint(analysis: Analysis, inputs: CellInputs, digests: Digests) -> str:
    """Return what an analysis of a cell depends on; empty where an input is not known (yet)."""
    described: dict[str, str] = {}
    for name in analysis.needs:
        selections = digests.get(name, {})
        digest = selections.get(selection_name(analysis, name), selections.get(ALL_COLUMNS))
        if digest is None:
            return ""
        described[name] = digest
    cell = vars(inputs.cell)
    fields = cell if analysis.fields is None else {name: cell[name] for name in analysis.fields}
    held = {name: schema_digest(name) for name in analysis.makes}
    return _digest_json([analysis.name, analysis.version, fields, described, held])


def selection_name(analysis: Analysis, table: str) -> str:
    """Name the columns of a table that an analysis uses."""
    return ",".join(analysis.columns[table]) if table in analysis.columns else ALL_COLUMNS


def table_digests(name: str, frame: pl.DataFrame, sha256: str) -> dict[str, str]:
    """Return the digests of a table that an analysis made: of all of it, and as others use it.

    ``sha256`` is that of the table's file.
    """
    found = {ALL_COLUMNS: sha256}
    for selection in _selections(name):
        columns = selection.split(",")
        if set(columns) <= set(frame.columns):
            stream = io.BytesIO()
            frame.select(columns).rechunk().write_ipc(stream)
            found[selection] = hashlib.sha256(stream.getvalue()).hexdigest()
    return found


@cache
def _selections(table: str) -> tuple[str, ...]:
    named = {
        selection_name(analysis, table)
        for analysis in analyses.all_analyses()
        if table in analysis.columns
    }
    return tuple(sorted(named))


def unchanged_analyses(inputs: CellInputs, entry: CellEntry | None) -> dict[str, AnalysisRecord]:
    """Return the analyses of a cell that would give again what they gave, with their records.

    One that depends on a table that is made anew is not among them, though it may turn out that
    the table stays what it was: then it is not computed either (:mod:`cellpipe.pipeline.compute`).
    """
    known = entry.analyses if entry is not None and entry.inputs else {}
    digests = input_digests(inputs)
    found: dict[str, AnalysisRecord] = {}
    for analysis in analyses.execution_order():
        record = known.get(analysis.name)
        if record is None or record.fingerprint != fingerprint(analysis, inputs, digests):
            continue
        found[analysis.name] = record
        digests.update(record.digests)
    return found


def cell_fingerprint(
    inputs: CellInputs,
    fingerprints: Mapping[str, str],
    findings: Iterable[Finding],
    limits: Limits,
) -> str:
    """Return what all of a cell's tables and reports depend on: what a page shows is in it."""
    described = [
        vars(inputs.cell),
        [
            (file.path, file.content.sha256, file.content.reading, *map(asdict, file.overlaps))
            for file in inputs.files
        ],
        [finding.sentence for finding in findings],
        asdict(limits),
        dict(fingerprints),
        inputs.baselines,
        report.VERSION,
    ]
    return _digest_json(described)


def _digest_json(value: Sequence[object] | object) -> str:
    text = json.dumps(value, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()
