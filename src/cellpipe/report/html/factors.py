"""Set results against a factor: a column of the cell sheet, the lab's own or a known one."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from cellpipe.core.clean_text import escape_controls
from cellpipe.core.errors import CellpipeError
from cellpipe.core.model import Cell
from cellpipe.numerics.groups.differences import adjust_holm
from cellpipe.numerics.groups.trends import FEWEST, estimate_trend
from cellpipe.report.groups import Measure, collect_measures
from cellpipe.report.html.cell_tables import SHEET_FIELDS
from cellpipe.report.html.grid import Grid
from cellpipe.report.wording import NOTHING, format_number

_NO_VALUE = frozenset({"-", "–", "—", "?", "n/a", "na", "n.a.", "nan", "none", "null", "unknown"})
_DECIMAL_COMMA = re.compile(r"[+-]?(?:\d*,\d{1,2}|\d*,\d{4,}|0,\d+)")
FEWEST_LEVELS = 3  # different numbers; of two, cells are compared as groups


@dataclass(frozen=True)
class Factor:
    """A column of the cell sheet: its header and each cell's value as written.

    ``numbers`` are the values as numbers, if all are numbers and three or more differ; ``remark``
    says why values are taken as words though some of them are numbers.
    """

    name: str
    values: Mapping[str, str]
    numbers: Mapping[str, float] | None = None
    remark: str = ""

    @property
    def groups(self) -> dict[str, list[str]]:
        """The cells of each value, if the values are no scale."""
        found: dict[str, list[str]] = {}
        named = {cell_id: _canonical(value) for cell_id, value in self.values.items()}
        for cell_id, value in sorted(named.items(), key=lambda item: (item[1], item[0])):
            found.setdefault(value, []).append(cell_id)
        return found


@dataclass(frozen=True)
class FactorTrends:
    """What a page says of a factor that is a number: sentences, trends and the cells' numbers."""

    name: str
    sentences: tuple[str, ...]
    trends: Grid
    cells: Grid
    measures: tuple[Measure, ...]
    numbers: Mapping[str, float]


def read_factor(cells: Sequence[Cell], column: str) -> Factor:
    """Return a column of the cell sheet as a factor; cells that have no value are left out.

    Raises
    ------
    CellpipeError
        If the sheet has no such column.

    """
    wanted = _plain(column)
    own = {_plain(header): header for cell in cells for header in cell.own_columns}
    known = {_plain(key): field for label, field, _ in SHEET_FIELDS for key in (label, field)}
    if wanted in own:
        name = own[wanted]
        values = {cell.cell_id: cell.own_columns.get(name, "") for cell in cells}
    elif wanted in known:
        name = next(label for label, field, _ in SHEET_FIELDS if field == known[wanted])
        values = {cell.cell_id: _text(getattr(cell, known[wanted])) for cell in cells}
    else:
        shown = [*dict.fromkeys(own.values()), *(label for label, _, _ in SHEET_FIELDS[2:])]
        raise CellpipeError(
            f"no column called {column!r}", expected="a column of the cell sheet",
            remedy=f"name one of these: {', '.join(shown)}",
        )  # fmt: skip
    values = {cell_id: value for cell_id, value in values.items() if value}
    values = {cell_id: value for cell_id, value in values.items() if not _says_nothing(value)}
    numbers, remark = _numbers(values)
    return Factor(name, values, numbers, remark)


def _plain(header: str) -> str:
    return " ".join(header.split()).casefold()


def _text(value: object) -> str:
    if isinstance(value, tuple):
        return "; ".join(value)
    return "" if value is None else f"{value:.10g}" if isinstance(value, float) else str(value)


def _canonical(value: str) -> str:
    """Return a number in one way of writing (3 for 3.0 and 3,0), and words as they are."""
    text = value.strip()
    if "," in text and not _DECIMAL_COMMA.fullmatch(text):
        return text
    try:
        return f"{float(text.replace(',', '.')):.10g}"
    except ValueError:
        return text


def _says_nothing(value: str) -> bool:
    """Return whether a value stands for none."""
    return not value.strip() or value.strip().casefold() in _NO_VALUE


def _numbers(values: Mapping[str, str]) -> tuple[dict[str, float] | None, str]:
    """Return the values as numbers, or why they are words though some are numbers."""
    texts = {
        cell_id: re.sub(r"(?<=\d)[' \u2019\u202f\xa0](?=\d{3})", "", value.strip())
        .removesuffix("%").strip().replace("−", "-")
        for cell_id, value in values.items()
    }  # fmt: skip
    comma = _comma(texts.values())
    found: dict[str, float] = {}
    words = []
    for cell_id, text in texts.items():
        if comma is None and "," in text:
            return None, (
                f"{values[cell_id]!r} may be thousands or a decimal comma: the values are taken as"
                " words. Write 1200 or 1.2."
            )
        try:
            number = float(text.replace(",", comma or ""))
        except ValueError:
            number = math.nan
        if math.isfinite(number):
            found[cell_id] = number
        else:
            words.append(values[cell_id])
    if words:
        said = f"{_first(words)} is no number: the values are taken as words."
        return None, said if len(found) >= FEWEST_LEVELS else ""
    return (found if len(set(found.values())) >= FEWEST_LEVELS else None), ""


def _comma(texts: Iterable[str]) -> str | None:
    """Return what commas of a column stand for: a point, or nothing; None if that can't be told."""
    texts = [text for text in texts if "," in text]
    if any(_DECIMAL_COMMA.fullmatch(text) for text in texts):
        return "."
    if all("." in text or text.count(",") > 1 for text in texts):
        return ""
    return None


def _first(values: Sequence[str]) -> str:
    more = f" and {len(values) - 1} more" if len(values) > 1 else ""
    return f"{values[0]!r}{more}"


def describe_trends(cells: pl.DataFrame, cycles: pl.DataFrame, factor: Factor) -> FactorTrends:
    """Return how the cells' numbers go with a factor that is a number."""
    numbers = factor.numbers or {}
    order = sorted(numbers, key=lambda cell_id: (numbers[cell_id], cell_id))
    measures = [
        measure
        for measure in collect_measures(cells, cycles, {factor.name: order})
        if measure.groups and len(measure.groups[0].values)
    ]
    found = []
    for measure in measures:
        group = measure.groups[0]
        places = np.array([numbers[cell_id] for cell_id in group.cells])
        found.append(estimate_trend(places, group.values))
    adjusted = iter(adjust_holm([trend.chance for trend in found if trend]))
    chances = [next(adjusted) if trend else None for trend in found]
    body, said = [], []
    for measure, trend, chance in zip(measures, found, chances, strict=True):
        basis = f"; {measure.basis}" if measure.basis else ""
        title = f"{measure.name} ({measure.unit}{basis})"
        count = len(measure.groups[0].values)
        if trend is None or chance is None:
            body.append((title, str(count), *[NOTHING] * 5))
            continue
        ends = [format_number(v) for v in (trend.slope, trend.low, trend.high)]
        body.append((
            title, str(count), format_number(trend.correlation, 2), format_number(trend.chance, 2),
            format_number(chance, 2), ends[0], f"{ends[1]} to {ends[2]}",
        ))  # fmt: skip
        if chance < 0.05:
            way = "more" if trend.correlation > 0 else "less"
            said.append(
                f"{measure.name}: {way} with more {factor.name} (Spearman's ρ "
                f"{format_number(trend.correlation, 2)}, p {format_number(chance, 2)} after Holm, "
                f"{count} cells). This is no cause: look at what else differs between these cells."
            )
    if not any(found):
        said.append(
            f"Fewer than {FEWEST} cells have this column and a number: whether results go with it "
            "can't be said."
        )
    elif not said:
        said.append("No number goes with it beyond chance.")
    heads = ("Number", "Cells", "Spearman's ρ", "p", "p after Holm", "Slope", "95 %")
    trends = Grid(heads, tuple(body), frozenset({0}), absent="The cells have no number yet.")
    return FactorTrends(
        factor.name, tuple(said), trends, _cell_grid(factor, order, measures), tuple(measures),
        numbers,
    )  # fmt: skip


def _cell_grid(factor: Factor, order: Sequence[str], measures: Sequence[Measure]) -> Grid:
    known = [dict(zip(m.groups[0].cells, m.groups[0].values, strict=True)) for m in measures]
    body = tuple(
        (
            cell_id, factor.values[cell_id],
            *(m.write(of[cell_id]) if cell_id in of else NOTHING
              for m, of in zip(measures, known, strict=True)),
        )
        for cell_id in order
    )  # fmt: skip
    heads = ("Cell", escape_controls(factor.name), *(f"{m.name} ({m.unit})" for m in measures))
    return Grid(heads, body, frozenset({0}), absent="No cell has a value in this column.")
