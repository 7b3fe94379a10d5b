"""The lines of a text file in blocks, so that a file is never in memory as a whole.

A block ends with a line. A file that was copied while it grew ends within one: what is not whole of
the last line is left out, and a finding says so. Recoding a whole file costs more than reading it,
and only the few columns of text need it: a block that is not UTF-8 is given as if it were Latin-1,
and :func:`recode_texts` turns the texts read from it into what they say. Separators and line ends are
never part of a character in GB18030 or Windows-1252, nor are digits where a field begins.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from cellpipe.core.model import Finding

BLOCK_BYTES = 1 << 22
_SHORT = 1 << 12
_CUT_LINE = "The file ends within a line: that record is left out; the file was cut off."
_CUT_VALUE = "The last line has no end: its last value may be cut off and is left out."


@dataclass(frozen=True)
class Block:
    """Whole lines in UTF-8; ``as_latin`` if their bytes were taken for Latin-1."""

    content: bytes
    as_latin: bool = False

    def __add__(self, other: Block) -> Block:
        """Join two blocks."""
        if self.as_latin == other.as_latin or not self.content:
            return Block(self.content + other.content, other.as_latin)
        one, two = (
            block.content if block.as_latin else block.content.decode("latin-1").encode()
            for block in (self, other)
        )
        return Block(one + two, as_latin=True)


def read_blocks(
    path: Path,
    encoding: str,
    separator: str,
    lines_before: int,
    fields: int,
    findings: list[Finding],
) -> Iterator[Block]:
    """Return the lines of a file behind the first ones.

    Parameters
    ----------
    path, encoding, separator
        The file, and how it is written.
    lines_before
        Lines to leave out at the beginning: titles and the header.
    fields
        How many fields the header has, against which a single line is held.
    findings
        Takes what has to be said of the last line.

    """
    mark = separator.encode()
    held = Block(b"")
    for raw in _read_raw_blocks(path, encoding):
        if b"\n" in raw and not encoding.startswith("utf-16"):  # titles may hold what values don't
            start, passed = _skip_lines(raw, lines_before)
            raw = raw[start:]  # noqa: PLW2901
            lines_before -= passed
        block = _make_block(raw, encoding)
        if lines_before:
            start, passed = _skip_lines(block.content, lines_before)
            block = Block(block.content[start:], block.as_latin)
            lines_before -= passed
        if len(block.content) < _SHORT:  # a cut line is told by the line above it
            held += block
            continue
        if held.content:
            yield held
        held = block
    last = held.content[: _find_record_end(held.content, mark, fields, findings)]
    if last.strip():
        yield Block(last, held.as_latin)


def _skip_lines(content: bytes, lines: int) -> tuple[int, int]:
    """Return where the lines behind the first ones begin, and how many of those there are."""
    start = 0
    for passed in range(lines):
        end = content.find(b"\n", start)
        if end < 0:
            return len(content), passed
        start = end + 1
    return start, lines


def _read_raw_blocks(path: Path, encoding: str) -> Iterator[bytes]:
    """Return a file's bytes in blocks that end with a line, the last one where the file ends."""
    with path.open("rb") as stream:
        while block := stream.read(BLOCK_BYTES):
            if encoding.startswith("utf-16") or (b"\r" in block and b"\n" not in block):
                yield block + stream.read()
                return
            yield block if block.endswith(b"\n") else block + stream.readline()


def _make_block(raw: bytes, encoding: str) -> Block:
    """Return a block; only where there is no line feed, a carriage return ends a line."""
    as_latin = False
    if encoding.startswith("utf-16"):
        raw = raw.decode(encoding, errors="replace").encode()
    elif not raw.isascii() and not (encoding.startswith("utf-8") and _is_utf8(raw)):
        raw, as_latin = raw.decode("latin-1").encode(), True
    if b"\n" not in raw:
        raw = raw.replace(b"\r", b"\n")
    return Block(raw.removeprefix(codecs.BOM_UTF8), as_latin)


def _is_utf8(raw: bytes) -> bool:
    """Return whether whole lines are; the header may be ASCII where the lines below it are in GB18030."""
    try:
        codecs.utf_8_decode(memoryview(raw)[: raw.rfind(b"\n") + 1 or len(raw)], "strict", True)
    except UnicodeDecodeError:
        return False
    return True


def decode_western(raw: bytes) -> tuple[str, str]:
    """Decode the text of a program that writes UTF-8 or Windows-1252, and say which it is."""
    try:
        return raw.decode("utf-8-sig"), "utf-8"
    except UnicodeDecodeError:
        return raw.decode("cp1252", "replace"), "cp1252"


def recode_texts(frame: pl.DataFrame, encoding: str) -> pl.DataFrame:
    """Return texts that were read as Latin-1 in what they are, each different one decoded once."""
    changed = []
    for column in frame.select(pl.col(pl.String)):
        different = column.drop_nulls().unique()
        strange = [text for text in different if not text.isascii()]
        if strange:
            clear = [_decode(text.encode("latin-1"), encoding) for text in strange]
            changed.append(column.replace(strange, clear))
    return frame.with_columns(changed)


def _decode(raw: bytes, encoding: str) -> str:
    for name in (encoding, "gb18030", "cp1252"):
        try:
            return raw.decode(name)
        except UnicodeDecodeError:
            continue
    return raw.decode(encoding, errors="replace")


def _find_record_end(content: bytes, mark: bytes, fields: int, findings: list[Finding]) -> int:
    """Say where the last whole record of the last lines ends.

    A last line that has fewer fields than the one above is left out; of a last line without an end
    the last value is left out if it is shorter than the one above it.
    """
    stripped = content.rstrip(b"\r\n")
    above, _, last = stripped.rpartition(b"\n")
    above = above.rstrip(b"\r\n").rpartition(b"\n")[2]
    expected = above.count(mark) if above else fields - 1
    if last and last.count(mark) < expected and _indent(last, mark) == _indent(above, mark):
        findings.append(Finding("warning", "file_cut_off", _CUT_LINE, 1))
        return len(stripped) - len(last)
    field, field_above = last.rpartition(mark)[2], above.rpartition(mark)[2]
    if above and not content.endswith((b"\n", b"\r")) and len(field) < len(field_above):
        findings.append(Finding("warning", "file_cut_off", _CUT_VALUE, 1))
        return len(stripped) - len(field)
    return len(stripped)


def _indent(line: bytes, mark: bytes) -> int:
    """Count the empty fields before the first one, which tell the levels of a nested table."""
    return len(line) - len(line.lstrip(mark))
