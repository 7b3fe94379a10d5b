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
    joined: list[JoinedRecording] = []
    for members in _group(own):
        after = _merge(members, frames)
        before = joined[-1] if joined else None
        if before is not None and before.format == after.format:
            records = continue_records(before.records, after.records)
            if records is not None:
                joined[-1] = JoinedRecording(before.key, before.format, records, is_joined=True)
                continue
        joined.append(after if before is None else _without_wrong_clock(before, after))
    return joined


def _without_wrong_clock(before: JoinedRecording, after: JoinedRecording) -> JoinedRecording:
    """Return a recording without its clock if by that it began before the one that it follows."""
    name = "unix_time_second"
    clocks = [each.records.get_column(name, default=None) for each in (before, after)]
    begins = [None if clock is None else clock.drop_nulls().first() for clock in clocks]
    if None in begins or begins[1] >= begins[0]:  # type: ignore[operator]
        return after
    records = after.records.with_columns(pl.lit(None, pl.Float64).alias(name))
    return JoinedRecording(after.key, after.format, records, is_joined=True)


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


def _overlaps(file: InputFile, files: Mapping[str, InputFile]) -> list[Overlap]:
    return [overlap for overlap in file.overlaps if overlap.rows and overlap.other in files]


def _group(files: Mapping[str, InputFile]) -> list[list[InputFile]]:
    """Put files together that share records, with each other or with a third one, in order."""
    group = {sha256: {sha256} for sha256 in files}
    for sha256, file in files.items():
        for overlap in _overlaps(file, files):
            both = group[sha256] | group[overlap.other]
            group.update(dict.fromkeys(both, both))
    distinct = {id(members): members for members in group.values()}
    return [[files[each] for each in files if each in members] for members in distinct.values()]


@dataclass(frozen=True)
class _Aligned:
    """All records of a file on the times and step numbers of the first, and what was added."""

    records: pl.DataFrame
    test_second: float = 0.0
    clock_second: float = 0.0


def _merge(members: Sequence[InputFile], frames: Mapping[str, pl.DataFrame]) -> JoinedRecording:
    """Merge files that share records: what is left of each, on the times of the longest one."""
    own = {file.content.sha256: file for file in members}
    longest = max(members, key=lambda file: (not _overlaps(file, own), file.content.records or 0))
    root, form = longest.content.sha256, longest.content.format
    if len(members) == 1:
        return JoinedRecording(root, form, frames[root])
    edges = [overlap for file in members for overlap in _overlaps(file, own)]
    aligned: dict[str, _Aligned] = {root: _Aligned(frames[root])}
    while len(aligned) < len(members):
        for edge in edges:  # each leads to one that is not put in its place yet, until all are
            if edge.other in aligned and edge.content not in aligned:
                aligned[edge.content] = _align(frames[edge.content], edge, aligned[edge.other])
            elif edge.content in aligned and edge.other not in aligned:
                aligned[edge.other] = _align(
                    frames[edge.other], edge, aligned[edge.content], is_holder=True
                )
    ahead, behind = [], []
    for file in sorted(members, key=lambda file: file.content.sha256 != root):
        ranges = sorted(each for overlap in _overlaps(file, own) for each in overlap.rows)
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


def _align(
    records: pl.DataFrame, overlap: Overlap, beside: _Aligned, *, is_holder: bool = False
) -> _Aligned:
    """Put a file's records on the times and step numbers of one that shares some of them.

    They are those of the overlap's content, or of the other one, which holds them (``is_holder``).
    """
    sign = -1.0 if is_holder else 1.0
    test = sign * overlap.test_second + beside.test_second
    clock = sign * overlap.clock_second + beside.clock_second
    records = records.with_columns(test_time_second=pl.col("test_time_second") + test)
    if "unix_time_second" in records.columns:
        records = records.with_columns(unix_time_second=pl.col("unix_time_second") + clock)
    found = _common_steps(records, overlap, beside.records, is_holder=is_holder)
    if found is not None:
        records = records.with_columns(step_count=pl.col("step_count") + (found[1] - found[0]))
    return _Aligned(records, test, clock)


def _common_steps(
    records: pl.DataFrame, overlap: Overlap, beside: pl.DataFrame, *, is_holder: bool
) -> tuple[int, int] | None:
    """Return the step numbers of one record in two aligned files; None if they don't tell."""
    content, holder = (beside, records) if is_holder else (records, beside)
    if not {"step_count"} <= {*content.columns} & {*holder.columns}:
        return None
    if not holder["test_time_second"].is_sorted():
        return None
    first, last = overlap.rows[0]
    place = (first + last) // 2
    second = content["test_time_second"][place]
    at = min(int(holder["test_time_second"].search_sorted(second)), holder.height - 1)
    steps = content["step_count"][place], holder["step_count"][at]
    if None in steps:
        return None
    return (steps[1], steps[0]) if is_holder else steps
