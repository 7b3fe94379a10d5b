"""Write the page that compares several cells side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl

from cellpipe.baselines.verdict import describe_standing
from cellpipe.core.model import Cell
from cellpipe.report.figures.factor import factor_panel
from cellpipe.report.figures.several_cells import Cells, several_panels
from cellpipe.report.groups import Groups
from cellpipe.report.html.cell_page import load_template
from cellpipe.report.html.cell_tables import SHEET_FIELDS
from cellpipe.report.html.factors import Factor, describe_trends
from cellpipe.report.html.grid import Grid
from cellpipe.report.html.group_comparison import compare
from cellpipe.report.html.replicates import EXPLANATION, replicate_grid
from cellpipe.report.key_numbers import headline
from cellpipe.report.plating_numbers import holds_capacity
from cellpipe.report.wording import NOTHING, format_percent, kind_words


def several_page(
    cells: Cells, *, title: str, up: str, version: str, groups: Groups | None = None,
    factor: Factor | None = None,
) -> tuple[str, tuple[str, ...]]:  # fmt: skip
    """Return the page of several cells, and the sentences that sum it up.

    Parameters
    ----------
    cells
        The cells with their tables.
    title, version
        The page's title, and the version of cellpipe.
    up
        Path from the page's folder to the index's.
    groups
        Cell IDs by the name of the groups that are compared, if there are two or more.
    factor
        A column of the cell sheet that all cells have: one of words makes groups of them.

    """
    summaries = pl.concat([tables["cells"] for _, tables in cells])
    cycles = pl.concat([tables["cycles"] for _, tables in cells])
    trends = None
    if factor is not None and factor.numbers is None:
        groups = factor.groups
    elif factor is not None:
        trends = describe_trends(summaries, cycles, factor)
    comparison = compare(summaries, cycles, groups) if groups and len(groups) > 1 else None
    panels = several_panels(cells, groups)
    if trends is not None:
        panels.append(factor_panel(trends.name, trends.numbers, trends.measures))
    remarks = [factor.remark] if factor is not None and factor.remark else []
    page = load_template("several.html.j2").render(
        title=title,
        up=up,
        warnings=[
            *remarks,
            *contradiction_warnings(cells),
            *condition_differences([c for c, _ in cells]),
        ],
        comparison=comparison,
        panels=panels,
        trends=trends,
        numbers=number_grid(cells),
        conditions=condition_grid([cell for cell, _ in cells]),
        groups=replicate_grid(summaries, cycles),
        group_note=EXPLANATION,
        standings=[
            (cell.cell_id, describe_standing(t["baseline_comparison"].to_dicts()))
            for cell, t in cells
        ],
        version=version,
    )
    said = comparison or trends
    return page, (*remarks, *(said.sentences if said else ()))


def contradiction_warnings(cells: Cells) -> list[str]:
    """Return a sentence for each cell whose numbers contradict physics."""
    return [
        f"{cell.cell_id} contradicts physics and is in no mean: {said}."
        for cell, tables in cells
        for said in tables["cells"]["contradictions"].drop_nulls()
    ]


def condition_differences(cells: Sequence[Cell]) -> list[str]:
    """Return a sentence for each condition that differs, as a warning against comparing."""
    said = []
    for name, field, unit in SHEET_FIELDS:
        if field not in _CONDITIONS:
            continue
        values = {_format_value(getattr(cell, field), unit) for cell in cells}
        if len(values) > 1:
            shown = sorted("not known" if value == NOTHING else value for value in values)
            said.append(f"{name} is not the same for all: {', '.join(shown)}.")
    return said


_CONDITIONS = frozenset({
    "configuration", "working_electrode_role", "electrolyte", "cathode", "temperature_celsius",
    "stack_pressure_mpa", "lower_voltage_volt", "upper_voltage_volt", "counter_electrode",
})  # fmt: skip


def _format_value(value: Any, unit: str) -> str:
    if value in {None, (), ""}:
        return NOTHING
    if isinstance(value, tuple):
        return ", ".join(value)
    shown = f"{value:.10g}" if isinstance(value, float) else str(value)
    return f"{shown} {unit}".strip()


def number_grid(cells: Cells) -> Grid:
    """Return the key numbers of each cell, one column per cell."""
    columns = []
    for cell, tables in cells:
        keys = headline(tables, kind_words(cell))
        columns.append({
            # named in the cell's own words; the row covers all cells
            "First discharge" if key.name.startswith("First ") else key.name:
            f"{key.value} ({key.basis})"
            for key in keys
        })  # fmt: skip
    names: dict[str, None] = dict.fromkeys(name for column in columns for name in column)
    body = [(name, *(column.get(name, NOTHING) for column in columns)) for name in names]
    fades = [
        format_percent(t["cells"]["fade_per_cycle"][0] if t["cells"].height else None, 3)
        for _, t in cells
    ]
    if any(holds_capacity(tables) for _, tables in cells):
        body.append(("Fade per cycle at the usual rate", *fades))
    return Grid(
        ("Number", *(cell.cell_id for cell, _ in cells)), tuple(body),
        frozenset(range(len(cells) + 1)),
    )  # fmt: skip


def condition_grid(cells: Sequence[Cell]) -> Grid:
    """Return the cell sheet of each cell, one column per cell, and mark where they differ."""
    body = []
    for name, field, unit in SHEET_FIELDS:
        values = [_format_value(getattr(cell, field), unit) for cell in cells]
        if any(value != NOTHING for value in values):
            body.append((name, *values, "" if len(set(values)) == 1 else "differs"))
    heads = ("Cell sheet", *(cell.cell_id for cell in cells), "Alike?")
    return Grid(heads, tuple(body), frozenset(range(len(cells) + 2)))
