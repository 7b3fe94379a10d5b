"""Bound the lists of a page that grow with what goes wrong: what repeats is said once, and counted.

Nothing is lost by it: the sheets of the workbook and the tables have every row.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import polars as pl

from cellpipe.core.clean_text import escape_controls_in_lines
from cellpipe.report.wording import format_time

FEW = 20  # so many are shown each with all that is known of it
_EXPECTED = "; expected "
_BYTES = 850_000  # of the files that could not be used, on a page
_BYTES_OF_LINE, _BYTES_OF_COLUMN = 10, 20  # besides the texts
_OTHER = "other reasons"


@dataclass(frozen=True)
class RejectedFiles:
    """Files that could not be used for one reason.

    ``rows`` are their paths, what was found in each and when it was written; either is empty where
    there is no room for it, or ``reason`` says it. For ``more`` files there is no room.
    """

    reason: str
    count: int
    rows: tuple[tuple[str, str, str], ...]
    more: int = 0

    @property
    def has_found(self) -> bool:
        """Whether the files differ in what was found."""
        return any(found for _, found, _ in self.rows)

    @property
    def has_time(self) -> bool:
        """Whether it is said when the files were written."""
        return any(when for _, _, when in self.rows)


def group_by_reason(files: pl.DataFrame) -> list[RejectedFiles]:
    """Group files that could not be used by what was expected of them, the largest group first.

    ``files`` are their rows of the table ``files``. A line for each, at most 0.85 MB in all.
    """
    groups: dict[str, list[tuple[str, str, str]]] = {}
    columns = files.sort("path").select("path", "reason", "modified_at")
    counts = dict(files.group_by("reason").len().iter_rows())
    for path, reason, modified in columns.iter_rows():
        found, said = _split_reason(reason or "", is_repeated=counts[reason] > 1)
        groups.setdefault(said, []).append((path, found, format_time(modified)))
    ordered = sorted(groups.items(), key=lambda each: (-len(each[1]), each[0]))
    whole = [_make_group(said, rows) for said, rows in ordered]
    if sum(map(_size, whole)) > _BYTES:
        whole = [_without_found(group) for group in whole]
    if sum(map(_size, whole)) > _BYTES:
        whole = [
            RejectedFiles(g.reason, g.count, tuple((path, "", "") for path, _, _ in g.rows))
            for g in whole
        ]
    room = _BYTES
    bounded = []
    for group in whole:
        shown = _fitting(group.rows, room)
        room -= sum(map(_line_size, group.rows[:shown]))
        bounded.append(
            RejectedFiles(group.reason, group.count, group.rows[:shown], group.count - shown)
        )
    return bounded


def _split_reason(reason: str, *, is_repeated: bool) -> tuple[str, str]:
    """Return what was found in a file, and the rest of the reason, which it shares with others."""
    found, expected, rest = reason.partition(_EXPECTED)
    if expected:
        return found.removeprefix("found "), f"expected {rest}"
    return ("", reason) if is_repeated else (reason, _OTHER)


def _make_group(said: str, rows: Sequence[tuple[str, str, str]]) -> RejectedFiles:
    """Return a group of files; what was found in all of them is said once."""
    all_found = {found for _, found, _ in rows}
    if len(all_found) > 1 or not (found := all_found.pop()):
        return RejectedFiles(said, len(rows), tuple(rows))
    reason = found if said == _OTHER else f"found {found}; {said}"
    return RejectedFiles(reason, len(rows), tuple((path, "", when) for path, _, when in rows))


def _without_found(group: RejectedFiles) -> RejectedFiles:
    """Return a group that says once how what was found in its files begins."""
    if not group.has_found:
        return group
    begins = _common_words([found for _, found, _ in group.rows])
    reason = f"found {begins} …; {group.reason}" if begins else group.reason
    rows = tuple((path, "", when) for path, _, when in group.rows)
    return RejectedFiles(reason, group.count, rows)


def _common_words(texts: Sequence[str]) -> str:
    """Return the words that all texts begin with."""
    first, last = min(texts), max(texts)
    pairs = enumerate(zip(first, last, strict=False))
    length = next((place for place, (a, b) in pairs if a != b), min(len(first), len(last)))
    return first[:length].rpartition(" ")[0]


def _size(group: RejectedFiles) -> int:
    return sum(map(_line_size, group.rows))


def _line_size(row: tuple[str, str, str]) -> int:
    path, *others = (
        len(escape(escape_controls_in_lines(text)).encode("utf-8", "xmlcharrefreplace"))
        for text in row
    )
    return _BYTES_OF_LINE + path + sum(_BYTES_OF_COLUMN + length for length in others if length)


def _fitting(rows: Sequence[tuple[str, str, str]], room: int) -> int:
    """Return how many rows there is room for."""
    for number, row in enumerate(rows):
        room -= _line_size(row)
        if room < 0:
            return number
    return len(rows)


def shorten_findings(findings: Iterable[dict[str, Any]], most: int = FEW) -> list[dict[str, Any]]:
    """Return findings, of each kind so many at most, and behind them how many more there are."""
    shown: list[dict[str, Any]] = []
    counts: dict[tuple[str, str], int] = {}
    for finding in findings:
        kind = (finding["code"], finding["severity"])
        counts[kind] = counts.get(kind, 0) + 1
        if counts[kind] <= most:
            shown.append(finding)
    for (code, severity), count in counts.items():
        if count > most:
            sentence = (
                f"{count - most} more of this kind ({code.replace('_', ' ')}); the workbook has "
                "all of them in its sheet Findings."
            )
            shown.append({
                "severity": severity, "sentence": sentence, "code": code, "remedy": None,
                "since": None,
            })  # fmt: skip
    return shown
