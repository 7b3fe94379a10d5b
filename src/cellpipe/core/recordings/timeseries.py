"""What a recording as a whole says about itself: what no value of it tells alone.

A bound sees one value, a rule one row. That a column is in another unit, that two are swapped, that
the rows stand in reverse or that a clock runs backwards shows only where a second column of the
same file contradicts: the counters, the clocks, the energy, the word for the step, the way in which
the voltage answers to the current. Each check here has such a witness, and says nothing without it.
"""

from __future__ import annotations

import polars as pl

from cellpipe.core.model import Finding
from cellpipe.core.recordings.charges import charge_findings
from cellpipe.core.recordings.clocks import clock_findings
from cellpipe.core.recordings.counted_spikes import counted_spike_findings
from cellpipe.core.recordings.counters import counter_findings
from cellpipe.core.recordings.energies import energy_findings
from cellpipe.core.recordings.leaps import leap_findings
from cellpipe.core.recordings.lost_voltages import lost_voltage_findings
from cellpipe.core.recordings.net_capacity import net_findings
from cellpipe.core.recordings.order import ORDER_IS_LOST, order_findings
from cellpipe.core.recordings.records import Records, is_empty, take_sample
from cellpipe.core.recordings.signs import rest_findings, sign_findings
from cellpipe.core.recordings.spikes import spike_findings
from cellpipe.core.recordings.voltages import voltage_findings

_KELVIN = 253.0, 333.0  # -20 to 60 °C, in K
_FEWEST_TEMPERATURES = 3


def recording_findings(table: pl.DataFrame) -> list[Finding]:
    """Return what contradicts itself in a recording.

    Parameters
    ----------
    table
        A ``timeseries``, or some of its rows.

    Returns
    -------
    list of Finding
        Each with what was found and the likely slip. None where nothing contradicts.

    """
    if table.height < 2:
        return []
    table = table.drop(column.name for column in table if is_empty(column)).rechunk()
    records = Records.of(table)
    order = order_findings(table, records)
    if any(finding.code in ORDER_IS_LOST for finding in order):
        return [*order, *_temperature_findings(table)]
    sample = take_sample(table)
    some = records if sample is table else Records.of(sample)
    clocks, pace = clock_findings(sample, some)
    if not clocks and records.seconds.min() >= 0:  # that it goes back is said already
        clocks = leap_findings(table, records)
    voltages = voltage_findings(table, records, some) or lost_voltage_findings(table, records)
    spikes = [] if voltages else _spike_findings(table, records)
    signs = [] if voltages or spikes else sign_findings(sample, some, records)
    rests = [] if voltages or spikes else rest_findings(sample, some)
    found = [*order, *clocks, *voltages, *signs, *rests, *spikes]
    if any(finding.code in _CHARGE_IS_LOST for finding in found):
        return [*found, *_temperature_findings(table)]
    energies, energy = energy_findings(sample, some)
    charges, ratios = charge_findings(table, records, energies, pace)
    if voltages or (ratios and energies.ratios and energies.follow_from(ratios)):
        energy = []
    net = [] if charges or max(pace, 1 / pace) > 2 else net_findings(sample, some)
    counters = counter_findings(table, records, charge_is_said=bool(charges or voltages))
    return [*found, *charges, *energy, *counters, *net, *_temperature_findings(table)]


def _spike_findings(table: pl.DataFrame, records: Records) -> list[Finding]:
    return spike_findings(table, records) or counted_spike_findings(table, records)


_CHARGE_IS_LOST = frozenset({
    "current_sign_contradicts", "leads_reversed", "counters_swapped",
    "voltage_and_current_swapped", "clock_leaps",
})  # fmt: skip


def _temperature_findings(table: pl.DataFrame) -> list[Finding]:
    """Return a finding for each column of temperatures that are those of a room in kelvin."""
    names = [name for name in table.columns if name.endswith("_celsius")]
    found = []
    for name in names:
        low, high, number = table.select(
            pl.col(name).min(), high=pl.col(name).max(), number=pl.col(name).count()
        ).row(0)
        if number >= _FEWEST_TEMPERATURES and _KELVIN[0] <= low and high <= _KELVIN[1]:
            sentence = (
                f"All temperatures of {name} lie between {low:.4g} and {high:.4g} °C, which is "
                "hotter than cells are tested. Is the column in K?"
            )
            found.append(Finding("warning", "temperature_in_kelvin", sentence, number))
    return found
