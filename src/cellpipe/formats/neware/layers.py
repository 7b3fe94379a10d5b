"""Read Neware's nested exports: cycles, their steps and their records in one table.

Each of the three levels has its own header line. Either all headers are at the top and the level of
a line follows from the number of empty fields at its beginning (a cycle's line may continue with
its first step), or the header of a level is repeated wherever the level begins. Both are read
without a loop over the lines: a record gets the last cycle and the last step above it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import polars as pl

from cellpipe.formats.neware import columns as neware
from cellpipe.formats.tabular import delimited
from cellpipe.formats.tabular.dialect import match_headers
from cellpipe.formats.tabular.records import vendor_cycles

Kind = Literal["cycle", "step", "record"]
_STEPS = ("step_id", "step_count")
_OWN = {"cycle": ("cycle_count",), "step": (*_STEPS, "step_type")}
_AMOUNTS = {"vendor_charging_capacity_ah", "vendor_discharging_capacity_ah"}
_HEADER_LINES = 12
_PARENT_QUANTITIES = neware.QUANTITIES[:5]


@dataclass(frozen=True)
class Level:
    """A level's header: its kind, the number of empty fields before it, and its column names."""

    kind: Kind
    indent: int
    names: tuple[str, ...]


def find_level(fields: Sequence[str]) -> Level | None:
    """Return the level whose header a line is, None if it is no header."""
    indent = next((place for place, field in enumerate(fields) if field), 0)
    names = tuple(fields[indent:])
    targets = neware.find_own_targets(names)
    if not targets:
        return None
    if "voltage_volt" in targets and "record_index" in targets:
        return Level("record", indent, names)
    if "voltage_volt" in targets or not names or names[0][:1].isdigit():
        return None
    return _find_parent_level(indent, names, targets)


def _find_parent_level(
    indent: int, names: tuple[str, ...], targets: Mapping[str, bool]
) -> Level | None:
    first, near = (
        neware.find_own_targets(names[:1]).keys(),
        neware.find_own_targets(names[:3]).keys(),
    )
    if not first & {"cycle_count", *_STEPS}:
        return None
    described = targets.keys() & {"step_type", "step_time_second"} or (indent and first & {*_STEPS})
    if near & {*_STEPS} and described:
        return Level("step", indent, names)
    if "cycle_count" in first and (
        _AMOUNTS & targets.keys() or _has_efficiency(names) or len(names) == 1
    ):
        return Level("cycle", indent, names)
    return None


def _has_efficiency(names: Sequence[str]) -> bool:
    return any("效率" in name or "eff" in name.lower() for name in names)


def find_levels(lines: Sequence[Sequence[str]]) -> tuple[Level, ...]:
    """Return the headers among the first lines, one per level, in their order."""
    levels: dict[Kind, Level] = {}
    for fields in lines[:_HEADER_LINES]:
        level = find_level(fields)
        if level is not None:
            levels.setdefault(level.kind, level)
    return tuple(levels.values())


def header_score(fields: Sequence[str]) -> int:
    """Count the columns with known units in a header of cycles or steps; 0 for other lines."""
    level = find_level(fields)
    return (
        sum(neware.find_own_targets(level.names).values())
        if level and level.kind != "record"
        else 0
    )


def cycles(lines: pl.DataFrame, levels: Sequence[Level]) -> dict[str, pl.DataFrame]:
    """Return the instrument's own table of cycles, if there is a level for them."""
    level = next((level for level in levels if level.kind == "cycle"), None)
    if level is None:
        return {}
    names = {
        f"c{level.indent + i}": name for i, name in enumerate(delimited.unique_names(level.names))
    }
    cycle_lines = _classify_lines(lines, levels).filter(pl.col("_kind") == "cycle")
    table = cycle_lines.select(pl.col(place).alias(name) for place, name in names.items() if name)
    return vendor_cycles(table, neware.CYCLE_QUANTITIES, bare_seconds=False)


def records(lines: pl.DataFrame, levels: Sequence[Level]) -> pl.DataFrame:
    """Return the records under Neware's headers, each with its cycle and its step.

    Parameters
    ----------
    lines
        All lines as text, in columns ``c0``, ``c1`` …; the header lines may be among them.
    levels
        The levels' headers.

    """
    by_kind = {level.kind: level for level in levels}
    classified = _classify_lines(lines, levels)
    names: dict[str, str] = {}
    for kind in ("cycle", "step"):
        level = by_kind.get(kind)
        if level is not None:
            classified, added = _add_parent_values(classified, level, by_kind.get("cycle"))
            names |= added
    record = by_kind["record"]
    places = {
        f"c{record.indent + i}": name for i, name in enumerate(delimited.unique_names(record.names))
    }
    own = {place: name for place, name in places.items() if place in lines.columns}
    return classified.filter(pl.col("_kind") == "record").select(
        *(pl.col(place).alias(name) for place, name in own.items()),
        *(pl.col(place).alias(name) for place, name in names.items() if name not in own.values()),
    )


def count_lines_of_no_level(lines: pl.DataFrame, levels: Sequence[Level]) -> int:
    """Count the lines of no level: they are damaged, or their level's header is lost."""
    if len({level.indent for level in levels}) == len(levels):
        first = pl.coalesce(
            pl.when(_is_filled(place)).then(place)
            for place in range(min(max(level.indent for level in levels) + 1, lines.width))
        )
        known = first.is_in([level.indent for level in levels])
        return lines.filter(~known.fill_null(value=True)).height
    filled = pl.sum_horizontal(_is_filled(place) for place in range(lines.width))
    widths = {level.kind: len(level.names) for level in levels}
    kind = pl.col("_kind").replace_strict(widths, default=0, return_dtype=pl.Int64)
    return _classify_lines(lines, levels).filter(filled > kind).height


def _is_filled(place: int) -> pl.Expr:
    return (pl.col(f"c{place}").str.strip_chars().str.len_bytes() > 0).fill_null(value=False)


def _classify_lines(lines: pl.DataFrame, levels: Sequence[Level]) -> pl.DataFrame:
    """Return the lines that are not headers, with the level of each in ``_kind``."""
    is_indented = len({level.indent for level in levels}) == len(levels)
    return _classify_by_indent(lines, levels) if is_indented else _classify_by_header(lines, levels)


def _is_header(level: Level) -> pl.Expr:
    matching = [
        pl.col(f"c{level.indent + i}").str.strip_chars(" \t\ufeff\"'") == name
        for i, name in enumerate(level.names[:3])
        if name
    ]
    return pl.all_horizontal(matching).fill_null(value=False)


def _classify_by_indent(lines: pl.DataFrame, levels: Sequence[Level]) -> pl.DataFrame:
    """Determine the level of each line by its first non-empty field."""
    kind = pl.lit(None, pl.String)
    for level in sorted(levels, key=lambda level: -level.indent):
        kind = pl.when(_is_filled(level.indent)).then(pl.lit(level.kind)).otherwise(kind)
    headers = pl.any_horizontal(_is_header(level) for level in levels)
    return lines.with_columns(_kind=kind).filter(~headers)


def _classify_by_header(lines: pl.DataFrame, levels: Sequence[Level]) -> pl.DataFrame:
    """Determine the level of each line by the last header above it."""
    kind = pl.lit(None, pl.String)
    for level in levels:
        kind = pl.when(_is_header(level)).then(pl.lit(level.kind)).otherwise(kind)
    return (
        lines.with_columns(_header=kind)
        .with_columns(_kind=pl.col("_header").forward_fill())
        .filter(pl.col("_header").is_null())
    )


def _add_parent_values(
    classified: pl.DataFrame, level: Level, cycle: Level | None
) -> tuple[pl.DataFrame, dict[str, str]]:
    """Add a level's own numbers to all lines below it; return the added columns' headers too."""
    names: dict[str, str] = {}
    for match in match_headers(level.names, _PARENT_QUANTITIES):
        if match.target not in _OWN[level.kind]:
            continue
        place = level.names.index(match.header)
        value = _column_of_kind(level.kind, f"c{level.indent + place}")
        joined = f"c{len(cycle.names) + place}" if cycle is not None else ""
        if level.kind == "step" and level.indent and joined in classified.columns:
            value = pl.coalesce(
                value, _column_of_kind("cycle", joined)
            )  # a cycle's line may contain its first step
        column = f"_{match.target}"
        classified = classified.with_columns(value.forward_fill().alias(column))
        names[column] = match.header
    return classified, names


def _column_of_kind(kind: Kind, column: str) -> pl.Expr:
    return pl.when(pl.col("_kind") == kind).then(pl.col(column))
