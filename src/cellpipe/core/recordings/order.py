"""Whether the records of a recording stand in order: their numbers, their times, their steps."""

from __future__ import annotations

import numpy as np
import polars as pl

from cellpipe.core.model import Finding
from cellpipe.core.recordings.records import Flags, Floats, Records

ORDER_IS_LOST = frozenset({"records_reversed", "records_doubled", "time_stands_still"})
_FEWEST = 10  # records, below which a repetition may be chance
_MOST = 0.5  # of the intervals, above which something is not a slip here and there
_MANY, _NEARLY = 30, 0.9
_COUNTS = {"step_count": "step", "cycle_count": "cycle"}


def order_findings(table: pl.DataFrame, records: Records) -> list[Finding]:
    """Return what is out of order: at most one finding for each column."""
    time, steps = records.time, records.seconds
    back = steps < 0
    number = int(np.count_nonzero(back))
    if number and number > _MOST * steps.size:
        sentence = (
            f"The test time goes backwards at {number:,} of {steps.size:,} places, from "
            f"{time[0]:.6g} to {time[-1]:.6g} s. Do the rows stand in reverse order?"
        )
        return [Finding("warning", "records_reversed", sentence, number)]
    doubled = _count_doubles(table, steps, number)
    if doubled:
        sentence = (
            f"{doubled:,} of {time.size:,} records repeat another one in all that was measured."
            " Was the file put together from one twice?"
        )
        return [Finding("warning", "records_doubled", sentence, doubled)]
    found = number_findings(table)
    if number:
        sentence = (
            f"The test time goes backwards {number} times, by up to {-steps.min():.4g} s; such "
            "steps count as zero time."
        )
        found.append(Finding("warning", "time_goes_backwards", sentence, number))
    if time.size >= _FEWEST and not steps.any() and np.ptp(records.voltage) > 0:
        sentence = (
            f"The test time is {time[0]:.6g} s in all {time.size:,} records. Is another column "
            "that of the time?"
        )
        found.append(Finding("warning", "time_stands_still", sentence, time.size))
    return [*found, *_count_findings(table, back)]


def number_findings(table: pl.DataFrame) -> list[Finding]:
    """Return a finding if the record numbers of a table do not increase."""
    numbers = table["record_index"].to_numpy()
    wrong = numbers[1:] <= numbers[:-1]
    count = int(np.count_nonzero(wrong))
    if not count:
        return []
    at = int(np.argmax(wrong))
    if np.ptp(numbers) == 0:
        what = f"All {numbers.size:,} records have the number {numbers[0]}"
    else:
        what = (
            f"The record numbers do not increase at {count:,} of {wrong.size:,} places; first, "
            f"{numbers[at + 1]:,} follows {numbers[at]:,}"
        )
    sentence = f"{what}. Are rows repeated or out of order, or is it another column?"
    return [Finding("warning", "record_numbers_out_of_order", sentence, count)]


def _count_doubles(table: pl.DataFrame, steps: Floats, back: int) -> int:
    """Return how many records repeat another in all that was measured; 0 if not half of them."""
    enough = _NEARLY * table.height / 2
    still = steps.size - int(np.count_nonzero(steps))
    if table.height < _MANY or not (back or still > enough) or still == steps.size:
        return 0
    doubles = table.height - table.select(pl.col(pl.Float64)).n_unique()
    return doubles if doubles > enough else 0


def _count_findings(table: pl.DataFrame, known: Flags) -> list[Finding]:
    """Return where numbers of steps or cycles go back, but where the time does, which is said."""
    found = []
    for name, word in _COUNTS.items():
        if name not in table.columns or table[name].is_sorted():
            continue
        numbers = table[name].fill_null(strategy="forward").fill_null(0).to_numpy()
        back = (np.diff(numbers) < 0) & ~known
        count = int(back.sum())
        if count:
            at = int(np.argmax(back))
            sentence = (
                f"The {word} numbers go back at {count:,} places; first, {word} {numbers[at + 1]} "
                f"follows {word} {numbers[at]}. Are rows out of order, or files joined?"
            )
            found.append(Finding("warning", f"{word}_numbers_go_back", sentence, count))
    return found
