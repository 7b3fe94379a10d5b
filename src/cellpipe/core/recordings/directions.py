"""Compare current and charge counters by direction, where a recording has no usable steps.

That is coarse: what flowed between two records far apart is not known. So only another unit is
said, and only if it is the same in both directions.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from cellpipe.core.model import Finding
from cellpipe.core.recordings.energies import CHARGES, find_slip
from cellpipe.core.recordings.records import Records, growth, say_ratio

BY_CURRENT = {  # what is too large by a factor if current or time are wrong
    1e3: "the current in mA, or the time in ms", 1e6: "the current in µA",
    1e-3: "the current in kA", 1 / 3600: "the time in h", 1 / 60: "the time in min",
}  # fmt: skip
BY_COUNTER = {
    1e-3: "the counter in mAh", 1e-6: "the counter in µAh", 1 / 3600: "the counter in As (C)",
    1e3: "the counter in kAh",
}  # fmt: skip
_SAME = 0.1  # of each other: the ratios of both directions


def direction_findings(table: pl.DataFrame, records: Records) -> list[Finding]:
    """Return a finding if the current is in another unit than the counters in both directions.

    Parameters
    ----------
    table
        A ``timeseries`` with charge counters.
    records
        Its columns; their steps are not asked.

    """
    flows = np.sign(records.current)
    inside = (flows[1:] == flows[:-1]) & (records.seconds > 0)
    if records.in_spectrum is not None:
        inside &= ~(records.in_spectrum[1:] | records.in_spectrum[:-1])
    apart = np.flatnonzero(~inside)
    given = (records.current[1:] + records.current[:-1]) / 7200 * records.seconds * inside
    ratios = []
    for sign, name in zip((1, -1), CHARGES, strict=True):
        there = flows[1:] == sign
        counted = float(growth(table[name], apart)[there].sum())
        if not counted:
            return []
        ratios.append(abs(float(given[there].sum())) / counted)
    ratio = float(np.sqrt(ratios[0] * ratios[1]))
    if not ratio or abs(ratios[0] - ratios[1]) > _SAME * ratio:
        return []
    both = {
        factor: ", or ".join(text[factor] for text in (BY_CURRENT, BY_COUNTER) if factor in text)
        for factor in {**BY_CURRENT, **BY_COUNTER}
    }
    slip = find_slip(ratio, both)
    if not slip:
        return []
    sentence = (
        f"The current gives {say_ratio(ratio)} times the charge that the instrument counted, in "
        f"both directions. {slip}"
    )
    return [Finding("warning", "charge_disagrees", sentence, table.height)]
