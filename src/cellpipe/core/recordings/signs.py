"""Whether the sign of the current agrees with the voltage, the counters and the step's word."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from cellpipe.core.model import Finding
from cellpipe.core.recordings.energies import CHARGES
from cellpipe.core.recordings.records import Floats, Records, growth, to_array
from cellpipe.core.recordings.step_types import find_step_sign, replace_words

_LEAST = 0.01  # of the largest current: what counts as a current in one direction
_JUMP = 0.2  # of the usual current: what counts as a step of it
_AGAINST = 0.8  # of what a witness sees, above which it contradicts
_MOST, _PARTLY, _LITTLE = 0.5, 0.1, 0.02
_FEWEST = 3
_EDGE = 0.02  # of the records: the voltage of a first discharge is outside the usual range
_REVERSED = (
    "Nothing else in the file tells the direction: either the leads were reversed, or the sign of "
    "the current is turned. No headline is made of its numbers until that is known."
)


@dataclass(frozen=True)
class Witness:
    """What speaks against the sign of the current, as a share of the charge it sees (or None)."""

    against: float | None
    says: str

    @property
    def contradicts(self) -> bool:
        """Whether it speaks against it for most of the charge."""
        return self.against is not None and self.against > _AGAINST

    @property
    def agrees(self) -> bool:
        """Whether it speaks for it for most of the charge."""
        return self.against is not None and self.against < 1 - _AGAINST


def sign_findings(table: pl.DataFrame, records: Records, every: Records) -> list[Finding]:
    """Return a finding if voltage, counters or the step's word contradict the current's sign.

    ``table`` and its ``records`` may be a sample of ``every`` record.
    """
    if records.is_rest or records.time.size < _FEWEST:
        return []
    stretches = Stretches.of(records)
    voltage = ask_voltage(every, stretches)
    counters, words = ask_counters(table, records), ask_step_types(table)
    if voltage.contradicts or counters.contradicts or words.contradicts:
        return [_judge(voltage, counters, words)]
    sentence = ""
    if _loses_sign(records, stretches):
        sentence = (
            f"The current is {records.current.min():.3g} to {records.current.max():.3g} A, never "
            "of the other sign, but the voltage rises and falls by more than a quarter of its "
            "range again and again. Has the current lost its sign?"
        )
    elif words.against is not None and words.against > _PARTLY:
        sentence = f"{words.says}. Has the current lost its sign?"
    return [Finding("warning", "current_sign_contradicts", sentence)] if sentence else []


def rest_findings(table: pl.DataFrame, records: Records) -> list[Finding]:
    """Return a finding if much of the charge flows in steps that are called rests."""
    if "step_mode" not in table.columns or not records.usual:
        return []
    at_rest = (table["step_mode"] == "rest").fill_null(value=False).to_numpy()
    strong = at_rest & (np.abs(records.current) > _JUMP * records.usual)
    inside = strong[1:] & strong[:-1]  # one record of a rest may hold the current before it
    flowed = np.abs(records.charges)
    share = float(flowed[inside].sum()) / (float(flowed.sum()) or 1.0)
    if share <= _LITTLE or np.count_nonzero(inside) < _FEWEST:
        return []
    sentence = (
        f"{share:.0%} of the charge flows in steps that are called rests, at currents like those "
        "of the others. Are the words of the steps shifted or wrong?"
    )
    return [Finding("warning", "rests_carry_current", sentence)]


def _judge(voltage: Witness, counters: Witness, words: Witness) -> Finding:
    """Say which sign is turned by the witnesses that agree, where they tell."""
    against = [each for each in (voltage, counters, words) if each.contradicts]
    told = "; ".join(each.says for each in against)
    code, slip = "current_sign_contradicts", "Is the sign of the current turned?"
    if against == [voltage] and counters.against is None and words.against is None:
        code, slip = "leads_reversed", _REVERSED
    elif against == [counters] and (voltage.agrees or words.agrees):
        code, slip = "counters_swapped", "Are the two counters swapped?"
        told += ", though voltage or steps agree with the current"
    elif against == [counters]:
        slip = "Either the sign of the current is turned or the two counters are swapped."
    elif against == [voltage] and (counters.agrees or words.agrees):
        code, slip = "voltage_sign_turned", "Is the sign of the voltage turned?"
        told += ", though counters or steps agree with the current"
    elif against == [words] and (voltage.agrees or counters.agrees):
        slip = "Are the words of the steps mixed up, or the sign of the current turned?"
    return Finding("warning", code, f"{told}. {slip}")


def ask_voltage(records: Records, stretches: Stretches) -> Witness:
    """Ask both how the voltage moves while a current flows, and how it answers to its steps."""
    moving, both_ways = find_movement(stretches)
    jumping = find_answer(records)
    if moving is None or jumping is None or not both_ways:
        return Witness(None, "")
    if (moving > _MOST) != (jumping > _MOST):  # of a battery, both go one way
        return Witness(None, "")
    says = (
        f"The voltage falls while the current is positive and rises while it is negative, for "
        f"{moving:.0%} of the charge"
    )
    return Witness(moving, says)


@dataclass(frozen=True)
class Stretches:
    """Where a current flows in one direction: its sign, its charge in Ah, the voltage's change."""

    signs: Floats
    charges: Floats
    moved: Floats

    @classmethod
    def of(cls, records: Records) -> Stretches:
        """Find the stretches of some records; a step of the schedule ends one."""
        flows = np.sign(records.current)
        flows[np.abs(records.current) <= _LEAST * records.largest] = 0
        ends = np.flatnonzero((flows[1:] != flows[:-1]) | records.is_apart)
        first, last = np.append(0, ends + 1), np.append(ends, flows.size - 1)
        kept = (flows[first] != 0) & (last - first >= _FEWEST - 1)
        first, last = first[kept], last[kept]
        total = np.append(0.0, np.cumsum(records.charges))
        moved = records.voltage[last] - records.voltage[first]
        return cls(flows[first], np.abs(total[last] - total[first]), moved)


def find_movement(stretches: Stretches) -> tuple[float | None, bool]:
    """Return for which share of the charge the voltage moves against the current's sign."""
    seen = stretches.charges * (stretches.moved != 0)
    whole = float(seen.sum())
    if not whole:
        return None, False
    positive = float(seen[stretches.signs > 0].sum()) / whole
    against = float(seen[stretches.moved * stretches.signs < 0].sum()) / whole
    return against, _PARTLY < positive < 1 - _PARTLY


def _loses_sign(records: Records, stretches: Stretches) -> bool:
    """Return whether a current of one sign moves the voltage far up and far down, again and again.

    No passive cell does that.
    """
    if records.current.min() < 0 < records.current.max() or not stretches.signs.size:
        return False
    low, high = np.quantile(records.voltage, (_EDGE, 1 - _EDGE))
    far = np.abs(stretches.moved) > (high - low) / 4
    up, down = far & (stretches.moved > 0), far & (stretches.moved < 0)
    least = stretches.charges.sum() * 2 * _PARTLY
    return all(
        each.sum() >= _FEWEST - 1 and stretches.charges[each].sum() > least for each in (up, down)
    )


def find_answer(records: Records) -> float | None:
    """Return for which share of the current's steps the voltage jumps the other way."""
    steps = np.diff(records.current)
    places = np.flatnonzero(np.abs(steps) > _JUMP * records.usual)
    if records.in_spectrum is not None:
        near = records.in_spectrum[places] | records.in_spectrum[places + 1]
        places = places[~near]
    answers = steps[places] * (records.voltage[places + 1] - records.voltage[places])
    size = float(np.abs(answers).sum())
    return float(-answers.clip(max=0).sum()) / size if places.size >= _FEWEST and size else None


def ask_counters(table: pl.DataFrame, records: Records) -> Witness:
    """Ask which of the two charge counters grows while the current is positive, or the net one."""
    if not {*CHARGES} <= {*table.columns}:
        return _ask_net_counter(table, records)
    flows = np.sign(records.current)
    steady = flows[1:] == flows[:-1]
    grown = [growth(table[name], records.apart) * steady for name in CHARGES]
    up = flows[1:] > 0
    right = float(grown[0][up].sum() + grown[1][~up].sum())
    wrong = float(grown[0][~up].sum() + grown[1][up].sum())
    whole = right + wrong
    says = (
        "The charging counter grows while the current is negative, the other while it is positive"
    )
    return Witness(wrong / whole if whole else None, says)


def _ask_net_counter(table: pl.DataFrame, records: Records) -> Witness:
    if "net_capacity_ah" not in table.columns:
        return Witness(None, "")
    counted = np.diff(to_array(table["net_capacity_ah"])) * ~records.is_apart
    flows = np.sign(records.current)
    counted[flows[1:] != flows[:-1]] = 0.0
    whole = float(np.abs(counted).sum())
    wrong = float(np.abs(counted[counted * flows[1:] < 0]).sum())
    says = "The counter of net charge falls while the current is positive"
    return Witness(wrong / whole if whole else None, says)


def ask_step_types(table: pl.DataFrame) -> Witness:
    """Ask which sign the current has in the steps whose word says charge or discharge."""
    if "step_type" not in table.columns:
        return Witness(None, "")
    current = pl.col("current_ampere")
    sums = table.group_by("step_type").agg(
        up=current.clip(lower_bound=0).sum(), down=-current.clip(upper_bound=0).sum(),
        rises=(current > 0).sum(), falls=(current < 0).sum(),
    )  # fmt: skip
    signs = {word: find_step_sign(word) for word in sums["step_type"].drop_nulls()}
    sign = replace_words(signs, pl.Int8())
    discharge, charge = (sign < 0).fill_null(value=False), (sign > 0).fill_null(value=False)
    wrong, whole, records, flowing = sums.select(
        (pl.col("up").filter(discharge).sum() + pl.col("down").filter(charge).sum()).alias("wrong"),
        (pl.col("up") + pl.col("down")).filter(charge | discharge).sum(),
        (pl.col("rises").filter(discharge).sum() + pl.col("falls").filter(charge).sum()).alias("n"),
        (pl.col("rises") + pl.col("falls")).filter(charge | discharge).sum(),
    ).row(0)
    against = wrong / whole if whole else None
    if against and records <= _PARTLY * flowing:  # a few records are no turned sign
        against = min(against, _PARTLY)
    share = f"{against or 0:.0%} of it"
    return Witness(
        against, f"The steps called charge or discharge have a current of the other sign, {share}"
    )
