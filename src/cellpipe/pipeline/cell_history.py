"""A cell's history: its files in the order of time, each record once, gaps named.

Two files are one recording where they hold the same records
(:mod:`cellpipe.numerics.cycling.shared_records`), never because they begin at the same time or are
as long. The file with most records is used as it is, of the others what it lacks.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from cellpipe.core.model import Finding, Level
from cellpipe.pipeline.file_order import begin_second, end_second, follows, sort_by_time
from cellpipe.pipeline.overlaps import Overlaps
from cellpipe.store import Content
from cellpipe.store.overlaps import Overlap

GAP_SECOND = 86_400.0  # between two files of a cell: more is said
_NAMED = 3  # ranges of records in a sentence


@dataclass(frozen=True)
class InputFile:
    """A file of a cell: its path within the folder, its size and what reading it gave.

    ``overlaps`` say which of its records others of the cell's files hold: here they are left out.
    """

    path: str
    size: int
    content: Content
    overlaps: tuple[Overlap, ...] = ()


def order_files(
    files: Sequence[InputFile], unused: dict[str, tuple[str, str]], overlaps: Overlaps
) -> tuple[tuple[InputFile, ...], tuple[Finding, ...]]:
    """Put a cell's files in the order of time, each content and each record once.

    Those of which others hold all records go to ``unused`` with their status and reason.
    """
    findings: list[Finding] = []
    originals: dict[str, InputFile] = {}
    for file in sorted(files, key=lambda file: (len(file.path), file.path)):  # copies are longer
        twin = originals.setdefault(file.content.sha256, file)
        if twin is not file:
            findings.append(_leave_out(file, [twin.path], unused))
    paths = {file.path: file.content.sha256 for file in originals.values()}
    ordered = sort_by_time({path: originals[sha256].content for path, sha256 in paths.items()})
    distinct = {paths[path]: originals[paths[path]] for path in ordered}
    held: dict[str, str] = {}  # the content that holds all of another, by the other's
    kept: dict[str, InputFile] = {}
    for file in sorted(distinct.values(), key=_preference, reverse=True):
        found = _find_overlaps(file, distinct, held, kept, overlaps)
        shared = [overlap for overlap in found if not overlap.is_empty]
        if _is_covered(file.content, shared):
            names = [distinct[overlap.other].path for overlap in shared]
            findings.append(_leave_out(file, names, unused))
            if len(shared) == 1:
                held[file.content.sha256] = shared[0].other
            elif _is_doubled(shared, kept):
                findings.append(_doubled_finding(file, names))
        else:
            kept[file.content.sha256] = replace(file, overlaps=tuple(shared))
            findings += [_overlap_finding(file, distinct[one.other], one) for one in found]
    used = tuple(kept[sha256] for sha256 in distinct if sha256 in kept)
    return used, (*findings, *_gap_findings(used))


def _preference(file: InputFile) -> tuple[int, bool]:
    """Return what to prefer a file by: its records, then that it is the instrument's own."""
    binary = (file.content.format or "").endswith(("_mpr", "_res", "_nda", "_ndax"))
    return file.content.records or 0, binary


def _find_overlaps(
    file: InputFile,
    files: Mapping[str, InputFile],
    held: Mapping[str, str],
    kept: Mapping[str, InputFile],
    overlaps: Overlaps,
) -> list[Overlap]:
    """Return what a file shares with those kept, up to one that holds all of it.

    One that is known to hold all of it may be left out itself, as another holds all of that; then
    there is nothing to compare.
    """
    for sha256, holder in held.items():
        known = overlaps.look_up(file.content, files[sha256].content)
        if known is not None and known.is_whole:
            return [replace(known, other=holder)]
    found = []
    for other in kept.values():
        overlap = overlaps.find(file.content, other.content)
        if overlap is not None and overlap.is_whole:
            return [overlap]
        if overlap is not None and not (overlap.is_empty and not overlap.is_doubtful):
            found.append(overlap)
    return found


def _is_covered(content: Content, shared: Sequence[Overlap]) -> bool:
    """Return whether others hold all records and spectra of a content together."""
    if any(overlap.is_whole for overlap in shared):
        return True
    ranges = sorted(each for overlap in shared for each in overlap.rows)
    end, count = -1, 0
    for first, last in ranges:
        count += max(0, last - max(first - 1, end))
        end = max(end, last)
    spectra = {number for overlap in shared for number in overlap.spectra}
    is_known = content.extent is not None and content.records is not None
    return is_known and count == content.records and len(spectra) == (content.spectra or 0)


def _is_doubled(shared: Sequence[Overlap], kept: Mapping[str, InputFile]) -> bool:
    """Return whether others hold the same records of a file, and are not known to share any."""
    ranges = sorted(each for overlap in shared for each in overlap.rows)
    if all(before[1] < after[0] for before, after in pairwise(ranges)):
        return False
    holders = {overlap.other for overlap in shared}
    return not any(one.other in holders for sha256 in holders for one in kept[sha256].overlaps)


def _doubled_finding(file: InputFile, holders: Sequence[str]) -> Finding:
    sentence = (
        f"{' and '.join(holders)} both hold some of the records of {file.path}, and nothing else "
        "tells that they share them: those may count twice. Export the test once, as a whole."
    )
    return Finding("warning", "recording_perhaps_twice", sentence)


def _leave_out(
    file: InputFile, others: Sequence[str], unused: dict[str, tuple[str, str]]
) -> Finding:
    """Note a file of which others hold everything as a duplicate; return what is said of it."""
    if len(others) == 1:
        sentence = f"{file.path} holds the same recording as {others[0]}; the latter is used."
    else:
        sentence = f"{' and '.join(others)} hold all records of {file.path}; they are used."
    unused[file.path] = ("duplicate", sentence)
    return Finding("info", "same_recording", sentence)


def _overlap_finding(file: InputFile, other: InputFile, overlap: Overlap) -> Finding:
    """Say which records of a file are left out, because another one holds them."""
    if overlap.is_doubtful:
        sentence = (
            f"{file.path} may hold records of {other.path} a second time: they look the same, and "
            "no clock tells whether they are. All are used; remove one of the files if it does."
        )
        return Finding("warning", "recording_perhaps_twice", sentence)
    count = sum(last - first + 1 for first, last in overlap.rows)
    parts = [f"record{'s' * (count > 1)} {_name_ranges(overlap.numbers)}"] if overlap.rows else []
    if overlap.spectra:
        numbers = _name_ranges([(number, number) for number in overlap.spectra])
        parts.append(f"spectr{'a' if len(overlap.spectra) > 1 else 'um'} {numbers}")
    sentence = (
        f"{other.path} holds {' and '.join(parts)} of {file.path}, too: what is in both counts "
        "once, and is left out of the latter."
    )
    if overlap.clock_second:
        ahead = "behind" if overlap.clock_second > 0 else "ahead of"
        hours = abs(overlap.clock_second) / 3600
        sentence += f" Its clock is {hours:.4g} h {ahead} that of the former, and is set by it."
    level: Level = "info" if _is_boundary(file.content, overlap) else "warning"
    return Finding(level, "records_in_two_files", sentence, count or None)


def _is_boundary(content: Content, overlap: Overlap) -> bool:
    """Return whether all that is shared is the one record at which a file ends or begins.

    Instruments write it into both files; no number depends on it.
    """
    ends = (((0, 0),), (((content.records or 0) - 1,) * 2,))
    return overlap.rows in ends and not overlap.spectra and not overlap.clock_second


def _name_ranges(ranges: Iterable[tuple[int, int]]) -> str:
    """Name ranges of numbers; of many the first ones and how many there are."""
    names = [f"{a}" if a == b else f"{a} to {b}" for a, b in ranges]
    rest = len(names) - _NAMED
    shown = names[:_NAMED] if rest > 0 else names
    return ", ".join(shown) + (f" and {rest} more stretches" if rest > 0 else "")


def _gap_findings(files: Sequence[InputFile]) -> list[Finding]:
    """Say where records are missing between two files, or more than a day lies between them."""
    said = []
    for one, other in pairwise(files):
        a, b = one.content, other.content
        lost = 0
        if a.extent and b.extent and follows(a, b) and b.extent.number[0] > 1:
            lost = b.extent.number[0] - a.extent.number[1] - 1
        if lost > 0:
            sentence = (
                f"{lost:,} records are missing between the end of {one.path} and the beginning of "
                f"{other.path}: a file may be missing."
            )
            said.append(Finding("warning", "records_missing_between_files", sentence, lost))
        end, begin = end_second(a), begin_second(b)
        if end is not None and begin is not None and begin - end > GAP_SECOND:
            sentence = (
                f"{(begin - end) / 86_400:.1f} days lie between the end of {one.path} and the "
                f"beginning of {other.path}: a file may be missing."
            )
            said.append(Finding("info", "gap_between_files", sentence))
    return said
