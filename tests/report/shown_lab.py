"""The tables of a lab as they lie in the results, and what of them a shown label means.

A *name* says which number is meant: ``column`` (of the row at hand), ``table.column`` (of the row
of that table which the row at hand leads to), ``table.column@key`` (that is found by the column
``key`` of the row at hand), or ``=function`` with its argument, for what is worked out from stored
numbers: those are written here once more, from what the documentation says of them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import polars as pl

from cellpipe.baselines import review_text
from cellpipe.core.contracts import load_schema

Row = Mapping[str, Any]
NOTHING = "–"
NUMBER = r"[−-]?\d+(?:\.\d+)?(?:e[−-]?\d+)?"
FACTORS = {
    ("Ah", "mAh"): 1e3, ("A", "mA"): 1e3, ("1", "%"): 100.0, ("s", "h"): 1 / 3600, ("V", "mV"): 1e3,
    ("Ah/V", "mAh/V"): 1e3, ("F cm⁻²", "F/cm²"): 1.0, ("Ω h^-m", "Ω/h^m"): 1.0, ("", "mAh/g"): 1.0,
    ("Ω h^-1/2", "Ω per √h"): 1.0, ("", "mAh/cm²"): 1.0, ("", "mAh"): 1.0,
    ("Ω h^-m", "Ω/h^½"): 1.0, ("%", "%"): 1.0, ("B", ""): 1.0,
}  # fmt: skip  # from a schema's unit to the one that is shown


class NotMapped(Exception):  # noqa: N818 - it is no error of the program
    """What is shown has no place in the vocabulary."""


@dataclass(frozen=True)
class Stored:
    """A stored value and its unit."""

    value: Any
    unit: str = ""

    def in_unit(self, shown: str) -> Any:
        """Return the value in the unit that is shown; an empty one is the schema's."""
        own = "" if self.unit == "1" else self.unit
        if not isinstance(self.value, (int, float)) or shown in {"", own, self.unit}:
            return self.value
        if (self.unit, shown) not in FACTORS:
            raise NotMapped(f"a number in {self.unit or 'no unit'} shown as {shown}")
        return self.value * FACTORS[self.unit, shown]


# Filled by shown_derived: what is worked out, and rows that have a name of their own.
DERIVED: dict[str, Callable[..., Stored]] = {}
ALIASES: dict[str, Callable[[Lab, Row], tuple[str, Row]]] = {}


class Lab:
    """All tables of a results folder, read from the files alone."""

    def __init__(self, out: Path) -> None:
        self.out = out
        self._tables: dict[str, pl.DataFrame] = {}
        self._found: dict[tuple[str, tuple[str, ...]], dict[tuple[Any, ...], list[Row]]] = {}

    def table(self, name: str) -> pl.DataFrame:
        """Return a table of all cells; spectra are numbered through their cell."""
        if name not in self._tables:
            self._tables[name] = self._read(name)
        return self._tables[name]

    def _read(self, name: str) -> pl.DataFrame:
        if name == "review_text":
            return review_text()
        paths = sorted((self.out / "tables" / name).glob("*.parquet"))
        if name != "impedance":
            return pl.concat(map(pl.read_parquet, paths), how="diagonal_relaxed")
        points = pl.concat(
            pl.read_parquet(path).with_columns(file_sha256=pl.lit(path.stem)) for path in paths
        ).rename({"spectrum": "spectrum_in_file"})
        keys = self.table("interfacial_resistance").select(
            "cell_id", "spectrum", "file_sha256", "spectrum_in_file"
        )
        return points.join(keys, on=("file_sha256", "spectrum_in_file"), maintain_order="left")

    def rows(self, name: str, **key: Any) -> list[Row]:
        """Return the rows of a table with these values, in its order."""
        columns = tuple(sorted(key))
        if (name, columns) not in self._found:
            found: dict[tuple[Any, ...], list[Row]] = {}
            for row in self.table(name).to_dicts():
                found.setdefault(tuple(row[column] for column in columns), []).append(row)
            self._found[name, columns] = found
        return self._found[name, columns].get(tuple(key[column] for column in columns), [])

    def row(self, name: str, **key: Any) -> Row:
        """Return the only row of a table with these values."""
        found = self.rows(name, **key)
        if len(found) != 1:
            raise NotMapped(f"{len(found)} rows of {name} with {key}")
        return found[0]

    @cached_property
    def cell_ids(self) -> list[str]:
        """Return the cells, in order."""
        return sorted(self.table("cells")["cell_id"].to_list())

    @property
    def alarms(self) -> list[tuple[str, str]]:
        """Return the cells of alarms, with their sentences."""
        return [
            (row["cell_id"], row["sentence"]) for row in self.rows("findings", severity="alarm")
        ]

    def holds_text(self, name: str, text: str, row: Row) -> bool:
        """Return whether a column of texts holds this one, for this cell or for none."""
        table, _, column = name.partition(".")
        own = {None, row.get("cell_id")} if row else set(self.cell_ids) | {None}
        return any(
            " ".join(str(each[column]).split()) == text
            for each in self.table(table).to_dicts()
            if each.get("cell_id") in own
        )

    def value(self, name: str, row: Row, main: str) -> Stored:
        """Return the number that a name means, for a row of the table ``main``."""
        if name.startswith("="):
            word, *arguments = name[1:].split()
            return DERIVED[word](self, row, *arguments)
        name, _, key = name.partition("@")
        table, _, column = name.rpartition(".")
        if table in ALIASES:
            table, row = ALIASES[table](self, row)
        elif table and table != main:
            row = self._row_beside(table, row, key)
        else:
            table = table or main
        if column not in row:
            raise NotMapped(f"{table} has no column {column}")
        return Stored(row[column], unit_of(table, column))

    def _row_beside(self, table: str, row: Row, key: str) -> Row:
        if table == "differential_capacity":  # the same on every step of a curve
            return self.rows(table, half_cycle=row["half_cycle"], cell_id=row["cell_id"])[0]
        columns = load_schema(table).key
        values = {column: row[key or column] for column in columns if column != "cell_id"}
        if "cell_id" in columns:
            values["cell_id"] = row["cell_id"]
        return self.row(table, **values)


@cache
def unit_of(table: str, column: str) -> str:
    """Return the unit that the contract gives a column."""
    if table == "review_text" or column not in (columns := load_schema(table).columns):
        return ""
    return columns[column].unit


def agree(shown: object, value: object) -> bool:  # noqa: PLR0911 - a kind of value each
    """Return whether what is shown is what is stored, to the printed precision."""
    if isinstance(value, datetime):
        return shown == f"{value.astimezone(UTC):%Y-%m-%d %H:%M}"
    if value is None or value == "" or (isinstance(value, float) and value != value):  # noqa: PLR0124
        return shown in {None, "", NOTHING}
    if isinstance(value, bool):
        return shown in ({"yes", "on"} if value else {"no", ""}) or shown is value
    if isinstance(value, str):
        return " ".join(str(shown).split()) == " ".join(value.split())
    if isinstance(shown, str):
        if not re.fullmatch(NUMBER, shown):
            return False
        mantissa, _, power = shown.replace("−", "-").partition("e")
        half = 0.5 * 10.0 ** (int(power or 0) - len(mantissa.partition(".")[2]))
        return abs(float(f"{mantissa}e{power or 0}") - float(str(value))) <= half * (1 + 1e-9)
    if not isinstance(shown, (int, float)):
        return False
    return abs(shown - float(str(value))) <= 1e-9 * abs(float(str(value))) + 1e-15
