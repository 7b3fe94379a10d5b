"""Decode variable-length and composite values of a Jet 4 / ACE database file.

Layout
------
Text: UTF-16 little-endian, or, after the bytes FF FE, compressed: one byte a character (its
upper byte being 0) until a byte 00, which switches to UTF-16 and back at each further byte 00.

Long value (memo, OLE object): u32 length (low 30 bits) and storage (0x80000000: the bytes follow
from byte 12; 0x40000000: they are one row of a long-value page; neither: a chain of rows, each
beginning with the u32 pointer to the next, 0 in the last), u32 row pointer, u32 unused.

GUID: 16 bytes, the first three groups little-endian.

Decimal: 17 bytes, first the sign (0x80 negative), then a 128-bit integer as four u32,
the most significant first; the definition holds the number of decimals.
"""

from __future__ import annotations

import uuid

from cellpipe.formats.jet4.pages import JetError, PageFile, read_row

_LONG_HEADER = 12
_LONG_LENGTH = 0x3FFFFFFF
_LONG_INLINE = 0x80000000
_LONG_SINGLE = 0x40000000
_PIECE_CHARGE = 512


class Allowance:
    """A limit on the number of bytes read for one table.

    Values of a valid file never share bytes, so a table holds no more bytes than the file.
    Circular pointers, or many pointers to one position, exceed the limit.
    """

    def __init__(self, total: int) -> None:
        """Start with ``total`` bytes."""
        self._total = total
        self._left = total

    def spend(self, count: int) -> None:
        """Subtract ``count`` bytes; raise JetError if fewer are left."""
        self._left -= count
        if self._left < 0:
            raise JetError(
                f"found values of more than {self._total} bytes in one table, expected no more "
                "than the file holds: its pointers lead to the same bytes again"
            )


def decode_text(raw: bytes) -> str:
    """Decode a text value; a byte pair that is not a character becomes U+FFFD."""
    utf16 = _decompress_text(raw) if raw[:2] == b"\xff\xfe" else raw
    return utf16.decode("utf-16-le", errors="replace")


def _decompress_text(raw: bytes) -> bytes:
    """Convert compressed text to UTF-16."""
    out = bytearray()
    at, compressed = 2, True
    while at < len(raw):
        if raw[at] == 0:
            compressed = not compressed
            at += 1
        elif compressed:
            stop = raw.find(0, at)
            stop = len(raw) if stop < 0 else stop
            out += raw[at:stop].decode("latin-1").encode("utf-16-le")
            at = stop
        else:
            out += raw[at : at + 2]
            at += 2
    return bytes(out)


def read_long_value(file: PageFile, raw: bytes, name: str, allowance: Allowance) -> bytes:
    """Return the bytes of a long value from any of its three kinds of storage."""
    if not raw:
        return b""
    if len(raw) < _LONG_HEADER:
        raise JetError(f"column {name!r}: found {len(raw)} bytes, expected a header of 12")
    head = int.from_bytes(raw[:4], "little")
    length, pointer = head & _LONG_LENGTH, int.from_bytes(raw[4:8], "little")
    if head & _LONG_INLINE:
        value = raw[_LONG_HEADER:]
    elif head & _LONG_SINGLE:
        value = _read_long_record(file, pointer, name, allowance)
    else:
        value = _read_long_chain(file, pointer, length, name, allowance)
    if len(value) < length:
        raise JetError(f"column {name!r}: found {len(value)} bytes, expected {length}")
    return value[:length]


def _read_long_chain(
    file: PageFile, pointer: int, length: int, name: str, allowance: Allowance
) -> bytes:
    """Join the rows of a chain until the value is complete or the chain ends.

    Chains are for values larger than a page, so a short piece counts as if it were longer:
    a circle of tiny pieces then ends soon even in a large file.
    """
    out = bytearray()
    while pointer and len(out) < length:
        piece = _read_long_record(file, pointer, name, allowance)
        if len(piece) < 4:
            raise JetError(f"column {name!r}: found {len(piece)} bytes, expected a pointer of 4")
        allowance.spend(max(_PIECE_CHARGE - len(piece), 0))
        pointer = int.from_bytes(piece[:4], "little")
        out += piece[4:]
    return bytes(out)


def _read_long_record(file: PageFile, pointer: int, name: str, allowance: Allowance) -> bytes:
    """Return one row of a long-value page."""
    purpose = f"long value of column {name!r}"
    head, body = read_row(file, pointer, purpose)
    if head[4:8] != b"LVAL":
        raise JetError(
            f"{purpose}: found owner {head[4:8]!r} on page {pointer >> 8}, expected LVAL"
        )
    allowance.spend(len(body))
    return body


def decode_guid(raw: bytes) -> str | None:
    """Return a GUID in braces and capitals; None if the value does not have 16 bytes."""
    return "{" + str(uuid.UUID(bytes_le=raw)).upper() + "}" if len(raw) == 16 else None


def decode_decimal(raw: bytes, decimals: int) -> float | None:
    """Return a decimal number as a float; None if the value does not have 17 bytes."""
    if len(raw) != 17:
        return None
    words = [int.from_bytes(raw[at : at + 4], "little") for at in range(1, 17, 4)]
    unscaled = sum(word << (96 - 32 * index) for index, word in enumerate(words))
    scale: int = 10**decimals
    return (-unscaled if raw[0] & 0x80 else unscaled) / scale
