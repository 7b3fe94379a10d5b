"""Read pages, single rows and usage maps of a Jet 4 / ACE database file.

Layout
------
The file is a sequence of pages of 4096 bytes; every integer is little-endian.  Byte 0 of a page is
its type: 0x00 header (page 0), 0x01 rows, 0x02 table definition, 0x03/0x04 index, 0x05 usage map.

A page of rows holds the page number of its table's definition at byte 4 (or the letters
``LVAL`` where the rows are long values), the number of row slots (u16) at byte 12 and one u16 per
slot from byte 14.  The low 13 bits of a slot are the byte within the page at which the row
begins; the row ends where the row of the slot before begins, the first at the end of the page.

A row pointer is a u32: slot number in the low byte, page number in the upper three.

Checks
------
No number in the file is used before it has been compared with the bytes present.  Any mismatch
raises :class:`JetError`, which states what was found and what was expected.
"""

from __future__ import annotations

import mmap
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

PAGE_BYTES = 4096
ROWS_PAGE = 0x01
DEFINITION_PAGE = 0x02
USAGE_PAGE = 0x05

SLOTS_AT = 14
MOST_SLOTS = (PAGE_BYTES - SLOTS_AT) // 2
BEGIN_BITS = 0x1FFF
_HEADER_BYTES = 24
_HEADER_KEY = bytes((0xC7, 0xDA, 0x39, 0x6B))
_DATABASE_KEY_AT = 0x3E
_PAGES_PER_USAGE_PAGE = (PAGE_BYTES - 4) * 8

Buffer = bytes | bytearray | memoryview | mmap.mmap
Bytes = npt.NDArray[np.uint8]
Positions = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


class JetError(ValueError):
    """The bytes cannot be read as a Jet 4 database; the text says what was found and expected."""


@dataclass(frozen=True)
class PageFile:
    """The bytes of a database file and the number of whole pages in them."""

    content: Bytes
    page_count: int


def open_pages(data: Buffer) -> PageFile:
    """Check the header of a database file and return its pages.

    Header: bytes 0-3 ``00 01 00 00``, a signature of 16 bytes, then the version (u8 at 0x14):
    0 Jet 3, 1 Jet 4, 2 and above ACE.  Pages of Jet 4 and ACE have the same layout.  A database
    password alone leaves the pages readable; a database key (u32 at 0x3E) encrypts them.
    """
    view = memoryview(data)
    if view.nbytes < _HEADER_BYTES:
        raise JetError(f"found a file of {view.nbytes} bytes, expected a database of whole pages")
    content = np.frombuffer(view, dtype=np.uint8)
    _check_signature(content[:_HEADER_BYTES].tobytes())
    pages, rest = divmod(content.size, PAGE_BYTES)
    if rest or pages < 3:
        raise JetError(
            f"found {content.size} bytes, expected a whole number (at least 3) of pages of "
            f"{PAGE_BYTES} bytes: the file is cut short"
        )
    _check_not_enciphered(content[_DATABASE_KEY_AT : _DATABASE_KEY_AT + 4].tobytes())
    return PageFile(content, pages)


def _check_signature(header: bytes) -> None:
    """Accept the signatures of Jet 4 and ACE; raise JetError for any other header."""
    signature, version = header[4:20], header[20]
    if header[:4] != b"\x00\x01\x00\x00" or signature not in (
        b"Standard Jet DB\x00",
        b"Standard ACE DB\x00",
    ):
        raise JetError(f"found a header of {header[:20]!r}, expected 'Standard Jet DB'")
    if version == 0:
        raise JetError("found a Jet 3 (Access 97) database, expected Jet 4 (Access 2000) or later")
    if version > 6:
        raise JetError(f"found database version {version}, expected 1 (Jet 4) to 6 (ACE)")


def _check_not_enciphered(stored: bytes) -> None:
    """Refuse a file whose pages are encrypted: its database key is not zero.

    The header from byte 0x18 on is masked with the RC4 stream of a constant key.
    """
    offset = _DATABASE_KEY_AT - 0x18
    mask = _rc4_stream(_HEADER_KEY, offset + 4)[offset:]
    key = int.from_bytes(bytes(a ^ b for a, b in zip(stored, mask, strict=True)), "little")
    if key:
        raise JetError(
            f"found an encrypted database (key 0x{key:08X}), expected one that is not encrypted"
        )


def _rc4_stream(key: bytes, count: int) -> bytes:
    """Return the first ``count`` bytes of the RC4 stream of a key."""
    state = list(range(256))
    j = 0
    for i in range(256):
        j = (j + state[i] + key[i % len(key)]) % 256
        state[i], state[j] = state[j], state[i]
    stream = bytearray()
    j = 0
    for step in range(1, count + 1):
        i = step % 256
        j = (j + state[i]) % 256
        state[i], state[j] = state[j], state[i]
        stream.append(state[(state[i] + state[j]) % 256])
    return bytes(stream)


def page_bytes(file: PageFile, number: int, kind: int, purpose: str) -> bytes:
    """Return a copy of one page after checking its number and its type."""
    if not 0 < number < file.page_count:
        raise JetError(f"{purpose}: found page {number}, expected 1 to {file.page_count - 1}")
    page = file.content[number * PAGE_BYTES : (number + 1) * PAGE_BYTES].tobytes()
    if page[0] != kind:
        raise JetError(
            f"{purpose}: found type 0x{page[0]:02X} on page {number}, expected 0x{kind:02X}"
        )
    return page


def u16_at(file: PageFile, positions: Positions) -> Positions:
    """Return the unsigned 16-bit integers at byte positions of the file."""
    low = file.content[positions].astype(np.int64)
    return low | (file.content[positions + 1].astype(np.int64) << 8)


def u32_at(file: PageFile, positions: Positions) -> Positions:
    """Return the unsigned 32-bit integers at byte positions of the file."""
    return u16_at(file, positions) | (u16_at(file, positions + 2) << 16)


def read_row(file: PageFile, pointer: int, purpose: str) -> tuple[bytes, bytes]:
    """Return the page header (14 bytes) and the bytes of the row that a pointer refers to."""
    number, slot = pointer >> 8, pointer & 0xFF
    page = page_bytes(file, number, ROWS_PAGE, purpose)
    count = int.from_bytes(page[12:14], "little")
    if slot >= count or count > MOST_SLOTS:
        raise JetError(f"{purpose}: found slot {slot} of {count} on page {number}")
    at = SLOTS_AT + 2 * slot
    begin = int.from_bytes(page[at : at + 2], "little") & BEGIN_BITS
    before = int.from_bytes(page[at - 2 : at], "little") & BEGIN_BITS
    stop = before if slot else PAGE_BYTES
    if not SLOTS_AT + 2 * count <= begin <= stop <= PAGE_BYTES:
        raise JetError(
            f"{purpose}: found bytes {begin} to {stop} for slot {slot} of page {number}, "
            f"expected them within {SLOTS_AT + 2 * count} to {PAGE_BYTES}"
        )
    return page[:SLOTS_AT], page[begin:stop]


def usage_map_pages(file: PageFile, pointer: int, purpose: str) -> Positions:
    """Return the page numbers in a usage map, ascending.

    The map is a row.  Byte 0 is its kind.  Kind 0: u32 at byte 1 is the first page, the bits
    after it one page each, lowest bit first.  Kind 1: u32 page numbers from byte 1, each of a
    page of type 0x05 whose bits from byte 4 on represent 32736 pages; 0 where there is none.
    """
    _, body = read_row(file, pointer, purpose)
    if len(body) < 5 or body[0] > 1:
        raise JetError(f"{purpose}: found {body[:5]!r}, expected a map of kind 0 or 1")
    if body[0] == 0:
        first = int.from_bytes(body[1:5], "little")
        return _pages_from_bits(file, body[5:], first, purpose)
    parts = [np.empty(0, dtype=np.int64)]
    for index in range((len(body) - 1) // 4):
        number = int.from_bytes(body[1 + 4 * index : 5 + 4 * index], "little")
        if number:
            bits = page_bytes(file, number, USAGE_PAGE, purpose)[4:]
            parts.append(_pages_from_bits(file, bits, index * _PAGES_PER_USAGE_PAGE, purpose))
    return np.concatenate(parts)


def _pages_from_bits(file: PageFile, bits: bytes, first: int, purpose: str) -> Positions:
    """Convert set bits to page numbers, all of which must be in the file."""
    unpacked = np.unpackbits(np.frombuffer(bits, dtype=np.uint8), bitorder="little")
    pages = np.flatnonzero(unpacked).astype(np.int64) + first
    if pages.size and pages[-1] >= file.page_count:
        raise JetError(
            f"{purpose}: found page {pages[-1]} in the usage map, expected at most "
            f"{file.page_count - 1}: the file is cut short or damaged"
        )
    return pages


def pages_of_owner(file: PageFile, owner: int, among: Positions | None = None) -> Positions:
    """Return the row pages that name the definition page ``owner``, among all or some pages."""
    candidates = np.arange(file.page_count, dtype=np.int64) if among is None else among
    row_pages: Positions = candidates[file.content[candidates * PAGE_BYTES] == ROWS_PAGE]
    is_owned: Flags = u32_at(file, row_pages * PAGE_BYTES + 4) == owner
    owner_pages: Positions = row_pages[is_owned]
    return owner_pages
