"""Compare the energy that an instrument counted with its voltage and the charge that it counted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from cellpipe.core.model import Finding
from cellpipe.core.recordings.records import Floats, Records, last_digit, say_ratio, to_array

CHARGES = ("vendor_charging_capacity_ah", "vendor_discharging_capacity_ah")
ENERGIES = ("vendor_charging_energy_wh", "vendor_discharging_energy_wh")
_SAME = 0.05  # of a factor: it counts as that
OTHER = 0.2  # of 1: the energy is another than voltage and charge give
_ALIKE = 0.1
_FEWEST, _SAMPLES = 10, 500  # records; values used to find the last digit
_OFFSET = 0.01  # V; near 0 V, an instrument's own offset is much of the voltage
_LEAST_DIGITS = 300  # that a counter counts; fewer are not compared
_SLIPS = {
    1e-3: "the energy in mWh, or the voltage in kV", 1e3: "the energy in kWh, or the voltage in mV",
    1 / 3600: "the energy in J",
}  # fmt: skip


@dataclass(frozen=True)
class Energies:
    """How many times the counted energy voltage and counted charge give.

    ``ratios`` are those of charging (1) and discharging (-1), where most steps have the same.
    """

    ratios: Mapping[int, float] = field(default_factory=dict)

    def agree(self, sign: int) -> bool | None:
        """Return whether voltage and charge give the counted energy; None if that is not known."""
        return None if sign not in self.ratios else abs(self.ratios[sign] - 1) <= OTHER

    def follow_from(self, charges: Mapping[int, float]) -> bool:
        """Return whether wrong charge counters explain what is wrong.

        ``charges`` says how many times the counted charge the current gives.
        """
        return all(
            self.agree(sign) or abs(charges.get(sign, 0.0) * ratio - 1) <= OTHER
            for sign, ratio in self.ratios.items()
        )


def energy_findings(table: pl.DataFrame, records: Records) -> tuple[Energies, list[Finding]]:
    """Return how energy, charge and voltage compare, and a finding if they contradict."""
    is_told = {*CHARGES, *ENERGIES} <= {*table.columns} and table.height >= _FEWEST
    if records.is_rest or not is_told or _are_sparse(table):
        return Energies(), []
    columns = [to_array(table[name]) for name in (*CHARGES, *ENERGIES)]
    change = np.diff(np.abs(columns))
    change[:, records.is_apart | (change < 0).any(axis=0)] = 0.0  # a counter returned to zero
    if any(
        total < _LEAST_DIGITS * last_digit(column[:: column.size // _SAMPLES + 1])
        for total, column in zip(change.sum(axis=1), columns, strict=True)
        if total
    ):
        return Energies(), []
    charging, discharging, energy_in, energy_out = change
    ratios = {}
    for sign, charge, energy in ((1, charging, energy_in), (-1, discharging, energy_out)):
        ratio = _find_ratio(records, charge, energy)
        if ratio:
            ratios[sign] = ratio
    energies = Energies(ratios)
    moves = (charging > 0) | (discharging > 0)
    whole = float(energy_in[moves].sum() + energy_out[moves].sum())
    right = float(energy_in[charging > 0].sum() + energy_out[discharging > 0].sum())
    if right < OTHER * whole:
        sentence = (
            "The energy of charging is counted while the cell is discharged, and the other while "
            "it is charged. Are the two energy counters swapped?"
        )
        return energies, [Finding("warning", "energy_counters_swapped", sentence)]
    return energies, _ratio_findings(energies)


def _are_sparse(table: pl.DataFrame) -> bool:
    """Return whether a counter is written in few records, as at the end of each step.

    Then the voltage at which it grew is not known.
    """
    return any(table[name].null_count() > table.height / 2 for name in (*CHARGES, *ENERGIES))


def _find_ratio(records: Records, charge: Floats, energy: Floats) -> float:
    """Return how many times the counted energy voltage and charge give; 0 if steps differ.

    It is 1 if the counted energy lies between those by the lower and the higher of two voltages.
    """
    size, counted = np.abs(records.voltage), records.sum_by_step(energy)
    least, most = (
        records.sum_by_step(charge * take(size[1:], size[:-1])) for take in (np.minimum, np.maximum)
    )
    total, middle = float(counted.sum()), (least + most) / 2
    ratio = float(middle.sum()) / total if total else 0.0
    alike = np.abs(middle - ratio * counted) <= _ALIKE * ratio * counted
    if float(counted[alike].sum()) <= (1 - OTHER) * total:
        return 0.0
    offset = _OFFSET * float(charge.sum())
    return 1.0 if float(least.sum()) - offset <= total <= float(most.sum()) + offset else ratio


def _ratio_findings(energies: Energies) -> list[Finding]:
    off = [ratio for sign, ratio in energies.ratios.items() if not energies.agree(sign)]
    if not off:
        return []
    worst = max(off, key=lambda ratio: abs(np.log(ratio)))
    sentence = (
        f"Voltage and counted charge give {say_ratio(worst)} times the energy that the instrument "
        f"counted. {find_slip(worst, _SLIPS) or 'Check the units of voltage and energy.'}"
    )
    return [Finding("warning", "energy_disagrees", sentence)]


def find_slip(ratio: float, slips: Mapping[float, str]) -> str:
    """Return the question after the slip that a ratio comes from; empty for none of them."""
    texts = (text for factor, text in slips.items() if abs(ratio / factor - 1) <= _SAME)
    return next((f"Is {text}?" for text in texts), "")
