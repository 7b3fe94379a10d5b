"""Read tables of a Jet 4 / ACE (Microsoft Access 2000 and later) database file.

Cycler files with the suffix ``.res`` are such databases.  The reader follows the file's own
structures: the catalogue ``MSysObjects`` (definition on page 2) lists the tables, a table's
definition its columns and its usage map, the usage map its pages.

Units
-----
Values are returned as stored.  DateTime is a number of days since 1899-12-30; Currency is scaled
from its stored ten-thousandths to units.

Number of rows
--------------
:func:`declared_row_count` is the number of rows that the definition states, for comparison with the
number found.  If the usage map leads to another number, all pages are searched for those that name
the definition as owner, and these are used instead if they hold exactly the declared number.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import polars as pl

from cellpipe.formats.jet4.definition import Column, Definition, read_definition
from cellpipe.formats.jet4.pages import (
    Buffer,
    Flags,
    JetError,
    PageFile,
    Positions,
    open_pages,
    pages_of_owner,
    usage_map_pages,
)
from cellpipe.formats.jet4.rows import Rows, fixed_positions, is_present, live_rows, variable_spans
from cellpipe.formats.jet4.values import (
    Allowance,
    decode_decimal,
    decode_guid,
    decode_text,
    read_long_value,
)

__all__ = ["JetError", "declared_row_count", "read_counted_table", "read_table", "table_names"]

_CATALOGUE_PAGE = 2
_TABLE_OBJECT = 1
_SYSTEM_FLAGS = 0x80000002
_CELLS_PER_BYTE = 32
_NAMES_IN_MESSAGE = 40

_BOOLEAN, _CURRENCY, _TEXT, _OLE, _MEMO, _GUID, _DECIMAL = 1, 5, 10, 11, 12, 15, 16
_NUMBERS = {
    2: "<u1",
    3: "<i2",
    4: "<i4",
    5: "<i8",
    6: "<f4",
    7: "<f8",
    8: "<f8",
    18: "<i4",
    19: "<i8",
}

Result = TypeVar("Result")


def table_names(data: Buffer) -> list[str]:
    """Return the names of the user tables, in the order of the catalogue.

    System tables (flags 0x80000002) and linked tables, which hold no rows here, are left out.
    """

    def names(file: PageFile) -> list[str]:
        return [name for name, (_, system) in _read_catalogue(file).items() if not system]

    return _run_on_pages(names, data)


def read_table(data: Buffer, name: str) -> pl.DataFrame:
    """Return all rows of a table, its columns in the order of their numbers.

    Byte, Integer, Long, Single and Double keep their width (UInt8, Int16, Int32, Float32,
    Float64); DateTime, Currency and Decimal become Float64; Text, Memo and GUID String; Binary
    and OLE Binary.  A value is null where the null mask says so; a Boolean is that bit itself.
    """
    return read_counted_table(data, name)[0]


def read_counted_table(data: Buffer, name: str) -> tuple[pl.DataFrame, int]:
    """Return a table as :func:`read_table` does, and the number of rows that it states."""

    def table(file: PageFile) -> tuple[pl.DataFrame, int]:
        definition = _find_definition(file, name)
        columns = _read_columns(file, definition, definition.columns)
        return pl.DataFrame(columns), definition.declared

    return _run_on_pages(table, data)


def declared_row_count(data: Buffer, name: str) -> int:
    """Return the number of rows that the table's definition states."""
    return _run_on_pages(lambda file: _find_definition(file, name).declared, data)


def _run_on_pages(task: Callable[[PageFile], Result], data: Buffer) -> Result:
    """Run a task on the pages of a file and keep no reference to its bytes, even after an error.

    A traceback would keep views of the bytes alive, and a mapped file with views cannot be
    closed; an error is therefore raised again from here.
    """
    try:
        return task(open_pages(data))
    except JetError as error:
        message = str(error)
    raise JetError(message)


def _find_definition(file: PageFile, name: str) -> Definition:
    """Return the definition of the table with a name; system tables are included."""
    catalogue = _read_catalogue(file)
    if name not in catalogue:
        known = ", ".join(list(catalogue)[:_NAMES_IN_MESSAGE])
        raise JetError(f"found no table {name!r}, expected one of {known}")
    return read_definition(file, catalogue[name][0], name)


def _read_catalogue(file: PageFile) -> dict[str, tuple[int, bool]]:
    """Map each table's name to the page of its definition and whether it is a system table."""
    definition = read_definition(file, _CATALOGUE_PAGE, "MSysObjects")
    by_name = {column.name: column for column in definition.columns}
    wanted = [by_name.get(name) for name in ("Name", "Id", "Type", "Flags")]
    if None in wanted:
        raise JetError(f"found catalogue columns {list(by_name)}, expected Name, Id, Type, Flags")
    names, pages, kinds, flags = _read_columns(
        file, definition, [c for c in wanted if c is not None]
    )
    catalogue: dict[str, tuple[int, bool]] = {}
    for name, page, kind, flag in zip(names, pages, kinds, flags, strict=True):
        if kind == _TABLE_OBJECT and isinstance(name, str) and isinstance(page, int):
            system = isinstance(flag, int) and bool(flag & _SYSTEM_FLAGS)
            catalogue.setdefault(name, (page & 0xFFFFFF, system))
    return catalogue


def _read_columns(
    file: PageFile, definition: Definition, columns: list[Column] | tuple[Column, ...]
) -> list[pl.Series]:
    """Read some columns of a table."""
    rows = _locate_rows(file, definition)
    cells = len(rows) * len(columns)
    if cells > _CELLS_PER_BYTE * file.content.size:
        raise JetError(
            f"table {definition.name!r}: found {len(rows)} rows of {len(columns)} columns, "
            f"expected at most {_CELLS_PER_BYTE} values per byte of the file"
        )
    allowance = Allowance(2 * file.content.size)
    return [_read_column(file, rows, column, allowance) for column in columns]


def _locate_rows(file: PageFile, definition: Definition) -> Rows:
    """Locate a table's rows by its usage map, or by owner if only that finds all of them."""
    mapped = usage_map_pages(file, definition.usage, f"usage map of {definition.name!r}")
    rows = live_rows(file, pages_of_owner(file, definition.page, mapped))
    if len(rows) == definition.declared:
        return rows
    try:
        others = live_rows(file, pages_of_owner(file, definition.page))
    except JetError:
        return rows
    return others if len(others) == definition.declared else rows


def _read_column(file: PageFile, rows: Rows, column: Column, allowance: Allowance) -> pl.Series:
    """Read one column of all rows."""
    present = is_present(file, rows, column.number)
    if column.kind == _BOOLEAN:
        return pl.Series(column.name, present)
    if column.fixed and column.kind in _NUMBERS:
        return _read_numbers(file, rows, present, column)
    if column.fixed:
        begin = fixed_positions(rows, present, column.offset, column.size, column.name)
        length = np.where(present, column.size, -1)
    else:
        begin, length = variable_spans(file, rows, present, column.order, column.name)
    return _decode_values(file, column, _copy_values(file, begin, length, allowance), allowance)


def _read_numbers(file: PageFile, rows: Rows, present: Flags, column: Column) -> pl.Series:
    """Read a column of fixed-length numbers with a single index over the whole file."""
    kind = np.dtype(_NUMBERS[column.kind])
    at = fixed_positions(rows, present, column.offset, kind.itemsize, column.name)
    windows = np.ndarray(
        (file.content.size - kind.itemsize + 1,),
        dtype=f"V{kind.itemsize}",
        buffer=file.content,
        strides=(1,),
    )
    return _nullable_series(column, windows[at].view(kind), present)


def _nullable_series(column: Column, values: npt.NDArray[np.generic], present: Flags) -> pl.Series:
    """Return a column of numbers, null where not present; Currency is scaled to units."""
    scaled = values.astype(np.float64) / 1e4 if column.kind == _CURRENCY else values
    series = pl.Series(column.name, scaled)
    return series if present.all() else series.set(pl.Series(~present), None)


def _copy_values(
    file: PageFile, begin: Positions, length: Positions, allowance: Allowance
) -> list[bytes | None]:
    """Copy the bytes of each value from the file; a length of -1 means null."""
    allowance.spend(int(np.maximum(length, 0).sum()))
    content = file.content
    return [
        None if size < 0 else content[at : at + size].tobytes()
        for at, size in zip(begin.tolist(), length.tolist(), strict=True)
    ]


def _decode_values(
    file: PageFile, column: Column, pieces: list[bytes | None], allowance: Allowance
) -> pl.Series:
    """Decode values that are not fixed-length numbers."""
    name = column.name
    if column.kind in (_MEMO, _OLE):
        pieces = [None if p is None else read_long_value(file, p, name, allowance) for p in pieces]
    if column.kind in (_TEXT, _MEMO):
        texts = [None if p is None else decode_text(p) for p in pieces]
        return pl.Series(name, texts, dtype=pl.String)
    if column.kind == _GUID:
        labels = [None if p is None else decode_guid(p) for p in pieces]
        return pl.Series(name, labels, dtype=pl.String)
    if column.kind == _DECIMAL:
        numbers = [None if p is None else decode_decimal(p, column.decimals) for p in pieces]
        return pl.Series(name, numbers, dtype=pl.Float64)
    if column.kind in _NUMBERS:
        return _unpack_numbers(column, pieces)
    return pl.Series(name, pieces, dtype=pl.Binary)


def _unpack_numbers(column: Column, pieces: list[bytes | None]) -> pl.Series:
    """Read numbers stored as variable-length values; null where the length is wrong."""
    kind = np.dtype(_NUMBERS[column.kind])
    present = np.array([p is not None and len(p) == kind.itemsize for p in pieces], dtype=np.bool_)
    blank = bytes(kind.itemsize)
    padded = [p if p is not None and len(p) == kind.itemsize else blank for p in pieces]
    return _nullable_series(column, np.frombuffer(b"".join(padded), dtype=kind), present)
