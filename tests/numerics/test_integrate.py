"""Charge from current: answers that fit on paper, and properties that must hold for any record."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellpipe.numerics.cycling.contradictions import Witnesses
from cellpipe.numerics.cycling.counters import Counter
from cellpipe.numerics.cycling.witnesses import weigh_charges

CURRENTS = st.lists(st.floats(-5, 5, allow_nan=False), min_size=2, max_size=60)


def charge_increments(
    time: np.ndarray,
    current: np.ndarray,
    new_step: np.ndarray,
    *,
    step_time_second: np.ndarray | None = None,
    net_capacity_ah: np.ndarray | None = None,
) -> np.ndarray:
    """Give the charge of each record; in a recording of several steps it rests without current."""
    rests = (current == 0) & new_step.any()
    counters = () if net_capacity_ah is None else (Counter.of(net_capacity_ah),)
    new_step = new_step | np.diff(rests, prepend=rests[:1])
    return weigh_charges(
        Witnesses(time, current, np.full(len(time), 3.7), new_step, rests,
                  step_time_second, counters=counters)
    ).charge_ah  # fmt: skip


def same_step(count: int) -> np.ndarray:
    return np.zeros(count, bool)


def test_one_ampere_for_one_hour_is_one_ampere_hour() -> None:
    time = np.linspace(0, 3600, 7)
    charge = charge_increments(time, np.ones(7), same_step(7))
    assert charge.sum() == pytest.approx(1.0)


def test_a_ramp_of_current_is_integrated_exactly_however_it_is_sampled() -> None:
    for count in (2, 5, 1000):
        time = np.linspace(0, 3600, count)
        charge = charge_increments(time, time / 3600, same_step(count))
        assert charge.sum() == pytest.approx(0.5)


@given(CURRENTS)
def test_reversing_the_sign_of_the_current_reverses_the_charge(currents: list[float]) -> None:
    current = np.array(currents)
    time = np.arange(len(current)) * 7.0
    forward = charge_increments(time, current, same_step(len(current)))
    assert np.allclose(charge_increments(time, -current, same_step(len(current))), -forward)


@given(CURRENTS, st.integers(1, 59))
def test_splitting_a_record_in_two_keeps_the_charge_of_each_part(
    currents: list[float], at: int
) -> None:
    current = np.array(currents)
    at = min(at, len(current) - 1)
    time = np.arange(len(current)) * 3.0
    whole = charge_increments(time, current, same_step(len(current)))
    second = charge_increments(time[at:], current[at:], same_step(len(current) - at))
    assert np.allclose(whole[at + 1 :], second[1:])


def test_time_that_runs_backwards_adds_no_charge() -> None:
    time = np.array([0.0, 10.0, 5.0, 15.0])
    charge = charge_increments(time, np.ones(4), same_step(4))
    assert charge[2] == 0
    assert (charge >= 0).all()


def test_no_trapezoid_is_laid_across_a_jump_of_the_current() -> None:
    time = np.array([0.0, 3600.0, 3601.0, 7201.0])
    current = np.array([0.0, 0.0, 1.0, 1.0])
    step = np.array([False, False, True, False])
    elapsed = np.array([0.0, 3600.0, 0.5, 3600.5])
    charge = charge_increments(time, current, step, step_time_second=elapsed)
    assert charge.sum() == pytest.approx(1.0 + 0.5 / 3600)


def test_a_pause_before_a_new_step_carries_no_charge() -> None:
    time = np.array([0.0, 10.0, 10_000.0, 10_010.0])
    current = np.array([0.0, 0.0, 1.0, 1.0])
    step = np.array([False, False, True, False])
    assert charge_increments(time, current, step).sum() == pytest.approx(10 / 3600)


def test_the_instruments_running_count_settles_the_interval_into_a_new_step() -> None:
    time = np.array([0.0, 10.0, 20.0])
    current = np.array([1.0, 1.0, -1.0])
    step = np.array([False, False, True])
    count = np.array([0.0, 10 / 3600, 5 / 3600])
    charge = charge_increments(time, current, step, net_capacity_ah=count)
    assert charge.sum() == pytest.approx(5 / 3600)
    assert charge[2] == pytest.approx(-7.5 / 3600)  # 2.5 s at +1 A, then 7.5 s at −1 A


def test_what_passed_after_a_steps_last_record_belongs_to_the_step() -> None:
    """Recorded every minute; the charge lasts 3645 s, and then the cell rests or is discharged."""
    time = np.arange(0.0, 3781.0, 60.0)
    for after, in_new_step in ((0.0, 0.0), (-1.0, -15.0)):
        current = np.where(time < 3645, 1.0, after)
        step = np.diff(time >= 3645, prepend=False)
        elapsed = np.where(time < 3645, time, time - 3645)
        charge = charge_increments(time, current, step, step_time_second=elapsed)
        assert charge[time < 3645].sum() * 3600 == pytest.approx(3645)
        assert charge[np.flatnonzero(step)[0]] * 3600 == pytest.approx(in_new_step)


def test_a_running_count_that_is_set_back_is_not_taken_for_charge() -> None:
    time = np.arange(0.0, 7261.0, 60.0)
    current = np.where(time <= 3600, 1.0, -1.0)
    step = np.diff(current, prepend=current[:1]) != 0
    count = np.where(time <= 3600, time, -(time - 3600)) / 3600
    charge = charge_increments(time, current, step, net_capacity_ah=count)
    assert charge[time <= 3600].sum() == pytest.approx(1.0)
    assert charge[time > 3600].sum() == pytest.approx(-61 / 60, rel=1e-3)


@given(st.lists(st.floats(0.01, 10), min_size=2, max_size=20), st.data())
def test_a_counter_gives_the_same_charge_whenever_it_is_reset(
    added: list[float], data: st.DataObject
) -> None:
    """It is set to zero at the start of a step: told by the step and the record before."""
    hours = np.cumsum([0.0, *added]) * 0.7364121  # no round numbers: those have few digits
    reset_at = data.draw(st.integers(1, len(added)))
    new_step = np.zeros(len(hours), bool)
    new_step[reset_at] = True
    reset = np.where(np.arange(len(hours)) < reset_at, hours, hours - hours[reset_at - 1])
    zero = np.zeros(len(hours))
    for counted in (hours, reset):
        charge = weigh_charges(
            Witnesses(hours * 3600, np.ones(len(hours)), zero, new_step, zero > 0,
                      counters=(Counter.of(counted, zero),))
        ).charge_ah  # fmt: skip
        assert charge.sum() == pytest.approx(hours[-1])
