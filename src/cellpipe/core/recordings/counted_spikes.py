"""Currents of single records that the instrument's own counters did not count.

Such a one may stand at the end of a step, or of the recording, where no neighbour tells what the
current was; the charge that it stands for is missing in the counters.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from cellpipe.core.model import Finding
from cellpipe.core.recordings.energies import CHARGES
from cellpipe.core.recordings.records import Floats, Records, growth
from cellpipe.core.recordings.spikes import find_outliers, may_rush_in

_FEWEST = 30
_VOLTAGE = 0.05  # V; a voltage that answers by more has seen the current
_COUNTED = 0.5  # of the charge that the current stands for
_LEAST = 0.1  # of the charge of the largest step: a spike that matters


def counted_spike_findings(table: pl.DataFrame, records: Records) -> list[Finding]:
    """Return a finding if few records have a far larger current than was counted.

    Parameters
    ----------
    table
        A ``timeseries``. Without charge counters there is no finding.
    records
        Its columns.

    """
    places = find_counted_spikes(table, records)
    if not places:
        return []
    at = places[0]
    given, around = (float(values[at]) for values in _given_and_counted(table, records)[:2])
    more = f" It is so in {len(places) - 1} other records." if places[1:] else ""
    sentence = (
        f"The current of record {table['record_index'][at]:,} is {records.current[at]:.4g} A, far "
        f"beyond all others; for {given:.3g} Ah that it stands for, {around:.3g} Ah were "
        f"counted. Is it a spike of the instrument, or a slip?{more}"
    )
    return [Finding("warning", "current_spike", sentence, len(places))]


def find_counted_spikes(table: pl.DataFrame, records: Records) -> list[int]:
    """Return the few records whose current is far larger than was counted, in their order."""
    if not {*CHARGES} <= {*table.columns} or table.height < _FEWEST or records.is_rest:
        return []
    places = find_outliers(np.abs(records.current))
    if not places.size:
        return []
    given, around, largest = _given_and_counted(table, records)
    change = np.abs(np.diff(records.voltage))
    answer = np.maximum(np.append(0.0, change), np.append(change, 0.0))
    is_spike = ((given > _LEAST * largest) & (around < _COUNTED * given) & (answer < _VOLTAGE))[
        places
    ]
    if not largest or not is_spike.all() or any(may_rush_in(records, int(at)) for at in places):
        return []
    return [int(at) for at in places]


def _given_and_counted(table: pl.DataFrame, records: Records) -> tuple[Floats, Floats, float]:
    """Return the charge that each record stands for, what was counted around it, and in a step."""
    counted = sum((growth(table[name], records.apart) for name in CHARGES), np.zeros(1))
    given = np.append(0.0, records.hours) + np.append(records.hours, 0.0)
    given *= np.abs(records.current) / 2
    around = np.append(0.0, counted) + np.append(counted, 0.0)
    return given, around, float(records.sum_by_step(counted).max())
