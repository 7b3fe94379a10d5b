"""Compare the instrument's count of the charge since the start of the test with the current.

It is a coarse witness: the current may peak between two records. So only another unit or the other
sign is said.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from cellpipe.core.model import Finding
from cellpipe.core.recordings.energies import find_slip
from cellpipe.core.recordings.records import Records, say_ratio, to_array

_NET = "net_capacity_ah"
_SMALL = 0.01
_MOST = 0.8  # of the charge, for which the ratio is that of a unit
_TURNED = -0.8
_SLIPS = {  # by how many times the counted charge the current gives
    1e3: "the current in mA, or the time in ms, or the net capacity in kAh",
    1e-3: "the net capacity in mAh, or the current in kA",
    1e-6: "the net capacity in µAh", 1e6: "the current in µA",
    1 / 3600: "the net capacity in As (C), or the time in h",
}  # fmt: skip


def net_findings(table: pl.DataFrame, records: Records) -> list[Finding]:
    """Return a finding if the net capacity is in another unit, or of another sign, than ∫I·dt."""
    if _NET not in table.columns or records.is_rest:
        return []
    counted = np.diff(to_array(table[_NET]))
    counted[records.apart] = 0.0
    given, counted = records.sum_by_step(records.charges), records.sum_by_step(counted)
    kept = (np.abs(given) > _SMALL * np.abs(given).max()) & (counted != 0)
    if not kept.any():
        return []
    ratios, weights = given[kept] / counted[kept], np.abs(given[kept])
    ratio = float(np.median(ratios))
    alike = float(weights[np.abs(ratios - ratio) <= abs(ratio) / 4].sum())
    if alike < _MOST * float(weights.sum()):
        return []
    slip = "Is the sign of one of the two turned?" if -1.2 < ratio < _TURNED else ""
    slip = slip or find_slip(ratio, _SLIPS)
    if not slip:
        return []
    sentence = f"The current gives {say_ratio(ratio)} times the change of the net capacity. {slip}"
    return [Finding("warning", "net_capacity_disagrees", sentence)]
