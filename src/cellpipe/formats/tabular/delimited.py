"""Find the encoding, separator and header line of a vendor's text file, and read its columns.

A file is UTF-8 (with or without a byte order mark), UTF-16, GB18030 (Chinese Windows; it includes
GBK and GB2312) or Windows-1252. Bytes alone don't distinguish the last two: ``µA`` in one is ``礎``
in the other. The encoding used is the one in which most headers are known with a known unit.
"""

from __future__ import annotations

import codecs
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

import polars as pl

from cellpipe.core.errors import DamagedFileError, NoDataError
from cellpipe.core.model import Finding
from cellpipe.formats.damaged_records import LINE
from cellpipe.formats.tabular.block_columns import note_places, read_usable, reject_empty
from cellpipe.formats.tabular.dialect import Match
from cellpipe.formats.tabular.line_account import (
    HEADER_LINES,
    LineAccount,
    UsableLines,
    usual_separators,
)
from cellpipe.formats.tabular.records import DURATIONS, TEXT_TARGETS, standard_columns
from cellpipe.formats.tabular.second_names import NamesAbove
from cellpipe.formats.tabular.text_blocks import read_blocks, recode_texts

HeaderScore = Callable[[Sequence[str]], int]
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_LINES_BEFORE = 80
_LONGEST_HEADER = 1 << 13
_HEAD_BYTES = 1 << 16


@dataclass(frozen=True)
class Header:
    """A header line: the file's encoding and separator, the column names and the line number."""

    encoding: str
    separator: str
    fields: tuple[str, ...]
    line: int


class Level(Protocol):
    """A line of column names in a nested table, after a number of empty fields."""

    @property
    def indent(self) -> int:
        """Return the number of empty fields."""

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names."""


def find_header(head: bytes, score: HeaderScore) -> Header | None:
    """Return the first header line in the first bytes of a file, None if there is none.

    ``score`` counts the columns that a format knows among the fields of a line; 0: no header.
    """
    best: Header | None = None
    most = 0
    for encoding in _encodings(head):
        for number, separator, fields in _candidates(head, encoding):
            count = score(fields)
            if count > most:
                best, most = Header(encoding, separator, fields, number), count
            if count:
                break
    return best


@lru_cache(maxsize=8)  # each text format asks for the same file's
def _candidates(head: bytes, encoding: str) -> tuple[tuple[int, str, tuple[str, ...]], ...]:
    """Return the lines that may name columns: line number, separator and fields."""
    candidates = []
    for number, line in enumerate(_lines(head, encoding)[:_LINES_BEFORE]):
        if len(line) <= _LONGEST_HEADER and not _starts_with_number(line):
            separator, fields = split_line(line)
            if len(fields) > 2:
                candidates.append((number, separator, fields))
    return tuple(candidates)


def read_titles(path: Path, header: Header) -> str:
    """Return the lines above the header."""
    with path.open("rb") as stream:
        lines = _lines(stream.read(_HEAD_BYTES), header.encoding)
    return "\n".join(lines[: header.line])


def _encodings(head: bytes) -> tuple[str, ...]:
    for bom, encoding in _MARKS:
        if head.startswith(bom):
            return (encoding,)
    if b"\x00" in head[:512]:
        return ("utf-16-le",) if head[1:2] == b"\x00" else ()
    return ("utf-8",) if head.isascii() else ("utf-8", "gb18030", "cp1252")


def _lines(head: bytes, encoding: str) -> list[str]:
    """Return the lines; a carriage return ends a line only if there is no line feed."""
    text = head.decode(encoding, errors="replace")
    return [line.strip("\r") for line in text.split("\n" if "\n" in text else "\r")]


def _starts_with_number(line: str) -> bool:
    return line.lstrip("\ufeff\"' ,;\t")[:1].isdigit()


def split_line(line: str, separator: str | None = None) -> tuple[str, tuple[str, ...]]:
    """Return a line's separator, and its fields without quotes, blanks and empty last fields."""
    chosen = separator or max(",;\t", key=line.count)
    fields = [field.strip("\ufeff\"' \t\r\n") for field in line.split(chosen)]
    while fields and not fields[-1]:
        fields.pop()
    return chosen, tuple(fields)


def read_columns(
    path: Path,
    header: Header,
    wanted: Sequence[int],
    texts: Collection[int] = (),
    transform: Callable[[pl.DataFrame], pl.DataFrame] = lambda frame: frame,
    *,
    levels: Sequence[Level] = (),
    durations: Mapping[str, str] = MappingProxyType({}),
) -> tuple[pl.DataFrame, tuple[Finding, ...]]:
    """Read columns below the header under its names: numbers, or text for those in ``texts``.

    Columns in which a number can't be parsed are returned as text; converting them later strips
    blanks, and makes null what is not a number. Empty lines and a truncated last line are left out,
    and lines that :class:`cellpipe.formats.tabular.line_account.UsableLines` rejects.

    Parameters
    ----------
    path, header
        The file, and its header line.
    wanted, texts
        Indices of the columns to read, and of those that are text.
    transform
        Applied to each block of lines, so that no more than one block is in memory as read.
    levels
        The lines of column names in a nested table, whose levels have different numbers of fields.
    durations
        Columns of durations, and what the transform calls them in seconds; values that can't be
        read as such are reported.

    Returns
    -------
    The columns, with the number of each line in a last column, and the findings.

    Raises
    ------
    NoDataError
        If there is no line.

    """
    names = unique_names(header.fields)
    numbers = [index for index in wanted if index not in texts]
    account = LineAccount(path, header.line + 1)
    usable: UsableLines | None = None
    names_above = _names_above(path, header, levels)
    frames, separator = [], header.separator.encode()
    for block in read_blocks(
        path, header.encoding, header.separator, header.line + 1, len(header.fields), account
    ):
        block = names_above.leave_out_second(block, account)  # noqa: PLW2901
        if not block.content.strip():
            continue
        if usable is None:
            usual = usual_separators(block.content, separator, len(names))
            indents = tuple(level.indent for level in levels)
            usable = UsableLines(account, separator, None if levels else usual, indents)
            if not levels:
                titles = read_titles(path, header).split("\n")
                account.check_titles(titles, header.separator, usual)
                account.check_names(names, block.content, separator, usual)
        read = read_usable(block, usable, names, wanted, numbers)
        if read is None:
            continue
        frame, lines = read
        if block.as_latin:
            frame = recode_texts(frame, header.encoding)
        frame, lines = reject_empty(frame, lines, account)
        done = transform(frame)
        for column, target in durations.items():
            note_places(column, frame[column], done[target], lines, account)
        frames.append(done.with_columns(lines.alias(LINE)))
    if not frames:
        raise _no_records_error()
    return _concat_frames(frames), account.findings()


def _names_above(path: Path, header: Header, levels: Sequence[Level]) -> NamesAbove:
    if not levels:
        with path.open("rb") as stream:
            lines = _lines(stream.read(_HEAD_BYTES), header.encoding)[header.line :][:1]
        fields = split_line(lines[0], header.separator)[1] if lines else header.fields
        return NamesAbove([fields], header.separator, header.encoding, header.line + 1)
    rows = [("",) * level.indent + level.names for level in levels]
    repeat = len({level.indent for level in levels}) < len(levels)
    return NamesAbove(
        rows, header.separator, header.encoding, HEADER_LINES, may_repeat=repeat, is_nested=True
    )


def no_header_error(maker: str, expected: str) -> DamagedFileError:
    """Return the error for a file whose header line is not found again after its recognition."""
    return DamagedFileError(
        f"no header line of {maker}'s",
        expected=f"{expected} and others in one line",
        remedy="export the file again with its column names",
    )


def _no_records_error() -> NoDataError:
    return NoDataError(
        "a header without records",
        expected="at least one record",
        remedy="nothing if the test has just begun; else export it again",
    )


def _concat_frames(frames: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """Concatenate blocks; a column is text if it is text in one of them."""
    text_columns = {
        name for frame in frames for name in frame.columns if frame[name].dtype == pl.String
    }
    aligned = [frame.with_columns(pl.col(text_columns).cast(pl.String)) for frame in frames]
    return pl.concat(aligned, rechunk=False) if len(aligned) > 1 else aligned[0]


def unique_names(fields: Sequence[str]) -> list[str]:
    """Return unique names: an empty or repeated one gets its index as a suffix."""
    seen: set[str] = set()
    names = []
    for index, field in enumerate(fields):
        name = field if field and field not in seen else f"{field}#{index}"
        seen.add(name)
        names.append(name)
    return names


def read_header(path: Path, score: HeaderScore) -> Header | None:
    """Find the header line of a file."""
    with path.open("rb") as stream:
        return find_header(stream.read(_HEAD_BYTES), score)


def read_flat_table(
    path: Path,
    header: Header,
    match_columns: Callable[[Sequence[str]], list[Match]],
    *,
    bare_seconds: bool,
) -> tuple[pl.DataFrame, tuple[Finding, ...]]:
    """Read a file with one line per record into standard columns (dates as written).

    ``bare_seconds``: the maker's documentation fixes seconds for a time without a unit.
    """
    matches = match_columns(unique_names(header.fields))

    def standardize(frame: pl.DataFrame) -> pl.DataFrame:
        return standard_columns(frame, matches, bare_seconds=bare_seconds)

    durations = {m.header: m.target for m in matches if m.target in DURATIONS}
    return _read_matched_columns(path, header, matches, standardize, durations)


def read_vendor_table(
    path: Path, header: Header, match_columns: Callable[[Sequence[str]], list[Match]]
) -> tuple[pl.DataFrame, list[Match], tuple[Finding, ...]]:
    """Read the columns that a maker's quantities name, unconverted.

    Return the columns, the match of each with a standard column, and the findings.
    """
    matches = match_columns(unique_names(header.fields))
    frame, findings = _read_matched_columns(path, header, matches, lambda frame: frame)
    return frame, matches, findings


def _read_matched_columns(
    path: Path,
    header: Header,
    matches: Sequence[Match],
    transform: Callable[[pl.DataFrame], pl.DataFrame],
    durations: Mapping[str, str] = MappingProxyType({}),
) -> tuple[pl.DataFrame, tuple[Finding, ...]]:
    names = unique_names(header.fields)
    targets = {names.index(match.header): match.target for match in matches}
    texts = {index for index, target in targets.items() if target in TEXT_TARGETS}
    return read_columns(path, header, sorted(targets), texts, transform, durations=durations)
