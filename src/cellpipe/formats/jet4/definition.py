"""Read table definitions of a Jet 4 / ACE database file.

Layout
------
One or more pages of type 0x02, chained by the page number at byte 4; their bytes from byte 8 on
are joined.  u32 number of rows at 16, u16 number of columns at 45, u32 number of indexes at 51,
u32 pointer to the usage map at 55, 12 bytes an index from 63, then 25 bytes a column: type (u8 at
0), number in the null mask (u16 at 5), order among variable-length values (u16 at 7), decimals
(u8 at 12), flags (u8 at 15; bit 0: fixed length), offset of a fixed-length value (u16 at 21),
length in bytes (u16 at 23).  Then for each column a u16 length and its name in UTF-16.
"""

from __future__ import annotations

from dataclasses import dataclass

from cellpipe.formats.jet4.pages import DEFINITION_PAGE, JetError, PageFile, page_bytes

_MOST_COLUMNS = 255
_MOST_DEFINITION_PAGES = 64
_COLUMN_BYTES = 25


@dataclass(frozen=True)
class Column:
    """A column; ``offset`` applies to fixed-length values, ``order`` to variable-length ones."""

    name: str
    kind: int
    number: int
    fixed: bool
    offset: int
    order: int
    size: int
    decimals: int


@dataclass(frozen=True)
class Definition:
    """A table's definition: its page, declared number of rows, usage map and columns."""

    name: str
    page: int
    declared: int
    usage: int
    columns: tuple[Column, ...]


def read_definition(file: PageFile, page: int, name: str) -> Definition:
    """Read a table's definition; raise JetError if it is inconsistent."""
    body = _definition_bytes(file, page, name)
    count, indexes = _integer(body, 45, 2), _integer(body, 51, 4)
    at = 63 + 12 * indexes
    if count > _MOST_COLUMNS or at + _COLUMN_BYTES * count > len(body):
        raise JetError(
            f"definition of {name!r}: found {count} columns and {indexes} indexes in "
            f"{len(body)} bytes, expected at most {_MOST_COLUMNS} columns and room for them"
        )
    entries = [body[at + _COLUMN_BYTES * i : at + _COLUMN_BYTES * (i + 1)] for i in range(count)]
    names = _column_names(body, at + _COLUMN_BYTES * count, count, name)
    columns = [_parse_column(entry, label) for entry, label in zip(entries, names, strict=True)]
    if len(set(names)) != count or len({column.number for column in columns}) != count:
        raise JetError(f"definition of {name!r}: found columns that share a name or a number")
    columns.sort(key=lambda column: column.number)
    return Definition(name, page, _integer(body, 16, 4), _integer(body, 55, 4), tuple(columns))


def _definition_bytes(file: PageFile, page: int, name: str) -> bytes:
    """Return the joined bytes of a definition's pages."""
    purpose = f"definition of {name!r}"
    body = page_bytes(file, page, DEFINITION_PAGE, purpose)
    next_page, seen = _integer(body, 4, 4), {page}
    parts = [body]
    while next_page:
        if next_page in seen or len(seen) == _MOST_DEFINITION_PAGES:
            raise JetError(f"{purpose}: found page {next_page} after {len(seen)}, expected an end")
        seen.add(next_page)
        part = page_bytes(file, next_page, DEFINITION_PAGE, purpose)
        next_page = _integer(part, 4, 4)
        parts.append(part[8:])
    return b"".join(parts)


def _column_names(body: bytes, at: int, count: int, table: str) -> list[str]:
    """Read the names of a definition's columns."""
    names = []
    for index in range(count):
        size = _integer(body, at, 2)
        raw = body[at + 2 : at + 2 + size]
        if at + 2 > len(body) or len(raw) != size:
            raise JetError(f"definition of {table!r}: found an end in the name of column {index}")
        names.append(raw.decode("utf-16-le", errors="replace"))
        at += 2 + size
    return names


def _parse_column(entry: bytes, name: str) -> Column:
    """Parse the 25 bytes of a column."""
    return Column(
        name=name,
        kind=entry[0],
        number=_integer(entry, 5, 2),
        fixed=bool(entry[15] & 1),
        offset=_integer(entry, 21, 2),
        order=_integer(entry, 7, 2),
        size=_integer(entry, 23, 2),
        decimals=entry[12],
    )


def _integer(raw: bytes, at: int, size: int) -> int:
    """Return the unsigned little-endian integer of ``size`` bytes at a position."""
    return int.from_bytes(raw[at : at + size], "little")
