"""The records of a cell's files as recordings: parts of a test joined, overlapping exports merged.

Files whose records overlap (:mod:`cellpipe.pipeline.overlaps`) are one recording: each record
once, on the test time, clock and step numbers of the file with most records. A file that goes on
where another one ends continues its recording (:mod:`cellpipe.pipeline.continuations`). Any other
file is a recording of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from cellpipe.analyses.half_cycle_segments import half_cycle_segments
from cellpipe.core import contracts
from cellpipe.pipeline.cell_history import InputFile
from cellpipe.pipeline.continuations import continue_records
from cellpipe.store.overlaps import Overlap


@dataclass(frozen=True)
class JoinedRecording:
    """Records of one recording in order, with ``file_sha256``; ``key`` is its first content.

    ``is_joined``: they are not those of one file as it was read.
    """

    key: str
    format: str | None
    records: pl.DataFrame
    is_joined: bool = False


def join_recordings(
    files: Sequence[InputFile], frames: Mapping[str, pl.DataFrame]
) -> list[JoinedRecording]:
    """Put the time series of a cell's files, in the order of time, together to recordings.

    Parameters
    ----------
    files
        The cell's files in the order of time.
    frames
        The time series of each by its content, with ``file_sha256``.

    """
    own = {file.content.sha256: file for file in files if file.content.sha256 in frames}
    groups: dict[str, list[InputFile]] = {}
    for file in own.values():
        groups.setdefault(_root(file, own), []).append(file)
    joined: list[JoinedRecording] = []
    for root, members in groups.items():
        after = _merge(root, members, frames)
        before = joined[-1] if joined else None
        if before is not None and before.format == after.format:
            records = continue_records(before.records, after.records)
            if records is not None:
                joined[-1] = JoinedRecording(before.key, before.format, records, is_joined=True)
                continue
        joined.append(after)
    return joined


def recording_segments(recording: JoinedRecording) -> pl.DataFrame:
    """Return the half-cycle segments of a recording, with the files they begin and end in."""
    records = recording.records
    places = pl.int_range(1, pl.len() + 1, dtype=pl.Int64)
    made = half_cycle_segments(records.with_columns(record_index=places), recording.key)
    made = contracts.validate("half_cycle_segments", made)
    first, last = made["first_record_index"] - 1, made["last_record_index"] - 1
    number, file = records["record_index"], records["file_sha256"]
    return made.with_columns(
        first_record_index=number.gather(first),
        last_record_index=number.gather(last),
        file_sha256=file.gather(first),
        last_file_sha256=file.gather(last),
    )


def _first_overlap(file: InputFile) -> Overlap | None:
    return next((overlap for overlap in file.overlaps if overlap.rows), None)


def _root(file: InputFile, files: Mapping[str, InputFile]) -> str:
    """Return the content on whose times a file's records are put: its own, if it shares none."""
    while (overlap := _first_overlap(file)) is not None and overlap.other in files:
        file = files[overlap.other]
    return file.content.sha256


@dataclass(frozen=True)
class _Aligned:
    """All records of a file on the times and step numbers of the first, and what was added."""

    records: pl.DataFrame
    test_second: float = 0.0
    clock_second: float = 0.0


def _merge(
    root: str, members: Sequence[InputFile], frames: Mapping[str, pl.DataFrame]
) -> JoinedRecording:
    """Merge files that share records: what is left of each, on the times of the first."""
    form = next(file.content.format for file in members if file.content.sha256 == root)
    if len(members) == 1:
        return JoinedRecording(root, form, frames[root])
    aligned: dict[str, _Aligned] = {root: _Aligned(frames[root])}
    waiting = [file for file in members if file.content.sha256 != root]
    while waiting:
        file = waiting.pop(0)
        overlap = _first_overlap(file)
        if overlap is None or overlap.other not in aligned:
            waiting.append(file)
            continue
        sha256 = file.content.sha256
        aligned[sha256] = _align(frames[sha256], overlap, aligned[overlap.other])
    ahead, behind = [], []
    for file in sorted(members, key=lambda file: file.content.sha256 != root):
        ranges = sorted(each for overlap in file.overlaps for each in overlap.rows)
        places = aligned[file.content.sha256].records.with_row_index("_place")
        for first, last in ranges:
            places = places.filter(~pl.col("_place").is_between(first, last))
        is_before = pl.col("_place") < (ranges[0][0] if ranges else 0)
        ahead.append(places.filter(is_before).drop("_place"))
        behind.append(places.filter(~is_before).drop("_place"))
    merged = pl.concat([*ahead, *behind], how="diagonal")
    if all(each.records["test_time_second"].is_sorted() for each in aligned.values()):
        merged = merged.sort("test_time_second", maintain_order=True)
    lowest = pl.min_horizontal(pl.col("test_time_second").min(), 0.0)
    merged = merged.with_columns(test_time_second=pl.col("test_time_second") - lowest)
    if "step_count" in merged.columns:
        lowest = pl.min_horizontal(pl.col("step_count").min(), 1)
        merged = merged.with_columns(step_count=pl.col("step_count") - lowest + 1)
    return JoinedRecording(root, form, merged, is_joined=True)


def _align(records: pl.DataFrame, overlap: Overlap, held: _Aligned) -> _Aligned:
    """Put a file's records on the times and step numbers of one that holds some of them."""
    test = overlap.test_second + held.test_second
    clock = overlap.clock_second + held.clock_second
    records = records.with_columns(test_time_second=pl.col("test_time_second") + test)
    if "unix_time_second" in records.columns:
        records = records.with_columns(unix_time_second=pl.col("unix_time_second") + clock)
    both = "step_count" in records.columns and "step_count" in held.records.columns
    if both and held.records["test_time_second"].is_sorted():
        first, last = overlap.rows[0]
        place = (first + last) // 2
        found = held.records["test_time_second"].search_sorted(
            records["test_time_second"][place], side="left"
        )
        at = min(int(found), held.records.height - 1)
        steps = held.records["step_count"][at], records["step_count"][place]
        if None not in steps:
            offset = steps[0] - steps[1]
            records = records.with_columns(step_count=pl.col("step_count") + offset)
    return _Aligned(records, test, clock)
