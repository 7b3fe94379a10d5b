"""Write the index of a lab: all cells in one table, replicates, published cells, failures."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from datetime import datetime
from importlib import resources
from typing import Any

import numpy as np
import polars as pl

from cellpipe.baselines import TABLE_1
from cellpipe.baselines.verdict import count_standings, describe_standing
from cellpipe.core.finding_rows import fold_findings, kind_words
from cellpipe.core.model import CONTRADICTION
from cellpipe.report.figures.field import field_panel
from cellpipe.report.figures.initial_efficiency import initial_efficiency_panel
from cellpipe.report.figures.panel import Panel
from cellpipe.report.figures.sparkline import sparkline
from cellpipe.report.html.cell_page import load_template
from cellpipe.report.html.grid import Grid
from cellpipe.report.html.long_lists import FEW, group_by_reason
from cellpipe.report.html.replicates import EXPLANATION, summarize_replicates
from cellpipe.report.key_numbers import (
    bracket,
    contradicts_number,
    initial_efficiency_text,
    mean_efficiency_text,
    no_retention_reason,
    resistance_text,
)
from cellpipe.report.news import News
from cellpipe.report.wording import (
    NOTHING,
    format_fixed,
    format_integer,
    format_number,
    format_percent,
    format_time,
)
from cellpipe.system.atomic_files import file_name

Row = dict[str, Any]
Curve = tuple[np.ndarray, np.ndarray]  # cycle numbers, Ah
_COMPARED = (
    "cell_id", "source", "row", "rank", "first_author_year", "alike", "comparable", "reason",
    "standing", "interpolated", "cycle", "cell_retention", "baseline_retention_low",
    "baseline_retention_high", "cell_initial_capacity", "baseline_initial_capacity", "unit",
    "basis", "baseline_initial_derived", "capacity_ratio", "reached", "other_rate",
)  # fmt: skip

_NAMED_NEWS = 12  # cells or files that the block of what is new names
_SHOWN_LINES = 8  # of what is to be checked; the rest folds

_CAPACITIES = (
    ("first_specific_discharging_capacity_mah_per_g", 1.0, "mAh/g"),
    ("first_areal_discharging_capacity_mah_per_cm2", 1.0, "mAh/cm²"),
    ("first_discharging_capacity_ah", 1e3, "mAh"),
)


def index_page(
    tables: Mapping[str, pl.DataFrame],
    *,
    version: str,
    interim: str = "",
    news: News | None = None,
) -> str:
    """Return the index page; it works without its script, which only sorts and filters.

    ``interim`` says how far the run is, on the page of one that still goes on; ``news`` is what is
    new since yesterday.
    """
    cells, comparison, cycles = (
        tables[name] for name in ("cells", "baseline_comparison", "cycles")
    )
    files, findings = tables["files"], tables["findings"]
    script = (resources.files("cellpipe.report") / "templates" / "index.js").read_text("utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    serious = findings.filter(pl.col("severity") != "note")
    checks = dict(serious.group_by("cell_id").len().iter_rows())
    alarming = _alarms_by_cell(findings)
    against = pl.col("code").str.starts_with(CONTRADICTION)
    lines = fold_findings(serious.filter(~against, pl.col("subject_kind") != "file"))
    listed = _listed_cells(cells, files)
    curves = _curves(cycles)
    beside: dict[str, list[Row]] = {}
    for row in comparison.select(_COMPARED).to_dicts():
        beside.setdefault(row["cell_id"], []).append(row)
    rejected = files.filter(pl.col("status") == "set aside")
    is_short = rejected.height <= FEW
    newest = dict(files.group_by("cell_id").agg(pl.col("modified_at").max()).iter_rows())
    seen = dict(files.group_by("cell_id").agg(pl.col("first_seen_at").max()).iter_rows())
    fresh = {*news.cells, *news.grown} if news else set()
    is_all_new = len(fresh) == listed.height  # then it tells nothing to mark each of them
    groups, apart = summarize_replicates(cells, cycles)
    rows = [
        cell_row(row, checks.get(row["cell_id"], 0), curves.get(row["cell_id"]))
        | _standing_fields(beside.get(row["cell_id"], []))
        | {
            "newest": _newest_time(newest.get(row["cell_id"])),
            "seen": _newest_time(seen.get(row["cell_id"]))[1],
            "apart": row["cell_id"] in apart,
            "alarms": alarming.get(row["cell_id"], ""),
            "classes": _row_classes(
                row,
                is_dying=row["cell_id"] in alarming,
                is_new=row["cell_id"] in fresh and not is_all_new,
            ),
        }
        for row in listed.sort("cell_id").to_dicts()
    ]
    return load_template("index.html.j2").render(
        script=script,
        script_hash=f"sha256-{digest}",
        rows=rows,
        newest=_newest_time(files["modified_at"].max())[0],  # type: ignore[arg-type]
        kinds=sorted({row["kind"] for row in rows}),
        groups=groups,
        group_note=EXPLANATION,
        comparison=comparison_matrix(comparison),
        news=news,
        few=_NAMED_NEWS,
        pages={row["cell_id"] for row in rows},
        alarms=[line for line in lines if line.severity == "alarm"],
        to_check=[line for line in lines if line.severity == "check"],
        shown_lines=_SHOWN_LINES,
        rejected=rejected.height,
        unusable=[
            row | {"newest": _newest_time(row["modified_at"])}
            for row in (rejected.sort("path").to_dicts() if is_short else ())
        ],
        reasons=[] if is_short else group_by_reason(rejected),
        panels=[] if interim else published_panels(tables),
        missing=missing_fields_grid(cells),
        used_files=files.filter(pl.col("status") == "used").height,
        version=version,
        interim=interim,
    )


def published_panels(tables: Mapping[str, pl.DataFrame]) -> list[Panel]:
    """Return the figures of the lab's cells beside published ones."""
    cells = tables["cells"]
    sheet = tables["cell_sheet"].select("cell_id", "stack_pressure_mpa").drop_nulls()
    pressures = dict(sheet.iter_rows())
    comparison, baselines = tables["baseline_comparison"], tables["baselines"]
    return [
        field_panel(cells, comparison, baselines, pressures, of_lab=True),
        initial_efficiency_panel(cells, of_lab=True),
    ]


def _row_classes(row: Row, *, is_dying: bool, is_new: bool) -> str:
    named = {"wrong": bool(row["contradictions"]), "dying": is_dying, "new": is_new}
    return " ".join(name for name, applies in named.items() if applies)


def _alarms_by_cell(findings: pl.DataFrame) -> dict[str, str]:
    """Return in a few words which alarms a cell has."""
    kinds = findings.filter(severity="alarm").select("cell_id", "code").unique(maintain_order=True)
    grouped = kinds.group_by("cell_id", maintain_order=True).agg("code")
    return {cell: ", ".join(map(kind_words, codes)) for cell, codes in grouped.iter_rows()}


def _listed_cells(cells: pl.DataFrame, files: pl.DataFrame) -> pl.DataFrame:
    """Return a row for every cell with files: one without its numbers has a page, too."""
    used = files.filter(pl.col("status") == "used").select("cell_id").drop_nulls().unique()
    missing = used.join(cells, on="cell_id", how="anti")
    return pl.concat([cells, missing], how="diagonal") if missing.height else cells


def cell_row(row: Row, checks: int, curve: Curve | None) -> Row:
    """Return what the index shows of a cell: texts, and the numbers to sort by."""
    capacity, unit, basis = _first_capacity(row)
    resistance, resistance_unit = resistance_text(row)
    areal = row["last_areal_interfacial_resistance_ohm_cm2"]
    if row["plating_summary"]:  # it strips and plates: it holds no capacity
        capacity, unit, basis, curve = None, "", "", None
    return {
        "cell_id": row["cell_id"],
        "name": file_name(row["cell_id"]),
        "kind": row["configuration"] or "not known",
        "group": row["group"] or "",
        "cycles": (format_integer(row["cycles"]), row["cycles"]),
        "contradictions": row["contradictions"] or "",
        "plating": row["plating_summary"] or "",
        "capacity": (
            bracket(
                format_number(capacity, 4),
                row["initial_remark"]
                or ("x" if contradicts_number(row["contradictions"], "First discharge") else None),
            ),
            capacity,
        ),
        "capacity_unit": unit,
        "basis": basis,
        "initial": (
            initial_efficiency_text(row, 1),
            row["initial_coulombic_efficiency"],
        ),
        "initial_remark": (row["initial_remark"] or row["no_cycle_reason"] or "").partition(": ")[
            0
        ],
        "mean": (mean_efficiency_text(row), row["mean_coulombic_efficiency"]),
        "retention": (format_percent(row["capacity_retention"]), row["capacity_retention"]),
        "retention_at": _retention_basis(row) or _why_none(row),
        "at_rate": (
            format_percent(row["capacity_retention_at_rate"]),
            row["capacity_retention_at_rate"],
        ),
        "at_rate_at": _rate_basis(row),
        "resistance": (
            resistance,
            row["last_interfacial_resistance_ohm"] if areal is None else areal,
        ),
        "resistance_unit": resistance_unit,
        "spark": _capacity_sparkline(curve),
        "checks": checks,
    }


def _why_none(row: Row) -> str:
    """Return why a cell that was cycled, or given other current, has no retention."""
    if row["capacity_retention"] is not None or not (row["cycles"] or row["no_cycle_reason"]):
        return ""
    return no_retention_reason(row)


def _curves(cycles: pl.DataFrame) -> dict[str, Curve]:
    """Return cycle numbers and discharge capacities of each cell's complete cycles."""
    known = cycles.filter("complete").drop_nulls("discharging_capacity_ah").sort("cycle")
    numbers = known["cycle"].to_numpy(), known["discharging_capacity_ah"].to_numpy()
    places = known.with_row_index("_at").group_by("cell_id").agg("_at")
    return {str(cell_id): (numbers[0][at], numbers[1][at]) for cell_id, at in places.iter_rows()}


def _standing_fields(rows: list[Row]) -> Row:
    """Return how a cell compares with published ones: in figures, in words, and a sort key."""
    counts = count_standings(rows)
    of = sum(counts.values())
    short = f"above {counts['above']} of {of}" if of else NOTHING
    value = (counts["above"] + 0.5 * counts["within"]) / of if of else None
    return {"standing": (short, value), "standing_words": describe_standing(rows)}


def _newest_time(modified: datetime | None) -> tuple[str, float | None]:
    """Return when the newest file of a cell was written, as text and in seconds since 1970."""
    return format_time(modified), None if modified is None else modified.timestamp()


def _first_capacity(row: Row) -> tuple[float | None, str, str]:
    """Return the first discharge on the best known basis: mass, else area, else none."""
    for column, factor, unit in _CAPACITIES:
        if row[column] is not None:
            basis = row["capacity_basis"] if unit == "mAh/g" else ""
            return factor * row[column], unit, basis or ""
    return None, "", ""


def _retention_basis(row: Row) -> str:
    if row["retention_cycle"] is None:
        return ""
    return f"cycle {row['retention_cycle']} over {row['retention_reference_cycle']}"


def _rate_basis(row: Row) -> str:
    if row["retention_at_rate_cycle"] is None:
        return ""
    basis = (
        f"cycle {row['retention_at_rate_cycle']} over {row['retention_at_rate_reference_cycle']}"
    )
    if row["check_retention"] is None:
        return basis
    check = f"cycle {row['check_cycle']} over {row['check_reference_cycle']}"
    return f"{basis}; check {format_percent(row['check_retention'])}, {check}"


def _capacity_sparkline(curve: Curve | None) -> str:
    if curve is None:
        return ""
    number, capacity = curve
    label = f"Discharge capacity, cycles {number[0]} to {number[-1]}, from zero"
    return sparkline(number, capacity, label)


def comparison_matrix(comparison: pl.DataFrame) -> Grid:
    """Return the retention of each cell and of each published cell at the same cycle."""
    rows = comparison.filter("comparable").drop_nulls(("cell_retention", "cycle"))
    rows = rows.select(_COMPARED)
    published = rows.select("source", "row", "first_author_year").unique()
    published = published.with_columns(own=pl.col("source") != TABLE_1).sort("own", "row")
    keys = list(published.select("source", "row").iter_rows())
    cells: dict[str, dict[tuple[str, int], Row]] = {}
    for row in rows.sort("cell_id").to_dicts():
        cells.setdefault(row["cell_id"], {})[row["source"], row["row"]] = row
    body = [
        (cell_id, *(_matrix_entry(beside.get(key)) for key in keys))
        for cell_id, beside in cells.items()
    ]
    names = [
        f"{row['first_author_year']} ({'row' if row['source'] == TABLE_1 else row['source']}"
        f"\N{NO-BREAK SPACE}{row['row']})"
        for row in published.to_dicts()
    ]
    heads = ("Cell", *names)
    absent = "No cell can be compared with a published one yet."
    return Grid(heads if body else (), tuple(body), frozenset({0}), absent=absent)


def _matrix_entry(row: Row | None) -> str:
    if row is None:
        return NOTHING
    low, high = row["baseline_retention_low"], row["baseline_retention_high"]
    ends = [format_fixed(100 * value, 1) for value in (low, high)]
    published = ends[0] if ends[0] == ends[1] else f"{ends[0]}–{ends[1]}"
    sign = {"above": "▲ ", "below": "▼ ", "within": "● "}.get(row["standing"] or "", "")
    line = "*" if row["interpolated"] else ""
    return (
        f"{sign}{format_fixed(100 * row['cell_retention'], 1)} / {published}{line} @{row['cycle']}"
    )


def missing_fields_grid(cells: pl.DataFrame) -> Grid:
    """Return, for each cell, what a complete row in the cell sheet would add."""
    body = []
    for row in cells.sort("cell_id").to_dicts():
        wanted = _missing_fields(row)
        if wanted:
            in_sheet = "incomplete row" if row["in_sheet"] else "no row"
            body.append((row["cell_id"], in_sheet, "; ".join(wanted)))
    heads = ("Cell", "In the cell sheet", "What it would add")
    return Grid(
        heads if body else (),
        tuple(body),
        frozenset({0, 1, 2}),
        absent="The cell sheet has all that the numbers need.",
    )


def _missing_fields(row: Row) -> list[str]:
    wanted = []
    if row["configuration"] is None:
        wanted.append("full or half: Coulombic efficiency and the comparison with published cells")
    cycled = row["first_discharging_capacity_ah"] is not None
    holds = row["plating_summary"] is None
    if cycled and holds and row["first_specific_discharging_capacity_mah_per_g"] is None:
        wanted.append("active mass: mAh/g")
    no_area = cycled and row["first_areal_discharging_capacity_mah_per_cm2"] is None
    ohm_only = (
        row["last_interfacial_resistance_ohm"] is not None
        and row["last_areal_interfacial_resistance_ohm_cm2"] is None
    )
    if no_area or ohm_only:
        wanted.append("area: mAh/cm² and Ω cm²")
    return wanted
