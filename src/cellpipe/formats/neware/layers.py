"""Neware's nested exports: cycles, their steps and their records in one table of three levels.

Each level has a header line of its own. Either the headers stand once at the top and the levels are
told by how many fields of a line are empty at its beginning (a cycle's line may go on with its
first step), or the header of a level is repeated wherever the level begins. Both are read without
a loop over the lines: a record gets the last cycle and the last step above it.
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
    """A level's header: what it is, how many fields are empty before it, and its names."""

    kind: Kind
    indent: int
    names: tuple[str, ...]


def find_level(fields: Sequence[str]) -> Level | None:
    """Say which level's header a line is, None if it is none."""
    indent = next((place for place, field in enumerate(fields) if field), 0)
    names = tuple(fields[indent:])
    found = neware.find_own_targets(names)
    if not found:
        return None
    if "voltage_volt" in found and "record_index" in found:
        return Level("record", indent, names)
    if "voltage_volt" in found or not names or names[0][:1].isdigit():
        return None
    return _find_parent_level(indent, names, found)


def _find_parent_level(
    indent: int, names: tuple[str, ...], found: Mapping[str, bool]
) -> Level | None:
    first, near = (
        neware.find_own_targets(names[:1]).keys(),
        neware.find_own_targets(names[:3]).keys(),
    )
    if not first & {"cycle_count", *_STEPS}:
        return None
    described = found.keys() & {"step_type", "step_time_second"} or (indent and first & {*_STEPS})
    if near & {*_STEPS} and described:
        return Level("step", indent, names)
    if "cycle_count" in first and (
        _AMOUNTS & found.keys() or _has_efficiency(names) or len(names) == 1
    ):
        return Level("cycle", indent, names)
    return None


def _has_efficiency(names: Sequence[str]) -> bool:
    return any("效率" in name or "eff" in name.lower() for name in names)


def find_levels(lines: Sequence[Sequence[str]]) -> tuple[Level, ...]:
    """Return the headers among the first lines, one of each level, in their order."""
    found: dict[Kind, Level] = {}
    for fields in lines[:_HEADER_LINES]:
        one = find_level(fields)
        if one is not None:
            found.setdefault(one.kind, one)
    return tuple(found.values())


def header_score(fields: Sequence[str]) -> int:
    """Count the fields of a line that is the header of cycles or steps; 0 if it is neither."""
    one = find_level(fields)
    return sum(neware.find_own_targets(one.names).values()) if one and one.kind != "record" else 0


def cycles(lines: pl.DataFrame, found: Sequence[Level]) -> dict[str, pl.DataFrame]:
    """Return the instrument's own table of cycles, if there is a level for them."""
    one = next((one for one in found if one.kind == "cycle"), None)
    if one is None:
        return {}
    names = {f"c{one.indent + i}": name for i, name in enumerate(delimited.unique_names(one.names))}
    of_cycles = _classify_lines(lines, found).filter(pl.col("_kind") == "cycle")
    own = of_cycles.select(pl.col(place).alias(name) for place, name in names.items() if name)
    return vendor_cycles(own, neware.CYCLE_QUANTITIES, bare_seconds=False)


def records(lines: pl.DataFrame, found: Sequence[Level]) -> pl.DataFrame:
    """Return the records with Neware's headers, their cycle and their step beside them.

    Parameters
    ----------
    lines
        All lines as text, in columns ``c0``, ``c1`` …; the header lines may be among them.
    found
        The levels' headers.

    """
    by_kind = {one.kind: one for one in found}
    told = _classify_lines(lines, found)
    names: dict[str, str] = {}
    for kind in ("cycle", "step"):
        one = by_kind.get(kind)
        if one is not None:
            told, added = _add_parent_values(told, one, by_kind.get("cycle"))
            names |= added
    record = by_kind["record"]
    places = {
        f"c{record.indent + i}": name for i, name in enumerate(delimited.unique_names(record.names))
    }
    own = {place: name for place, name in places.items() if place in lines.columns}
    return told.filter(pl.col("_kind") == "record").select(
        *(pl.col(place).alias(name) for place, name in own.items()),
        *(pl.col(place).alias(name) for place, name in names.items() if name not in own.values()),
    )


def _classify_lines(lines: pl.DataFrame, found: Sequence[Level]) -> pl.DataFrame:
    """Return the lines that are no headers, with the level of each."""
    stacked = len({one.indent for one in found}) == len(found)
    return _classify_by_indent(lines, found) if stacked else _classify_by_header(lines, found)


def _is_header(one: Level) -> pl.Expr:
    matching = [
        pl.col(f"c{one.indent + i}").str.strip_chars(" \t\ufeff\"'") == name
        for i, name in enumerate(one.names[:3])
        if name
    ]
    return pl.all_horizontal(matching).fill_null(value=False)


def _classify_by_indent(lines: pl.DataFrame, found: Sequence[Level]) -> pl.DataFrame:
    """Tell the levels by the first field that is not empty."""
    kind = pl.lit(None, pl.String)
    for one in sorted(found, key=lambda one: -one.indent):
        filled = pl.col(f"c{one.indent}").str.strip_chars().str.len_bytes() > 0
        kind = pl.when(filled).then(pl.lit(one.kind)).otherwise(kind)
    headers = pl.any_horizontal(_is_header(one) for one in found)
    return lines.with_columns(_kind=kind).filter(~headers)


def _classify_by_header(lines: pl.DataFrame, found: Sequence[Level]) -> pl.DataFrame:
    """Tell the levels by the last header above."""
    kind = pl.lit(None, pl.String)
    for one in found:
        kind = pl.when(_is_header(one)).then(pl.lit(one.kind)).otherwise(kind)
    return (
        lines.with_columns(_header=kind)
        .with_columns(_kind=pl.col("_header").forward_fill())
        .filter(pl.col("_header").is_null())
    )


def _add_parent_values(
    told: pl.DataFrame, one: Level, cycle: Level | None
) -> tuple[pl.DataFrame, dict[str, str]]:
    """Put a level's own numbers beside all lines below it."""
    names: dict[str, str] = {}
    for match in match_headers(one.names, _PARENT_QUANTITIES):
        if match.target not in _OWN[one.kind]:
            continue
        place = one.names.index(match.header)
        value = _column_of_kind(one.kind, f"c{one.indent + place}")
        joined = f"c{len(cycle.names) + place}" if cycle is not None else ""
        if one.kind == "step" and one.indent and joined in told.columns:
            value = pl.coalesce(
                value, _column_of_kind("cycle", joined)
            )  # a cycle's line may go on so
        column = f"_{match.target}"
        told = told.with_columns(value.forward_fill().alias(column))
        names[column] = match.header
    return told, names


def _column_of_kind(kind: Kind, column: str) -> pl.Expr:
    return pl.when(pl.col("_kind") == kind).then(pl.col(column))
