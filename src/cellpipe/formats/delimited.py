"""Vendor text: its encoding, its separator, its header line, and its columns read as text.

A file is UTF-8 (with or without a mark), UTF-16, GB18030 (Chinese Windows; GBK and GB2312 are parts
of it) or Windows-1252. Bytes alone can't tell the last two apart: ``µA`` in one is ``礎`` in the
other. The encoding taken is the one in which most headers are known with a known unit.
A file that was copied while it grew ends within a line: that line is left out, and a finding says
so.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from cellpipe.domain import Finding
from cellpipe.errors import NoDataError
from cellpipe.formats.dialect import Match
from cellpipe.formats.records import WRITTEN

Known = Callable[[Sequence[str]], int]
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_LINES_BEFORE = 40
_TOP_BYTES = 1 << 14
_TAIL_BYTES = 1 << 16
_HEAD_BYTES = 1 << 16


@dataclass(frozen=True)
class Header:
    """The line that names the columns: how the file is written, and how many lines stand before."""

    encoding: str
    separator: str
    fields: tuple[str, ...]
    line: int


@dataclass(frozen=True)
class Body:
    """All lines behind the header in UTF-8, and what has to be said about them."""

    content: bytes
    header: Header
    findings: tuple[Finding, ...] = ()


def header_in(head: bytes, known: Known) -> Header | None:
    """Find the first header line in the first bytes of a file, None where there is none.

    ``known`` counts the columns that a format knows among the fields of a line; 0: not its header.
    """
    best: Header | None = None
    most = 0
    for encoding in _encodings(head):
        for number, line in enumerate(_lines(head[:_TOP_BYTES], encoding)[:_LINES_BEFORE]):
            separator, fields = split(line)
            count = known(fields) if len(fields) > 2 and not _starts_with_number(line) else 0
            if count > most:
                best, most = Header(encoding, separator, fields, number), count
            if count:
                break
    return best


def _encodings(head: bytes) -> tuple[str, ...]:
    for mark, encoding in _MARKS:
        if head.startswith(mark):
            return (encoding,)
    if b"\x00" in head[:512]:
        return ("utf-16-le",) if head[1:2] == b"\x00" else ()
    return ("utf-8",) if head.isascii() else ("utf-8", "gb18030", "cp1252")


def _lines(head: bytes, encoding: str) -> list[str]:
    return re.split("\r\n|\r|\n", head.decode(encoding, errors="replace"))


def _starts_with_number(line: str) -> bool:
    return line.lstrip("\ufeff\"' ,;\t")[:1].isdigit()


def split(line: str, separator: str | None = None) -> tuple[str, tuple[str, ...]]:
    """Give a line's separator and its fields, without quotes, blanks and an empty end."""
    taken = separator or max(",;\t", key=line.count)
    fields = [field.strip("\ufeff\"' \t\r\n") for field in line.split(taken)]
    while fields and not fields[-1]:
        fields.pop()
    return taken, tuple(fields)


def body(path: Path, header: Header) -> Body:
    """Read all lines behind the header, in UTF-8 and without a last line that is cut off.

    Raises
    ------
    NoDataError
        If there is none.

    """
    content = _utf8(path.read_bytes(), header)
    start = 0
    for _ in range(header.line + 1):
        start = content.find(b"\n", start) + 1 or len(content)
    end, findings = _whole(content, start, header)
    whole = content[start:end]
    if not whole.strip():
        raise NoDataError(
            "a header without records",
            expected="at least one record",
            remedy="nothing if the test has just begun; else export it again",
        )
    return Body(whole, header, findings)


def _utf8(content: bytes, header: Header) -> bytes:
    """Give the file in UTF-8 with line feeds alone."""
    if header.encoding.startswith("utf-16"):
        content = content.decode(header.encoding, errors="replace").encode()
    elif not content.isascii():
        content = _decoded(content, header.encoding).encode()
    if b"\r" in content:
        content = content.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return content.removeprefix(codecs.BOM_UTF8)


def _decoded(content: bytes, encoding: str) -> str:
    """Decode all lines: the header may be ASCII where the lines below it are not."""
    cut = content.rfind(b"\n") + 1
    order = [encoding] + (["gb18030", "cp1252"] if encoding == "utf-8" else [])
    for name in order:
        try:
            return content[:cut].decode(name) + content[cut:].decode(name, errors="replace")
        except UnicodeDecodeError:
            continue
    return content.decode(order[-1], errors="replace")


def _whole(content: bytes, start: int, header: Header) -> tuple[int, tuple[Finding, ...]]:
    """Say where the last whole record ends.

    A last line that has fewer fields than the one above is left out; of a last line without an end
    the last value is left out if it is shorter than the one above it.
    """
    mark = header.separator.encode()
    tail = content[max(start, len(content) - _TAIL_BYTES) :]
    stripped = tail.rstrip(b"\n")
    end = len(content) - len(tail) + len(stripped)
    above, _, last = stripped.rpartition(b"\n")
    above = above.rstrip(b"\n").rpartition(b"\n")[2]
    expected = above.count(mark) if above else len(header.fields) - 1
    if last.count(mark) < expected and _indent(last, mark) == _indent(above, mark):
        sentence = "The file ends within a line: that record is left out; the file was cut off."
        return end - len(last), (Finding("warning", "file_cut_off", sentence, 1),)
    field, field_above = last.rpartition(mark)[2], above.rpartition(mark)[2]
    if above and len(tail) == len(stripped) and len(field) < len(field_above):
        sentence = "The last line has no end: its last value may be cut off and is left out."
        return end - len(field), (Finding("warning", "file_cut_off", sentence, 1),)
    return end, ()


def _indent(line: bytes, mark: bytes) -> int:
    """Count the empty fields before the first one, which tell the levels of a nested table."""
    return len(line) - len(line.lstrip(mark))


def columns(body: Body, wanted: Sequence[int], texts: Collection[int] = ()) -> pl.DataFrame:
    """Read columns, named as in the header: numbers, or text where that is said.

    A number that can't be read as it stands is read with the blanks around it taken away; what is
    none then is null. Lines that hold nothing are left out.
    """
    names, separator = unique(body.header.fields), body.header.separator
    numbers = [place for place in wanted if place not in texts]
    try:
        frame = _frame(body.content, separator, names, wanted, numbers)
    except pl.exceptions.ComputeError:
        frame = text_frame(body.content, separator, names, wanted)
    return frame.filter(~pl.all_horizontal(pl.all().is_null()))


def text_frame(
    content: bytes, separator: str, names: Sequence[str], wanted: Sequence[int] | None = None
) -> pl.DataFrame:
    """Read lines as text columns; missing fields are null and surplus ones are left out."""
    frame = _frame(content, separator, names, range(len(names)) if wanted is None else wanted, ())
    if separator == "," or not _has_decimal_commas(content):
        return frame
    return frame.with_columns(pl.all().str.replace(",", ".", literal=True))


def _frame(
    content: bytes,
    separator: str,
    names: Sequence[str],
    wanted: Sequence[int],
    numbers: Sequence[int],
) -> pl.DataFrame:
    """Read some columns; a line of all their places is put on top, as polars counts them there."""
    mark = separator.encode()
    width = max(len(names), content[: content.find(b"\n")].count(mark) + 1)
    top = mark.join(b"c%d" % place for place in range(width))
    frame = pl.read_csv(
        b"".join((top, b"\n", content)),
        separator=separator,
        columns=list(wanted),
        schema_overrides={f"c{place}": pl.Float64 for place in numbers},
        infer_schema=False,
        truncate_ragged_lines=True,
        quote_char='"' if b'"' in content else None,
    )
    return frame.rename({f"c{place}": names[place] for place in wanted})


def _has_decimal_commas(content: bytes) -> bool:
    first = content[: content.find(b"\n")]
    return re.search(rb"(?:^|[;\t])\s*[+-]?\d+,\d+\s*(?:[;\t]|$)", first) is not None


def unique(fields: Sequence[str]) -> list[str]:
    """Give names that occur once: an empty or repeated one gets its place behind it."""
    seen: set[str] = set()
    names = []
    for place, field in enumerate(fields):
        name = field if field and field not in seen else f"{field}#{place}"
        seen.add(name)
        names.append(name)
    return names


def claimed_header(path: Path, known: Known) -> Header | None:
    """Find the header line of a file."""
    with path.open("rb") as stream:
        return header_in(stream.read(_HEAD_BYTES), known)


def flat_table(
    path: Path, header: Header, columns_in: Callable[[Sequence[str]], list[Match]]
) -> tuple[pl.DataFrame, list[Match], tuple[Finding, ...]]:
    """Read the columns that a maker's quantities name from a file with one line per record.

    Gives the vendor's columns, where each goes, and what has to be said.
    """
    names = unique(header.fields)
    found = columns_in(names)
    lines = body(path, header)
    places = {names.index(match.header): match.target for match in found}
    texts = {place for place, target in places.items() if target in WRITTEN}
    return columns(lines, sorted(places), texts), found, lines.findings
