"""Read the lines of a text file in blocks, so that the whole file is never in memory.

A block ends at the end of a line. A file that was copied while it grew ends within a line: the
incomplete part is left out, and a finding reports it. Recoding a whole file costs more than reading
it, and only the few text columns need it: a block that is not UTF-8 is treated as Latin-1, and
:func:`recode_texts` corrects the texts read from it. Separators and line ends are never part of a
character in GB18030 or Windows-1252, nor are digits at the beginning of a field.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl

from cellpipe.core.errors import DamagedFileError
from cellpipe.core.model import Finding
from cellpipe.formats.tabular.erased import has_erasures
from cellpipe.formats.tabular.line_account import LineAccount

BLOCK_BYTES = 1 << 22
_SHORT = 1 << 12
_LINES_COMPARED = 20  # with the last one
_ENDS = b"\r\n\x1a"
_CUT_LINE = "The file ends within line {}: that record is left out; the file was cut off."
_CUT_VALUE = "The last line, {}, has no end: its last value may be cut off and is left out."


@dataclass(frozen=True)
class Block:
    """Whole lines in UTF-8; ``as_latin`` if their bytes were decoded as Latin-1.

    ``offset`` is where a part of the file begins whose lines these are, after ``skipped`` of them.
    """

    content: bytes
    as_latin: bool = False
    offset: int = 0
    skipped: int = 0

    def __add__(self, other: Block) -> Block:
        """Join two blocks."""
        if not self.content:
            return other
        if self.as_latin == other.as_latin:
            return replace(self, content=self.content + other.content)
        left, right = (
            block.content if block.as_latin else block.content.decode("latin-1").encode()
            for block in (self, other)
        )
        return replace(self, content=left + right, as_latin=True)


def read_blocks(
    path: Path,
    encoding: str,
    separator: str,
    lines_before: int,
    fields: int,
    account: LineAccount,
) -> Iterator[Block]:
    """Yield the lines of a file after the titles and the header.

    Parameters
    ----------
    path, encoding, separator
        The file, its encoding and its separator.
    lines_before
        Number of lines to skip: titles and the header.
    fields
        Number of fields in the header, with which a single line is compared.
    account
        To which lines with zeros, and findings about the last line, are added.

    """
    delimiter, is_utf16 = separator.encode(), encoding.startswith("utf-16")
    pending, offset = Block(b""), 0
    for raw in _read_raw_blocks(path, encoding):
        size, skipped_here = len(raw), 0
        if not is_utf16 and has_erasures(raw):
            end = b"\n" if b"\n" in raw else b"\r"
            raw = account.blank_erasures(raw, offset, account.line_at(offset, end))  # noqa: PLW2901
        if b"\n" in raw and not is_utf16:  # titles may have other characters than values
            start, skipped_here = _skip_lines(raw, lines_before)
            raw = raw[start:]  # noqa: PLW2901
            lines_before -= skipped_here
        block = _make_block(raw, encoding)
        if is_utf16 and has_erasures(block.content):
            block = replace(block, content=account.blank_erasures(block.content, None, 0))
        if lines_before:
            start, skipped = _skip_lines(block.content, lines_before)
            block = replace(block, content=block.content[start:])
            lines_before -= skipped
            skipped_here += skipped
        block = replace(block, offset=offset, skipped=skipped_here)
        offset += size
        if len(block.content) < _SHORT:  # a cut line is detected by the line above it
            pending += block
            continue
        if pending.content:
            yield pending
        pending = block
    stop, fault = _find_record_end(pending.content, delimiter, fields)
    last = pending.content[:stop]
    if fault:
        above = account.line_at(pending.offset) + pending.skipped
        number = above + pending.content.rstrip(_ENDS).count(b"\n") + 1
        sentence = fault.format(f"{number:,}")
        account.notes.append(Finding("warning", "file_cut_off", sentence, 1))
    if last.strip():
        yield replace(pending, content=last)


def _skip_lines(content: bytes, lines: int) -> tuple[int, int]:
    """Return the position after the first lines, and how many lines were skipped."""
    start = 0
    for skipped in range(lines):
        end = content.find(b"\n", start)
        if end < 0:
            return len(content), skipped
        start = end + 1
    return start, lines


def _read_raw_blocks(path: Path, encoding: str) -> Iterator[bytes]:
    """Yield a file's bytes in blocks that end with a line, or with the file."""
    with path.open("rb") as stream:
        start = 0
        while True:
            stream.seek(start + BLOCK_BYTES)  # where the line ends, so that nothing is copied
            rest = len(stream.readline())
            stream.seek(start)
            block = stream.read(BLOCK_BYTES + rest)
            if not block:
                return
            if encoding.startswith("utf-16") or (b"\r" in block and b"\n" not in block):
                yield block + stream.read()
                return
            yield block
            start += len(block)


def _make_block(raw: bytes, encoding: str) -> Block:
    """Return a block; a carriage return ends a line only if there is no line feed."""
    as_latin = False
    if encoding.startswith("utf-16"):
        raw = raw.decode(encoding, errors="replace").encode()
    elif not raw.isascii() and not (encoding.startswith("utf-8") and _is_utf8(raw)):
        raw, as_latin = raw.decode("latin-1").encode(), True
    if b"\n" not in raw:
        raw = raw.replace(b"\r", b"\n")
    return Block(raw.removeprefix(codecs.BOM_UTF8), as_latin)


def _is_utf8(raw: bytes) -> bool:
    """Return whether the text is UTF-8; GB18030 lines may follow an ASCII header."""
    try:
        codecs.utf_8_decode(raw, "strict", True)
    except UnicodeDecodeError:
        return False
    return True


def decode_western(raw: bytes) -> tuple[str, str]:
    """Decode the text of a program that writes UTF-8 or Windows-1252; return the encoding too."""
    try:
        return raw.decode("utf-8-sig"), "utf-8"
    except UnicodeDecodeError:
        return raw.decode("cp1252", "replace"), "cp1252"


def read_lines(path: Path, account: LineAccount, largest: int) -> list[str]:
    """Return all lines of a small text in UTF-8 or Windows-1252; those with zeros are empty.

    Raises
    ------
    DamagedFileError
        If it has more bytes than the largest may have.

    """
    size = path.stat().st_size
    if size > largest:
        raise DamagedFileError(
            f"{size:,} bytes",
            expected=f"at most {largest:,}",
            remedy="export it again, in parts if it is so long",
        )
    content = path.read_bytes()
    if has_erasures(content):
        content = account.blank_erasures(content, 0, 0)
    text = decode_western(content)[0].rstrip("\x1a")
    lines = text.split("\n" if "\n" in text else "\r")
    return [line.rstrip("\r") for line in (lines if lines[-1] else lines[:-1])]


def recode_texts(frame: pl.DataFrame, encoding: str) -> pl.DataFrame:
    """Decode texts that were read as Latin-1, each different one once."""
    changed = []
    for column in frame.select(pl.col(pl.String)):
        different = column.drop_nulls().unique()
        non_ascii = [text for text in different if not text.isascii()]
        if non_ascii:
            decoded = [_decode(text.encode("latin-1"), encoding) for text in non_ascii]
            changed.append(column.replace(non_ascii, decoded))
    return frame.with_columns(changed)


def _decode(raw: bytes, encoding: str) -> str:
    for name in (encoding, "gb18030", "cp1252"):
        try:
            return raw.decode(name)
        except UnicodeDecodeError:
            continue
    return raw.decode(encoding, errors="replace")


def _find_record_end(content: bytes, delimiter: bytes, fields: int) -> tuple[int, str]:
    """Return the position where the last complete record ends, and what is wrong with the rest.

    A last line with fewer fields than most of those above is left out; if it has no line end,
    its last value is left out if it is shorter than the one above it.
    """
    stripped = content.rstrip(_ENDS)
    *before, last = stripped.rsplit(b"\n", _LINES_COMPARED)
    above = before[-1].rstrip(b"\r\n").rpartition(b"\n")[2] if before else b""
    near = before[1 - _LINES_COMPARED :]
    like = [near_line.count(delimiter) for near_line in near
            if _indent(near_line, delimiter) == _indent(last, delimiter)]  # fmt: skip
    expected = max(like, key=like.count, default=0 if above else fields - 1)
    if last and last.count(delimiter) < expected:
        return len(stripped) - len(last), _CUT_LINE
    field, field_above = last.rpartition(delimiter)[2], above.rpartition(delimiter)[2]
    if above and not content.endswith((b"\n", b"\r")) and len(field) < len(field_above):
        return len(stripped) - len(field), _CUT_VALUE
    return len(stripped), ""


def _indent(line: bytes, delimiter: bytes) -> int:
    """Count the empty fields at the beginning, which give the level in a nested table."""
    return len(line) - len(line.lstrip(delimiter))
