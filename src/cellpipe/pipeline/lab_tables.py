"""The tables that are about the whole lab: its files, its findings, its cell sheet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import polars as pl

from cellpipe.core import contracts
from cellpipe.core.finding_rows import finding_rows, keep_since, run_day
from cellpipe.core.model import Finding
from cellpipe.pipeline.cell_inputs import Grouping, file_rows
from cellpipe.pipeline.plan import Plan
from cellpipe.store.lab import Lab
from cellpipe.store.ledger import Arrival
from cellpipe.store.snapshot import LedgerSnapshot
from cellpipe.system.scan import Failure


def files_table(
    lab: Lab, state: LedgerSnapshot, plan: Plan, grouping: Grouping, failures: Sequence[Failure],
    arrivals: Mapping[str, Arrival],
) -> pl.DataFrame:  # fmt: skip
    """Return one row per file of the folder: used, set aside or a duplicate.

    ``arrivals`` are when the files came, by path.
    """
    used = pl.concat([contracts.empty_table("files"), *(file_rows(c) for c in grouping.cells)])
    mine = set(used["path"])
    reasons = {failure.path: failure.reason for failure in failures}
    rows, written = [], {}
    for name, known in state.recordings(lab.relative_name(path) for path in plan.files):
        written[name] = known[0].modified_ns if known else None
        if name in mine:
            continue
        file, content = known or (None, None)
        why = reasons.get(name) or (content.reason if content else None)
        status, reason = "set aside", why or "It was not read yet."
        if name in grouping.unused:
            status, reason = grouping.unused[name]
        rows.append({
            "path": name, "file_sha256": file.sha256 if file else None, "status": status,
            "size_byte": file.size if file else 0, "reason": str(reason),
        })  # fmt: skip
    rest = pl.DataFrame(rows, schema_overrides=used.schema)
    table = pl.concat([used, rest], how="diagonal").sort("path")
    when = pl.Series([written.get(path) for path in table["path"]], dtype=pl.Int64)
    modified = when.cast(pl.Datetime("ns", "UTC")).cast(table.schema["modified_at"])
    came = [arrivals[path].is_new_since if path in arrivals else None for path in table["path"]]
    first_seen = pl.Series(
        [None if time is None else run_day(time.isoformat()) for time in came],
        dtype=table.schema["first_seen_at"],
    )
    table = table.with_columns(modified_at=modified, first_seen_at=first_seen)
    return contracts.validate("files", table)


def findings_table(
    state: LedgerSnapshot,
    grouping: Grouping,
    findings: Sequence[Finding],
    failures: Sequence[Failure],
    others: Sequence[pl.DataFrame],
    before: pl.DataFrame | None,
    day: datetime,
) -> pl.DataFrame:
    """Return the findings of the lab, the others, and those of each cell, with their days.

    ``others`` are rows about files and groups, ``before`` are those of the run before; ``day``
    is that of this run.
    """
    entries = state.cells
    ids = [inputs.cell.cell_id for inputs in grouping.cells]
    kept = sorted(entries.keys() - set(ids))  # of cells whose files are gone, and results are not
    mine = [entries[cell_id] for cell_id in (*ids, *kept) if cell_id in entries]
    used = {file.path for inputs in grouping.cells for file in inputs.files}
    not_updated = [
        Finding(
            "error", "not_updated", f"{f.path}: {f.reason} What is shown is from before.",
            cell_id=f.path if f.path in entries else None,
        )
        for f in failures
        if f.path in entries or f.path in used
    ]  # fmt: skip
    parts = [finding_rows(entry.findings, entry.cell_id) for entry in mine]
    with_page = {entry.cell_id for entry in mine}
    of_lab = finding_rows([*_of_no_page(findings, with_page), *not_updated], None)
    table = pl.concat([of_lab, *others, *parts])
    return contracts.validate("findings", keep_since(table, before, day))


def _of_no_page(findings: Sequence[Finding], cell_ids: set[str]) -> list[Finding]:
    """Return the findings of the lab, without those that a cell's own page and results have."""
    known = {cell_id.casefold() for cell_id in cell_ids}
    return [each for each in findings if (each.cell_id or "").casefold() not in known]


def sheet_table(grouping: Grouping) -> tuple[pl.DataFrame, list[Finding]]:
    """Return what the cell sheet says of each cell, and what is unusual in it."""
    columns = contracts.empty_table("cell_sheet").schema
    rows = [{name: getattr(each.cell, name) for name in columns} for each in grouping.cells]
    return contracts.judge("cell_sheet", pl.DataFrame(rows, schema=columns))


def own_columns_table(grouping: Grouping) -> pl.DataFrame:
    """Return what the lab's own columns of the cell sheet say, one value a row."""
    rows = [
        (each.cell.cell_id, column, value)
        for each in grouping.cells
        for column, value in each.cell.own_columns.items()
    ]
    schema = contracts.empty_table("own_columns").schema
    return contracts.validate("own_columns", pl.DataFrame(rows, schema=schema, orient="row"))
