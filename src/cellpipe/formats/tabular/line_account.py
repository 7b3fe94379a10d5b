"""Account for every line of a text file: what is no record is reported with its place.

Lines have one number of fields, that of most; in a nested table each level has its own. A line with
another number was cut, joined with the next or overwritten, and its values may stand under other
columns: it is rejected, as is a line with erased bytes (:mod:`cellpipe.formats.tabular.erased`).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import polars as pl

from cellpipe.core.model import Finding, Rejection
from cellpipe.formats.tabular.erased import Erased, blank_erasures, erased_findings

_MOST_ROWS = 10_000  # lines whose text is kept; all are counted
_LONGEST_TEXT = 200
_SAMPLE_BYTES = 1 << 16
_PIECE = 1 << 18  # bytes that stay in the processor's cache
HEADER_LINES = 12
_NUMBER = re.compile(r"[-+]?\d+[.,]\d+(?:[eE][-+]?\d+)?")
_BLANK = b" \r\n\x1a"


@dataclass
class LineAccount:
    """What became of the lines of a file that are no records.

    ``path`` is the file, ``table`` the one that its records were meant for, and ``titles`` the
    number of lines above the records.
    """

    path: Path
    titles: int = 0
    table: str = "timeseries"
    notes: list[Finding] = field(default_factory=list)
    _erased: list[Erased] = field(default_factory=list)
    _rejected: list[tuple[int, str, str]] = field(default_factory=list)
    _reasons: Counter[str] = field(default_factory=Counter)
    _places: dict[str, list[int]] = field(default_factory=dict)
    _unreadable: dict[str, tuple[str, int, int]] = field(default_factory=dict)
    _counted: tuple[int, int] = (0, 0)
    _closed: tuple[int, int] = (0, 0)

    @property
    def is_closed(self) -> bool:
        """Return whether a second line of column names was met, below which nothing is read."""
        return self._closed[0] > 0

    def close(self, number: int, content: bytes) -> None:
        """Leave out a second line of column names, by its number from 1, and what is below it.

        ``number`` is 0 for the lines of the next block.
        """
        first, left_out = self._closed
        lines = content.split(b"\n")
        at = number or first + left_out
        for place, line in enumerate(lines if lines[-1] else lines[:-1]):
            if line.strip(_BLANK):
                self._keep(at + place, line, "below a second line of column names")
        size = len(lines) - (not lines[-1])
        self._closed = (first or number, left_out + size)

    def line_at(self, offset: int, end: bytes = b"\n") -> int:
        """Return how many lines of the file end before a byte."""
        start, lines = self._counted if self._counted[0] <= offset else (0, 0)
        with self.path.open("rb") as stream:
            stream.seek(start)
            while start < offset and (piece := stream.read(min(1 << 22, offset - start))):
                lines += piece.count(end)
                start += len(piece)
        self._counted = (start, lines)
        return lines

    def reject(self, number: int, line: bytes | str, reason: str) -> None:
        """Reject a line, by its number from 1, because of something."""
        self._reasons[reason] += 1
        self._places.setdefault(reason, [])
        if len(self._places[reason]) < 5:
            self._places[reason].append(number)
        self._keep(number, line if isinstance(line, bytes) else line.encode(), reason)

    def _keep(self, number: int, line: bytes, reason: str) -> None:
        if len(self._rejected) < _MOST_ROWS:
            text = line[:_LONGEST_TEXT].decode("utf-8", "replace").strip()
            self._rejected.append((number, text, reason))

    def blank_erasures(self, content: bytes, offset: int | None, line: int) -> bytes:
        """Return the content with lines that have erased bytes made empty, and report them.

        ``offset`` is the place of the content in the file (None: not known), ``line`` the number of
        lines above it.
        """
        content, regions = blank_erasures(content, offset, line)
        for region in regions:
            self._erased.append(region)
            self._keep(region.line, region.text, f"{region.kind} instead of text")
        return content

    def note_unreadable(self, column: str, text: str, line: int, number: int) -> None:
        """Note values of a column that are no numbers, and the first of them."""
        known = self._unreadable.setdefault(column, (text, line, 0))
        self._unreadable[column] = (known[0], known[1], known[2] + number)

    def findings(self) -> tuple[Finding, ...]:
        """Return the findings about what was left out, the first with the rejected lines."""
        found = [
            *erased_findings(self._erased, self.titles),
            *self._line_findings(),
            *self._closed_findings(),
            *self._value_findings(),
        ]
        if found:
            rows = self._rejected_rows()
            first = found[0]
            found[0] = Rejection(first.level, first.code, first.sentence, first.rows, rejected=rows)
        return (*self.notes, *found)

    def _line_findings(self) -> Iterator[Finding]:
        for reason, number in self._reasons.items():
            places = ", ".join(f"{place:,}" for place in self._places[reason])
            more = " …" if number > len(self._places[reason]) else ""
            what = f"Line {places} is" if number == 1 else f"{number:,} lines are"
            where = "" if number == 1 else f" (lines {places}{more})"
            yield Finding("warning", "lines_left_out", f"{what} left out{where}: {reason}.", number)

    def _closed_findings(self) -> Iterator[Finding]:
        if not self.is_closed:
            return
        line, number = self._closed
        sentence = (
            f"Line {line:,} names the columns anew; it and what follows it ({number:,} lines) are "
            "left out: two files may have been joined."
        )
        yield Finding("warning", "second_column_names", sentence, number)

    def check_titles(self, lines: Sequence[str], separator: str, separators: int) -> None:
        """Reject records that stand above the column names, where no instrument writes any."""
        for number, line in enumerate(lines, 1):
            if line[:1].isdigit() and line.count(separator) == separators > 1:
                self.reject(number, line, "a record above the column names")

    def check_names(
        self, names: Sequence[str], content: bytes, separator: bytes, separators: int
    ) -> None:
        """Note column names that are numbers, and records with more values than names."""
        lines = content[:_SAMPLE_BYTES].split(b"\n")
        usual = [line for line in lines if line.count(separator) == separators]
        values = max((len(_filled(line, separator)) for line in usual[:HEADER_LINES]), default=0)
        number = next((name for name in names if _NUMBER.fullmatch(name)), None)
        if values > len(names):
            found = f"{values} values stand under {len(names)} column names"
        elif number is not None:
            found = f"a column is called {number}"
        else:
            return
        sentence = (
            f"The line of the column names ({self.titles:,}) is damaged, and records below it may "
            f"be lost: {found}."
        )
        self.notes.append(Finding("warning", "header_damaged", sentence))

    def _value_findings(self) -> Iterator[Finding]:
        for column, (text, line, number) in self._unreadable.items():
            values = "One value is" if number == 1 else f"{number:,} values are"
            sentence = (
                f"{values} no number in the column {column} and left out: "
                f"{'' if number == 1 else 'the first is '}{text[:40]!r} in line {line:,}."
            )
            yield Finding("warning", "values_unreadable", sentence, number)

    def _rejected_rows(self) -> pl.DataFrame:
        return pl.DataFrame(
            [(self.table, None, f"line {n}", text, why) for n, text, why in self._rejected],
            schema={"table": pl.String, "record_index": pl.Int64, "column": pl.String,
                    "value": pl.String, "reason": pl.String},
            orient="row",
        )  # fmt: skip


def count_separators(content: bytes, separator: bytes) -> int:
    """Count a byte, where it is so frequent that ``bytes.count`` takes long."""
    values, sought = np.frombuffer(content, np.uint8), separator[0]
    return sum(
        int(np.count_nonzero(values[at : at + _PIECE] == sought))
        for at in range(0, len(values), _PIECE)
    )


def separators_per_line(content: bytes, separator: bytes) -> np.ndarray:
    """Return the number of separators in each line, shape (lines,)."""
    values = np.frombuffer(content, np.uint8)
    ends = np.flatnonzero(values == 0x0A)
    if not content.endswith(b"\n"):
        ends = np.append(ends, len(content))
    places = np.flatnonzero(values == separator[0])
    return np.diff(np.searchsorted(places, ends), prepend=0)


def usual_separators(content: bytes, separator: bytes, header_fields: int) -> int:
    """Return the number of separators that most lines have, nearest the header's if several do."""
    end = content.rfind(b"\n", 0, _SAMPLE_BYTES) + 1 or len(content)
    counts = np.bincount(separators_per_line(content[:end], separator))
    counts[0] = 0  # blank lines
    if not counts.any():
        return max(header_fields - 1, 0)
    most = np.flatnonzero(counts == counts.max())
    return int(min(most, key=lambda number: abs(int(number) - header_fields + 1)))


@dataclass
class UsableLines:
    """Separate the lines that are records from the others.

    ``separators`` is the number in a record; None for a nested table, whose levels differ. Then
    ``indents`` are the numbers of empty fields before the values of its levels.
    """

    account: LineAccount
    separator: bytes
    separators: int | None
    indents: Collection[int] = ()
    _known: set[tuple[int, int]] = field(default_factory=set)

    def select(self, content: bytes, lines_above: int) -> tuple[bytes, list[int]]:
        """Return the lines of a block that can be read, and their numbers from 1."""
        lines = content.split(b"\n")
        if not lines[-1]:
            lines.pop()
        allowed = self._allowed(lines) if self.separators is None else None
        kept, numbers = list[bytes](), list[int]()
        for number, line in enumerate(lines, lines_above + 1):
            if not line.strip(_BLANK):
                if len(line.rstrip(b"\r\x1a")) > 0:
                    self.account.reject(number, line, "blanks only")
                continue
            reason = self._fault(line, allowed)
            if reason:
                self.account.reject(number, line, reason)
                continue
            kept.append(line)
            numbers.append(number)
        return b"\n".join(kept), numbers

    def _fault(self, line: bytes, allowed: set[tuple[int, int]] | None) -> str:
        if line.count(b'"') % 2:
            return "a quotation mark without its pair"
        if allowed is not None:
            known = (_indent(line, self.separator), self._count(line)) in allowed
            return "" if known else "another number of values than its level has"
        more = self._count(line) - (self.separators or 0)
        if not more:
            return ""
        return (
            f"too {'many' if more > 0 else 'few'} values ({(self.separators or 0) + 1} are usual)"
        )

    def _count(self, line: bytes) -> int:
        """Count the separators that are not within quotation marks."""
        if b'"' not in line:
            return line.count(self.separator)
        return sum(part.count(self.separator) for part in line.split(b'"')[::2])

    def _allowed(self, lines: Iterable[bytes]) -> set[tuple[int, int]]:
        """Return which numbers of separators the levels of a nested table have, by their indent.

        They are those of the first lines, and of most lines at an indent. Lines without an indent
        are cycles where the levels differ by it: records that lost theirs may be more.
        """
        filled = [line for line in lines if line.strip(_BLANK)]
        shapes = [(_indent(line, self.separator), self._count(line)) for line in filled]
        if not self._known:
            self._known |= {shape for shape in shapes[:HEADER_LINES] if shape[0] in self.indents}
            self._known |= {
                (indent, len(_filled(line, self.separator)) - 1)
                for line, (indent, _) in zip(filled[:HEADER_LINES], shapes, strict=False)
                if indent in self.indents
            }
        numbers = Counter(shapes)
        for indent in self.indents:
            if indent == 0 and len({*self.indents}) > 1:
                continue
            here = {shape: number for shape, number in numbers.items() if shape[0] == indent}
            self._known |= {s for s, number in here.items() if 2 * number > sum(here.values())}
        return self._known


def _filled(line: bytes, separator: bytes) -> list[bytes]:
    """Return the fields of a line up to the last that is not empty."""
    return line.rstrip(separator + _BLANK).split(separator)


def _indent(line: bytes, separator: bytes) -> int:
    return len(line) - len(line.lstrip(separator))


def last_filled_field(content: bytes, separator: bytes) -> int:
    """Return the place of the last field of the first line that is not empty."""
    line = content[: content.find(b"\n") + 1 or len(content)].rstrip(b"\r\n")
    return line.rstrip(separator + b" ").count(separator)


def is_even(frame: pl.DataFrame, content: bytes, usable: UsableLines, witness: str | None) -> bool:
    """Return whether all lines of a block, which was read into a frame, have the usual fields.

    ``witness`` names the column of the last field.
    """
    expected = usable.separators or 0
    if count_separators(content, usable.separator) != expected * frame.height:
        return False
    if witness is not None and not frame[witness].null_count():
        return True
    return bool((separators_per_line(content, usable.separator) == expected).all())
