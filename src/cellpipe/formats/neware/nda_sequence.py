"""Choose the records of an .nda whose numbers are in sequence, where others are not."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from cellpipe.core.model import Finding
from cellpipe.formats.neware.nda_layouts import Bytes, Flags, Layout, Numbers, is_kind


def choose_records(
    content: Bytes, layout: Layout, starts: Numbers, most: int
) -> tuple[Numbers, list[Finding]]:
    """Return the places of the records to be kept: each number once, in the order of the file.

    ``most`` is the largest number that a record can have.
    """
    if not starts.size:
        return starts, []
    numbers = np.zeros(starts.size, np.int64)
    for byte in range(4):
        numbers |= content[starts + layout.number_at + byte].astype(np.int64) << 8 * byte
    is_record = np.ones(starts.size, np.bool_)
    if layout.kind_at is not None:
        is_record = is_kind(content[starts + layout.kind_at], layout.records)
    own = np.flatnonzero(is_record)
    chosen = own[_longest_sequence(numbers[own], most)]
    rejected = is_record.copy()
    rejected[chosen] = False
    is_twice = rejected & np.isin(numbers, numbers[chosen])
    findings = [
        *_rejected_findings(starts, rejected & ~is_twice, is_twice),
        *_missing_findings(numbers[chosen]),
    ]
    return starts[~rejected], findings


def _longest_sequence(numbers: Numbers, most: int) -> Flags:
    """Return which records are in the longest sequence of increasing numbers.

    A sequence is made of runs, in each of which the numbers increase by one; of a run that begins
    within the one before, only what follows that counts.
    """
    kept = np.zeros(numbers.size, np.bool_)
    begins = np.concatenate(([0], np.flatnonzero(np.diff(numbers) != 1) + 1))[: numbers.size]
    ends = np.append(begins[1:], numbers.size)
    lasts, lengths = numbers[ends - 1] if begins.size else begins, ends[: begins.size] - begins
    possible = np.flatnonzero(lasts <= most)
    begins, lasts, lengths = begins[possible], lasts[possible], lengths[possible]
    score, previous = lengths.copy(), np.full(lengths.size, -1)
    for run in range(1, lengths.size):
        gained = score[:run] + np.minimum(lengths[run], lasts[run] - lasts[:run])
        gained[lasts[:run] >= lasts[run]] = 0
        best = int(gained.argmax())
        if gained[best] > score[run]:
            score[run], previous[run] = gained[best], best
    run = int(score.argmax()) if score.size else -1
    while run >= 0:
        before = lasts[previous[run]] if previous[run] >= 0 else 0
        length = min(lengths[run], lasts[run] - before)
        end = begins[run] + lengths[run]
        kept[end - length : end] = True
        run = int(previous[run])
    return kept


def _rejected_findings(starts: Numbers, wrong: Flags, twice: Flags) -> Iterator[Finding]:
    if wrong.any():
        number = int(wrong.sum())
        sentence = (
            f"{number} records have a number that does not fit their neighbours' (the first at "
            f"byte {starts[wrong.argmax()]}): they are damaged or out of place, and were left out."
        )
        yield Finding("warning", "records_lost", sentence, number)
    if twice.any():
        number = int(twice.sum())
        sentence = (
            f"{number} records stand twice in the file (one of them at byte "
            f"{starts[twice.argmax()]}); each counts once."
        )
        yield Finding("warning", "records_repeated", sentence, number)


def _missing_findings(numbers: Numbers) -> list[Finding]:
    missing = int(numbers[-1]) - numbers.size if numbers.size else 0
    if missing <= 0:
        return []
    after = numbers[np.flatnonzero(np.diff(numbers, prepend=0) > 1)[0]]
    sentence = (
        f"By the numbers of the records, {missing} of {numbers[-1]} are missing, the first ones "
        f"before record {after}."
    )
    return [Finding("warning", "records_missing", sentence, missing)]
