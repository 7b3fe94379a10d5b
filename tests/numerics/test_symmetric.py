"""Symmetric cells: what tells them, shorts of each kind, critical currents, plating efficiency."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_symmetric import SHORTS, MadeCell, make_cell

from cellpipe.numerics.cycling.critical_current import find_critical_current
from cellpipe.numerics.cycling.plating import (
    find_reservoir,
    mean_efficiency,
    reservoir_efficiency,
)
from cellpipe.numerics.cycling.shorts import ShortSearch, find_shorts
from cellpipe.numerics.cycling.symmetric import (
    HalfCycleVoltages,
    find_stretches,
    is_stripping_and_plating,
    voltage_evidence,
)


def search(cell: MadeCell) -> ShortSearch:
    stretches = find_stretches(cell.second, cell.ampere, cell.direction)
    return find_shorts(cell.volt, cell.second, stretches, cell.celsius)


def made(level: float = 0.05, noise: float = 2e-4, count: int = 20, records: int = 60) -> MadeCell:
    """Return a plain cell: half cycles of one hour at 1 mA, and a voltage of one level."""
    random = np.random.default_rng(5)
    second = np.arange(count * records) * (3600.0 / records)
    sign = np.repeat(np.where(np.arange(count) % 2, -1.0, 1.0), records)
    volt = sign * level + noise * random.standard_normal(len(sign))
    return MadeCell(second, volt, 1e-3 * sign, np.full(len(sign), np.nan))


# What is a symmetric cell


def voltages(mean: tuple[float, float], end: tuple[float, float], charge: tuple[float, float],
             count: int = 12) -> HalfCycleVoltages:  # fmt: skip
    up = np.arange(count) % 2 == 0

    def each(pair: tuple[float, float]) -> np.ndarray:
        return np.where(up, *pair).astype(np.float64)

    middle, last = each(mean), each(end)
    return HalfCycleVoltages(
        np.where(up, 1, -1).astype(np.int8), middle, last, np.minimum(middle, last),
        np.maximum(middle, last), each(charge),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("made_of", "evidence"),
    [
        (voltages((0.05, -0.05), (0.06, -0.06), (1, 1)), "follows"),
        (voltages((0.004, -0.0038), (0.004, -0.004), (1, 1)), "follows"),
        (voltages((4.0, 3.7), (4.2, 3.0), (1, 0.99)), "contradicts"),
        (voltages((-0.13, -0.43), (0.9, -0.58), (1, 1.1)), "contradicts"),
        (voltages((0.05, -0.04), (1.0, -0.04), (0.97, 1)), "unclear"),  # lithium off a foil
        (voltages((0.33, -0.33), (0.0, 0.0), (1, 1)), "unclear"),  # a voltammogram of a resistor
        (voltages((0.05, -0.05), (0.05, -0.05), (1, 0.5)), "unclear"),
        (voltages((0.05, -0.05), (0.05, -0.05), (1, 1), count=2), "unclear"),
    ],
)
def test_a_symmetric_cells_voltage_mirrors_itself_around_zero(
    made_of: HalfCycleVoltages, evidence: str
) -> None:
    assert voltage_evidence(made_of) == evidence


def test_the_sheet_decides_unless_the_voltage_contradicts_it() -> None:
    assert is_stripping_and_plating("symmetric", "follows")
    assert is_stripping_and_plating("symmetric", "unclear")
    assert not is_stripping_and_plating("symmetric", "contradicts")
    assert is_stripping_and_plating(None, "follows")
    for configuration in (None, "full", "half"):
        assert not is_stripping_and_plating(configuration, "unclear")
    assert not is_stripping_and_plating("half", "follows")


def test_a_ramp_is_no_constant_current() -> None:
    second = np.arange(400.0)
    ampere = 1e-3 * np.abs(((second % 200) - 100) / 100) + 1e-9
    stretches = find_stretches(second, ampere, np.ones(400, np.int8))
    assert (stretches.last - stretches.first).sum() < 100


# Short circuits


@pytest.mark.slow
def test_healthy_cells_of_all_kinds_have_no_short() -> None:
    false = [n for n in range(400) if search(make_cell(np.random.default_rng([3, n]))).shorts]
    assert false == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "least"),
    [*zip(SHORTS, (0.97, 0.93, 0.97, 0.75, 0.93, 0.65, 0.75), strict=True)],
)
def test_shorts_of_each_kind_are_found_and_none_before_it(kind: str, least: float) -> None:
    found = 0
    for number in range(60):
        cell = make_cell(np.random.default_rng([4, number]), kind)
        assert cell.shorted_at is not None
        begins = [cell.second[short.record] for short in search(cell).shorts]
        found += bool(begins)
        assert all(at >= cell.shorted_at - 1.1 * 3600 * cell.facts["hours"] for at in begins)
    assert found >= least * 60


@given(st.integers(3, 16), st.integers(5, 50), st.floats(0.02, 0.4))
def test_a_drop_that_stays_is_a_hard_short_at_its_own_record(
    half: int, place: int, left: float
) -> None:
    cell = made()
    at = 60 * half + place
    cell.volt[at:] *= left
    (short,) = search(cell).shorts
    assert short.kind == "hard"
    assert abs(short.record - at) <= 1
    assert short.after_ohm == pytest.approx(left * short.before_ohm, rel=0.1)


def test_one_that_recovers_is_soft_and_one_at_the_end_is_open() -> None:
    soft = made()
    soft.volt[60 * 9 + 20 : 60 * 9 + 40] *= 0.3
    (short,) = search(soft).shorts
    assert (short.kind, short.until) == ("soft", 60 * 9 + 40)
    late = made()
    late.volt[-8:] *= 0.1
    (short,) = search(late).shorts
    assert short.kind == "open"


def test_a_burst_of_noise_is_a_soft_short() -> None:
    cell = made()
    random = np.random.default_rng(1)
    part = slice(60 * 9 + 15, 60 * 9 + 50)
    cell.volt[part] *= 1 - 0.25 * random.random(35)
    (short,) = search(cell).shorts
    assert (short.kind, short.sign) == ("soft", "noise burst")


def test_a_voltage_within_its_noise_tells_nothing() -> None:
    found = search(made(level=1e-4, noise=1e-3))
    assert found.shorts == ()
    assert found.judged == 0


def test_a_current_that_is_lowered_is_no_short_and_one_that_grows_while_the_voltage_falls_is() -> (
    None
):
    def stepped(factor: float, volts: float) -> MadeCell:
        cell = made()
        cell.ampere[600:] *= factor
        cell.volt[600:] *= volts
        return cell

    assert search(stepped(0.2, 0.2)).shorts == ()
    assert search(stepped(0.2, 0.35)).shorts == ()
    assert search(stepped(4.0, 1.6)).shorts == ()
    assert search(stepped(4.0, 0.6)).shorts[0].sign == "resistance collapse"


def test_warmth_that_is_measured_explains_a_smaller_resistance() -> None:
    cell = made()
    cell.volt[600:] *= 0.3
    assert search(cell).shorts
    celsius = np.where(np.arange(len(cell.volt)) < 600, 25.0, 60.0)
    warm = MadeCell(cell.second, cell.volt, cell.ampere, celsius)
    assert search(warm).shorts == ()


# Critical current


@given(st.integers(3, 15), st.integers(1, 4), st.data())
def test_the_critical_current_is_the_last_one_below_that_of_the_short(
    levels: int, each: int, data: st.DataObject
) -> None:
    ampere = np.repeat(1e-4 * np.arange(1, levels + 1), each)
    found = find_critical_current(ampere, None)
    assert (found.verdict, found.levels) == ("not shorted", levels)
    assert found.held == ampere[-1]
    short = data.draw(st.integers(0, len(ampere) - 1))
    found = find_critical_current(ampere, short)
    assert found.shorted == ampere[short]
    if short < each:
        assert found.verdict == "shorted at the lowest"
    else:
        assert found.verdict == "shorted"
        assert found.held == pytest.approx(ampere[short] - 1e-4)


@pytest.mark.parametrize("currents", [[], [1.0] * 40, [1, 1, 2, 2, 1, 1], [3, 3, 2, 2, 1, 1]])
def test_steady_currents_and_two_levels_are_no_such_test(currents: list[float]) -> None:
    found = find_critical_current(1e-3 * np.array(currents), None)
    assert found.verdict == "no rising current"
    assert np.isnan(found.held)


def test_a_last_current_that_broke_off_was_not_held() -> None:
    assert find_critical_current(np.array([1.0, 1, 2, 2, 3, 3, 4]), None).held == 3.0


def test_a_short_outside_the_test_gives_no_critical_current() -> None:
    steady_then_rising = np.array([5.0] * 6 + [1, 1, 2, 2, 3, 3])
    assert find_critical_current(steady_then_rising, 3).verdict == "no rising current"


# Plating on a foil


@given(st.floats(0.8, 0.999), st.integers(3, 30), st.floats(1.5, 20))
def test_the_reservoir_gives_the_efficiency_that_it_was_made_with(
    efficiency: float, pairs: int, large: float
) -> None:
    last = efficiency * (pairs + large) - pairs
    if last <= 0.05:
        return
    charge = np.array([large, *[1.0] * (2 * pairs), last])
    plates = np.arange(len(charge)) % 2 == 0
    found = find_reservoir(plates, charge)
    assert found is not None
    cycled = 1 if abs(last - 1) <= 0.02 else 0  # as much in the end as in the cycles
    assert found.cycles in {pairs, pairs - cycled}
    result = reservoir_efficiency(found, charge, np.full(len(charge), 1e-4))
    assert result is not None
    assert result.value == pytest.approx(efficiency, rel=1e-3)
    assert result.low < result.value < result.high
    running = find_reservoir(plates[:-1], charge[:-1])
    assert running is not None
    assert reservoir_efficiency(running, charge, charge) is None


def test_cycles_that_strip_all_are_no_reservoir() -> None:
    charge = np.array([1.0, 0.97] * 20)
    assert find_reservoir(np.arange(40) % 2 == 0, charge) is None


def test_the_mean_of_cycles_has_students_interval() -> None:
    found = mean_efficiency(np.array([0.98, 0.97, 0.99]))
    assert found is not None
    assert found.value == pytest.approx(0.98)
    assert found.high - found.value == pytest.approx(4.3027 * 0.01 / 3**0.5, rel=1e-4)
    assert mean_efficiency(np.array([0.98])) is None
