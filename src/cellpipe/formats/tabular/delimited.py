"""Vendor text: its encoding, its separator, its header line, and its columns read as text.

A file is UTF-8 (with or without a mark), UTF-16, GB18030 (Chinese Windows; GBK and GB2312 are parts
of it) or Windows-1252. Bytes alone can't tell the last two apart: ``µA`` in one is ``礎`` in the
other. The encoding taken is the one in which most headers are known with a known unit.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import polars as pl

from cellpipe.core.errors import DamagedFileError, NoDataError
from cellpipe.core.model import Finding
from cellpipe.formats.tabular.dialect import Match
from cellpipe.formats.tabular.records import TEXT_TARGETS, standard_columns
from cellpipe.formats.tabular.text_blocks import read_blocks, recode_texts

HeaderScore = Callable[[Sequence[str]], int]
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_DECIMAL_COMMA = re.compile(
    rb"""(?:^|[;\t"'])[ ]*[+-]?\d+,\d+(?:[eE][+-]?\d+)?[ ]*(?:["';\t\r]|$)""", re.MULTILINE
)
_LINES_BEFORE = 80
_LONGEST_HEADER = 1 << 13
_HEAD_BYTES = 1 << 16


@dataclass(frozen=True)
class Header:
    """The line that names the columns: how the file is written, and how many lines stand before."""

    encoding: str
    separator: str
    fields: tuple[str, ...]
    line: int


def find_header(head: bytes, known: HeaderScore) -> Header | None:
    """Find the first header line in the first bytes of a file, None where there is none.

    ``known`` counts the columns that a format knows among the fields of a line; 0: not its header.
    """
    best: Header | None = None
    most = 0
    for encoding in _encodings(head):
        for number, separator, fields in _candidates(head, encoding):
            count = known(fields)
            if count > most:
                best, most = Header(encoding, separator, fields, number), count
            if count:
                break
    return best


@lru_cache(maxsize=8)  # each text format asks for those of the same file
def _candidates(head: bytes, encoding: str) -> tuple[tuple[int, str, tuple[str, ...]], ...]:
    """Return the lines that may name columns: place, separator and fields."""
    found = []
    for number, line in enumerate(_lines(head, encoding)[:_LINES_BEFORE]):
        if len(line) <= _LONGEST_HEADER and not _starts_with_number(line):
            separator, fields = split_line(line)
            if len(fields) > 2:
                found.append((number, separator, fields))
    return tuple(found)


def read_titles(path: Path, header: Header) -> str:
    """Return the lines above the header."""
    with path.open("rb") as stream:
        lines = _lines(stream.read(_HEAD_BYTES), header.encoding)
    return "\n".join(lines[: header.line])


def _encodings(head: bytes) -> tuple[str, ...]:
    for mark, encoding in _MARKS:
        if head.startswith(mark):
            return (encoding,)
    if b"\x00" in head[:512]:
        return ("utf-16-le",) if head[1:2] == b"\x00" else ()
    return ("utf-8",) if head.isascii() else ("utf-8", "gb18030", "cp1252")


def _lines(head: bytes, encoding: str) -> list[str]:
    """Return lines as they are counted below: a carriage return ends one if nothing else does."""
    text = head.decode(encoding, errors="replace")
    return [line.strip("\r") for line in text.split("\n" if "\n" in text else "\r")]


def _starts_with_number(line: str) -> bool:
    return line.lstrip("\ufeff\"' ,;\t")[:1].isdigit()


def split_line(line: str, separator: str | None = None) -> tuple[str, tuple[str, ...]]:
    """Return a line's separator and its fields, without quotes, blanks and an empty end."""
    taken = separator or max(",;\t", key=line.count)
    fields = [field.strip("\ufeff\"' \t\r\n") for field in line.split(taken)]
    while fields and not fields[-1]:
        fields.pop()
    return taken, tuple(fields)


def read_columns(
    path: Path,
    header: Header,
    wanted: Sequence[int],
    texts: Collection[int] = (),
    finished: Callable[[pl.DataFrame], pl.DataFrame] = lambda frame: frame,
) -> tuple[pl.DataFrame, tuple[Finding, ...]]:
    """Read columns below the header, named as in it: numbers, or text where that is said.

    A number that can't be read as it stands is read with the blanks around it taken away; what is
    none then is null. Lines that hold nothing are left out, and so is a last line that is cut off.

    Parameters
    ----------
    path, header
        The file, and the line that names its columns.
    wanted, texts
        Places of the columns to read, and of those that are text.
    finished
        What is kept of a block of lines, so that no more than one is in memory as it was read.

    Raises
    ------
    NoDataError
        If there is no line.

    """
    names, findings = unique_names(header.fields), list[Finding]()
    numbers = [place for place in wanted if place not in texts]
    frames = []
    for block in read_blocks(
        path, header.encoding, header.separator, header.line + 1, len(header.fields), findings
    ):
        frame = _read_block(block.content, header.separator, names, wanted, numbers)
        if block.as_latin:
            frame = recode_texts(frame, header.encoding)
        if all(frame.null_count().row(0)):
            frame = frame.filter(~pl.all_horizontal(pl.all().is_null()))
        frames.append(finished(frame))
    if not frames:
        raise _no_records_error()
    return _concat_frames(frames), tuple(findings)


def _read_block(
    content: bytes,
    separator: str,
    names: Sequence[str],
    wanted: Sequence[int],
    numbers: Sequence[int],
) -> pl.DataFrame:
    """Read lines with numbers as numbers, or all as text if one of them is none as it stands."""
    commas = separator != "," and _has_decimal_commas(content[: 1 << 12])
    frame = None
    if numbers:
        with suppress(pl.exceptions.ComputeError):
            frame = _parse_csv(content, separator, names, wanted, numbers, commas)
    if frame is None:
        frame = _parse_csv(content, separator, names, wanted, (), commas)
        commas = commas or (separator != "," and _has_decimal_commas(content))
    if not commas:
        return frame
    return frame.with_columns(pl.col(pl.String).str.replace(",", ".", literal=True))


def no_header_error(maker: str, expected: str) -> DamagedFileError:
    """Return the error for a file whose header line is not where it was when it was recognised."""
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
    """Put blocks behind one another; a column is text if it is so in one of them."""
    texts = {name for frame in frames for name in frame.columns if frame[name].dtype == pl.String}
    alike = [frame.with_columns(pl.col(texts).cast(pl.String)) for frame in frames]
    return pl.concat(alike, rechunk=False) if len(alike) > 1 else alike[0]


def _parse_csv(
    content: bytes,
    separator: str,
    names: Sequence[str],
    wanted: Sequence[int],
    numbers: Sequence[int],
    decimal_comma: bool,
) -> pl.DataFrame:
    mark, first = separator.encode(), content[: content.find(b"\n")]
    width = max(len(names), first.count(mark) + 1)
    top = mark.join(b"c%d" % place for place in range(width))  # polars counts the columns there
    frame = pl.read_csv(
        b"".join((top, b"\n", content)),
        separator=separator,
        columns=list(wanted),
        schema_overrides={f"c{place}": pl.Float64 for place in numbers},
        infer_schema=False,
        truncate_ragged_lines=True,
        decimal_comma=decimal_comma and bool(numbers),
        quote_char='"' if b'"' in content else None,
    )
    return frame.rename({f"c{place}": names[place] for place in wanted})


def _has_decimal_commas(content: bytes) -> bool:
    return _DECIMAL_COMMA.search(content) is not None


def unique_names(fields: Sequence[str]) -> list[str]:
    """Return names that occur once: an empty or repeated one gets its place behind it."""
    seen: set[str] = set()
    names = []
    for place, field in enumerate(fields):
        name = field if field and field not in seen else f"{field}#{place}"
        seen.add(name)
        names.append(name)
    return names


def read_header(path: Path, known: HeaderScore) -> Header | None:
    """Find the header line of a file."""
    with path.open("rb") as stream:
        return find_header(stream.read(_HEAD_BYTES), known)


def read_flat_table(
    path: Path,
    header: Header,
    columns_in: Callable[[Sequence[str]], list[Match]],
    *,
    bare_seconds: bool,
) -> tuple[pl.DataFrame, tuple[Finding, ...]]:
    """Read a file with one line per record into standard columns (dates as they are written).

    ``bare_seconds`` says that the maker's documentation fixes seconds for a time without a unit.
    """
    found = columns_in(unique_names(header.fields))

    def finished(frame: pl.DataFrame) -> pl.DataFrame:
        return standard_columns(frame, found, bare_seconds=bare_seconds)

    return _read_matched_columns(path, header, found, finished)


def read_vendor_table(
    path: Path, header: Header, columns_in: Callable[[Sequence[str]], list[Match]]
) -> tuple[pl.DataFrame, list[Match], tuple[Finding, ...]]:
    """Read the columns that a maker's quantities name as the vendor has them.

    Gives the columns, where each goes, and what has to be said.
    """
    found = columns_in(unique_names(header.fields))
    frame, findings = _read_matched_columns(path, header, found, lambda frame: frame)
    return frame, found, findings


def _read_matched_columns(
    path: Path,
    header: Header,
    found: Sequence[Match],
    finished: Callable[[pl.DataFrame], pl.DataFrame],
) -> tuple[pl.DataFrame, tuple[Finding, ...]]:
    names = unique_names(header.fields)
    places = {names.index(match.header): match.target for match in found}
    texts = {place for place, target in places.items() if target in TEXT_TARGETS}
    return read_columns(path, header, sorted(places), texts, finished)
