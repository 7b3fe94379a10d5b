"""Build the tables that compare a cell with published ones: verdicts, numbers, printed values."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import polars as pl

from cellpipe.baselines import review_text
from cellpipe.baselines.materials import electrolyte_family
from cellpipe.core.model import Cell
from cellpipe.report.excel.sheets import (
    FIXED_0,
    FIXED_3,
    PERCENT,
    TEXT,
    SheetColumn,
    SheetLayout,
    formula_or_value,
)
from cellpipe.report.html.cell_tables import format_text
from cellpipe.report.html.grid import Grid, GridColumn, build_grid
from cellpipe.report.wording import (
    NOTHING,
    format_fixed,
    format_integer,
    format_number,
    format_percent,
)

_SHEET = (
    ("Rank", "rank", FIXED_0, 7),
    ("Published cell", "first_author_year", TEXT, 18),
    ("From", "origin", TEXT, 18),
    ("How this cell stands beside it", "verdict", TEXT, 70),
    ("In common", "alike", TEXT, 44),
    ("What differs", "differences", TEXT, 60),
    ("Why not, or what to bear in mind", "reason", TEXT, 44),
    ("Basis", "basis", TEXT, 22),
    ("Unit", "unit", TEXT, 10),
    ("This cell, first", "cell_initial_capacity", FIXED_3, 11),
    ("Published, first", "baseline_initial_capacity", FIXED_3, 11),
    ("Published value was converted", "baseline_initial_derived", TEXT, 13),
    ("At cycle", "cycle", FIXED_0, 9),
    ("This cell, retention", "cell_retention", PERCENT, 11),
    ("This cell, at equal rate", "cell_retention_at_rate", PERCENT, 11),
    ("Published, low", "baseline_retention_low", PERCENT, 11),
    ("Published, high", "baseline_retention_high", PERCENT, 11),
    ("Published, printed", "baseline_retention_printed", PERCENT, 11),
    ("On a straight line", "interpolated", TEXT, 11),
    ("This cell, loss per cycle to there", "cell_fade_to_cycle", "0.000%", 11),
    ("Published loss per cycle, from", "baseline_fade_per_cycle_low", "0.000%", 11),
    ("Published loss per cycle, to", "baseline_fade_per_cycle_high", "0.000%", 11),
    ("This cell, steady loss per cycle", "cell_fade_per_cycle", "0.000%", 11),
    ("Steady loss, 95 % from", "cell_fade_per_cycle_low", "0.000%", 11),
    ("Steady loss, 95 % to", "cell_fade_per_cycle_high", "0.000%", 11),
    ("Kind (inferred)", "cell_kind_inferred", TEXT, 10),
    ("Anode, as printed", "anode_composition", TEXT, 24),
    ("Electrolyte, as printed", "solid_electrolyte", TEXT, 24),
    ("Cathode, as printed", "cathode_composition", TEXT, 18),
    ("Temperature, as printed", "temperature_text", TEXT, 12),
    ("Current, as printed", "current_text", TEXT, 24),
    ("Window, as printed (V)", "voltage_text", TEXT, 12),
    ("Loading, as printed", "loading_text", TEXT, 30),
    ("Initial, as printed", "initial_text", TEXT, 28),
    ("Later, as printed", "later_text", TEXT, 28),
    ("Retention, as printed", "retention_text", TEXT, 12),
    ("DOI", "doi", TEXT, 30),
)
_FOUR = partial(format_number, digits=4)
_ABSENT = "There are no published cells to compare with."
Row = dict[str, Any]


def _join_baselines(comparison: pl.DataFrame, baselines: pl.DataFrame) -> pl.DataFrame:
    """Return the published rows joined with their comparison, the nearest first."""
    beside = comparison.drop("first_author_year", "doi", "cell_id")
    return (
        baselines.with_row_index("_order")
        .join(beside, on=("source", "row"), how="left")
        .sort("rank", "_order", nulls_last=True)
        .with_columns(origin=pl.format("{}, row {}", "source", "row"))
    )


def verdict_grid(comparison: pl.DataFrame, baselines: pl.DataFrame) -> Grid:
    """Return each published cell with its verdict and the reason for its rank, nearest first."""
    columns = [
        GridColumn("Rank", "rank", format_integer),
        GridColumn("Published cell", "first_author_year", format_text, text=True),
        GridColumn("From", "origin", format_text, text=True),
        GridColumn("How this cell stands beside it", "verdict", format_text, text=True),
        GridColumn("In common", "alike", format_text, text=True),
        GridColumn("What differs", "apart", format_text, text=True),
        GridColumn("To bear in mind", "caveat", format_text, text=True),
        GridColumn("DOI", "doi", format_text, text=True),
    ]
    table = _join_baselines(comparison, baselines).with_columns(
        caveat=pl.when("comparable").then("reason"),
        apart=pl.when("comparable").then("differences"),
        verdict=pl.col("verdict").fill_null("Not compared."),
    )
    return build_grid(table, columns, _ABSENT, keep_empty=True)


def number_grid(comparison: pl.DataFrame, baselines: pl.DataFrame) -> Grid:
    """Return the numbers behind the verdicts, and the values as printed."""
    table = _join_baselines(comparison, baselines).with_columns(
        two_points=_format_columns(partial(format_percent, decimals=3), "cell_fade_to_cycle"),
        published=_format_columns(
            _format_range, "baseline_retention_low", "baseline_retention_high"
        ),
        own_fade=_format_columns(
            _format_interval,
            "cell_fade_per_cycle",
            "cell_fade_per_cycle_low",
            "cell_fade_per_cycle_high",
        ),
        fade=_format_columns(
            _format_fades, "baseline_fade_per_cycle_low", "baseline_fade_per_cycle_high"
        ),
        family=pl.col("solid_electrolyte").map_elements(
            lambda name: electrolyte_family(name) or NOTHING, return_dtype=pl.String
        ),
    )
    columns = [
        GridColumn("Rank", "rank", format_integer),
        GridColumn("Published cell", "first_author_year", format_text, text=True),
        GridColumn("This cell, first", "cell_initial_capacity", _FOUR),
        GridColumn("Published, first", "baseline_initial_capacity", _FOUR),
        GridColumn("Unit", "unit", format_text, text=True),
        GridColumn("Basis", "basis", format_text, text=True),
        GridColumn("Ratio", "capacity_ratio", format_number),
        GridColumn("At cycle", "cycle", format_integer),
        GridColumn("This cell, retention", "cell_retention", format_percent),
        GridColumn("This cell, at equal rate", "cell_retention_at_rate", format_percent),
        GridColumn("Published then", "published", format_text, text=True),
        GridColumn(
            "This cell, loss per cycle from the first to that one",
            "two_points",
            format_text,
            text=True,
        ),
        GridColumn(
            "Published, loss per cycle between its two points", "fade", format_text, text=True
        ),
        GridColumn("This cell, steady loss per cycle (95 %)", "own_fade", format_text, text=True),
        GridColumn("Retention, as printed", "retention_text", format_text, text=True),
        GridColumn("Initial capacity, as printed", "initial_text", format_text, text=True),
        GridColumn("Later capacity, as printed", "later_text", format_text, text=True),
        GridColumn("Temperature", "temperature_text", format_text, text=True),
        GridColumn("Current", "current_text", format_text, text=True),
        GridColumn("Window (V)", "voltage_text", format_text, text=True),
        GridColumn("Loading", "loading_text", format_text, text=True),
        GridColumn("Electrolyte", "solid_electrolyte", format_text, text=True),
        GridColumn("Family (inferred)", "family", format_text, text=True),
        GridColumn("Anode", "anode_composition", format_text, text=True),
        GridColumn("Cathode", "cathode_composition", format_text, text=True),
        GridColumn("Kind (inferred)", "cell_kind_inferred", format_text, text=True),
        GridColumn("Basis (inferred)", "capacity_basis_inferred", format_text, text=True),
    ]
    return build_grid(table, columns, _ABSENT, keep_empty=True)


def _format_columns(write: Callable[..., str], *names: str) -> pl.Expr:
    """Return an expression that writes several columns of a row as one text."""
    return pl.struct(names).map_elements(
        lambda row: write(*(row[name] for name in names)), return_dtype=pl.String
    )


def _format_range(low: float | None, high: float | None) -> str:
    ends = format_percent(low), format_percent(high)
    return ends[0] if ends[0] == ends[1] else f"{ends[0]} to {ends[1]}"


def _format_fades(low: float | None, high: float | None) -> str:
    ends = format_percent(low, 3), format_percent(high, 3)
    return ends[0] if ends[0] == ends[1] else f"{ends[0]} to {ends[1]}"


def _format_interval(value: float | None, low: float | None, high: float | None) -> str:
    if value is None:
        return NOTHING
    known = low is not None and high is not None
    return format_percent(value, 3) + (
        f" ({format_percent(low, 3)} to {format_percent(high, 3)})" if known else ""
    )


def text_grid(cell: Cell, summary: pl.DataFrame, cycles: pl.DataFrame) -> Grid:
    """Return the cell beside the figures of the review's running text, where comparable."""
    if summary.is_empty():
        return Grid((), (), absent="There is nothing to set beside the review's text.")
    own = summary.row(0, named=True)
    if own["contradictions"]:
        return Grid((), (), absent="The cell contradicts physics and is compared with none.")
    body = []
    for row in review_text().to_dicts():
        if row["measure_inferred"] is None or cell.configuration not in {"full", "half"}:
            continue
        if cell.configuration == "half" and cell.working_electrode_role != "anode":
            continue  # the text is about silicon
        if row["cell_kind_inferred"] not in {None, cell.configuration}:
            continue
        value, note = _own_value(row, own, cycles)
        if row["cell_kind_inferred"] is None:
            note = "; ".join(filter(None, (note, "the text does not say whether full or half")))
        ends = [f"{row[end]:g}" for end in ("value_low", "value_high")]
        published = ends[0] if ends[0] == ends[1] else f"{ends[0]} to {ends[1]}"
        body.append((
            f"[{row['ref']}]", row["system"], row["quantity"], published, value,
            row["unit"].replace("cm2", "cm²"), row["conditions"] or NOTHING, note or NOTHING,
            row["section"], row["doi"] or NOTHING,
        ))  # fmt: skip
    heads = ("Reference", "Published cell", "Quantity", "Published", "This cell", "Unit",
             "Conditions", "To bear in mind", "Section", "DOI")  # fmt: skip
    absent = "The review's text has no figure for this kind of cell."
    return Grid(heads if body else (), tuple(body), frozenset({0, 1, 2, 5, 6, 7, 8, 9}),
                absent=absent)  # fmt: skip


def _own_value(row: Row, own: Row, cycles: pl.DataFrame) -> tuple[str, str]:
    """Return the cell's number beside a figure of the text, and what to bear in mind."""
    measure, cycle = row["measure_inferred"], row["cycle_inferred"]
    if measure in {"initial_coulombic_efficiency", "mean_coulombic_efficiency"}:
        value = own[measure]
        return format_fixed(None if value is None else 100 * value, 2), ""
    known = cycles.filter("complete").sort("cycle")
    column = ("areal_discharging_capacity_mah_per_cm2" if measure == "areal_capacity"
              else "discharging_capacity_ah")  # fmt: skip
    known = known.drop_nulls(column)
    at = known.filter(pl.col("cycle") == cycle)[column]
    if at.is_empty():
        numbers = known["cycle"].to_list()
        return NOTHING, f"the cell is at cycle {numbers[-1]}" if numbers else ""
    if measure == "areal_capacity":
        return format_number(at[0], 4), "first discharge" if cycle == 1 else ""
    first = known[column].head(1)
    return (format_fixed(100 * at[0] / first[0], 1), "over the first discharge") if (
        first.len() and first[0]
    ) else (NOTHING, "")  # fmt: skip


def baseline_columns(comparison: pl.DataFrame, baselines: pl.DataFrame) -> list[SheetColumn]:
    """Return every published cell with the cell's own values beside it, for the workbook."""
    table = _join_baselines(comparison, baselines)
    columns = [SheetColumn(h, table[c].to_list(), s, w, c) for h, c, s, w in _SHEET]
    layout = SheetLayout("Baselines", columns)
    own = layout.letter("cell_initial_capacity")
    published = layout.letter("baseline_initial_capacity")
    ratios = [
        formula_or_value(
            f"={own}{n}/{published}{n}", mine / theirs if mine and theirs else None, ratio
        )
        for n, (mine, theirs, ratio) in enumerate(
            table.select("cell_initial_capacity", "baseline_initial_capacity", "capacity_ratio")
            .iter_rows(), 2,
        )
    ]  # fmt: skip
    place = [column.key for column in columns].index("baseline_initial_capacity") + 1
    ratio = SheetColumn("Ratio", ratios, FIXED_3, key="capacity_ratio")
    return [*columns[:place], ratio, *columns[place:]]
