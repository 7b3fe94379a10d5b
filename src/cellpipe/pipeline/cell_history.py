"""A cell's history: its files in the order of time, each recording once, gaps named."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise

from cellpipe.core.model import Finding
from cellpipe.store import Content

_NEVER = datetime.max.replace(tzinfo=UTC)
GAP_SECOND = 86_400.0  # between two files of a cell: more is said


@dataclass(frozen=True)
class InputFile:
    """A file of a cell: its path within the folder, its size and what reading it gave."""

    path: str
    size: int
    content: Content


def order_files(
    files: Sequence[InputFile], unused: dict[str, tuple[str, str]]
) -> tuple[tuple[InputFile, ...], tuple[Finding, ...]]:
    """Put a cell's files in the order of time, each content and each recording once.

    Those that hold a recording once more go to ``unused`` with their status and reason.
    """
    findings: list[Finding] = []
    kept: list[InputFile] = []
    for file in _sort_by_time(files):
        twin = next((k for k in kept if _is_same_recording(k, file)), None)
        if twin is None:
            kept.append(file)
            continue
        better, other = _sort_by_preference(twin, file)
        kept[kept.index(twin)] = better
        sentence = f"{other.path} holds the same recording as {better.path}; the latter is used."
        unused[other.path] = ("duplicate", sentence)
        findings.append(Finding("info", "same_recording", sentence))
    return tuple(kept), (*findings, *_gap_findings(kept))


def _sort_by_time(files: Sequence[InputFile]) -> list[InputFile]:
    """Put files in the order of time; one without a clock behind those whose names come before."""
    timed = [file for file in files if file.content.started_at is not None]
    ordered = sorted(timed, key=lambda file: (file.content.started_at or _NEVER, file.path))
    keys = [_natural_key(file.path) for file in ordered]
    clockless = [(_natural_key(file.path), file) for file in files if not file.content.started_at]
    for key, file in sorted(clockless, key=lambda each: each[0]):
        place = next((n for n in range(len(keys), 0, -1) if keys[n - 1] < key), 0)
        ordered.insert(place, file)
        keys.insert(place, key)
    return ordered


def _natural_key(path: str) -> tuple[tuple[str, int], ...]:
    """Return a name's words and numbers, so that part 10 comes after part 9."""
    parts = re.findall(r"(\D*)(\d*)", path.casefold())
    return tuple((word, int(digits or 0)) for word, digits in parts)


def _gap_findings(files: Sequence[InputFile]) -> list[Finding]:
    """Say where more than a day lies between one file's end and the next one's beginning."""
    said = []
    for one, other in pairwise(files):
        a, b = one.content, other.content
        if a.started_at is None or b.started_at is None:
            continue
        gap = (b.started_at - a.started_at).total_seconds() - (a.span_second or 0.0)
        if gap > GAP_SECOND:
            sentence = (
                f"{gap / 86_400:.1f} days lie between the end of {one.path} and the beginning of "
                f"{other.path}: a file may be missing."
            )
            said.append(Finding("info", "gap_between_files", sentence))
    return said


def _is_same_recording(one: InputFile, other: InputFile) -> bool:
    """Return whether two files are one content, or two exports of one recording.

    Exports of one recording begin at the same second, or hold as many records over the same time
    with the same charge while their clocks differ as time zones do.
    """
    a, b = one.content, other.content
    if a.sha256 == b.sha256:
        return True
    if not (a.records and b.records) or bool(a.spectra) != bool(b.spectra):
        return False
    apart = _start_difference(a, b)
    to_the_day = any(f.code == "start_known_to_the_day" for f in (*a.findings, *b.findings))
    if apart is not None and apart < 1 and not to_the_day:
        return True
    like_a_zone = apart is None or to_the_day or (apart < 93_600 and (apart + 60) % 900 < 120)
    return like_a_zone and a.records == b.records and _is_same_charge(a, b)


def _start_difference(a: Content, b: Content) -> float | None:
    if a.started_at is None or b.started_at is None:
        return None
    return abs((a.started_at - b.started_at).total_seconds())


def _is_same_charge(a: Content, b: Content) -> bool:
    """Return whether the same charge passed in the same time, to what exports round away."""
    if not (a.span_second and b.span_second and a.throughput_ah and b.throughput_ah):
        return False
    return math.isclose(a.span_second, b.span_second, rel_tol=1e-3, abs_tol=2) and math.isclose(
        a.throughput_ah, b.throughput_ah, rel_tol=2e-3
    )


def _sort_by_preference(one: InputFile, other: InputFile) -> tuple[InputFile, InputFile]:
    """Prefer the longer recording, then the instrument's own binary file."""

    def rank(file: InputFile) -> tuple[int, bool]:
        binary = (file.content.format or "").endswith(("_mpr", "_res", "_nda", "_ndax"))
        return file.content.records or 0, binary

    return (other, one) if rank(other) > rank(one) else (one, other)
