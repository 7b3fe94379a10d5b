"""Claims: spectra of other states of charge, temperatures and techniques are told apart."""

from __future__ import annotations

import numpy as np
import pytest

from cellpipe.numerics.impedance.states import SpectrumGroups, group_spectra


def groups(
    voltage: list[float] | None = None, celsius: list[float] | None = None,
    share: list[float] | None = None, techniques: list[str | None] | None = None,
) -> SpectrumGroups:  # fmt: skip
    size = len(voltage or celsius or share or techniques or [])
    columns = [np.array(c if c is not None else [np.nan] * size) for c in (voltage, celsius, share)]
    return group_spectra(*columns, techniques or [None] * size)


def test_states_of_charge_are_told_apart_where_they_come_again() -> None:
    found = groups([3.0, 4.2, 3.01, 4.19, 2.99, 4.2])
    assert found.state.tolist() == [1, 2, 1, 2, 1, 2]
    assert not found.varies
    assert set(groups([3.7, 3.71, 3.69]).state.tolist()) == {1}


def test_a_few_ten_millivolts_are_two_states_if_each_is_kept_to_a_few() -> None:
    found = groups([3.300, 3.342, 3.301, 3.341, 3.3005, 3.3405])
    assert found.state.tolist() == [1, 2, 1, 2, 1, 2]


def test_a_voltage_that_creeps_is_one_state() -> None:
    assert set(groups([2.5836, 2.5857, 2.5875, 2.5892, 2.5907, 2.5921]).state.tolist()) == {1}
    assert set(groups([3.779, 3.765, 3.757, 3.751]).state.tolist()) == {1}


def test_a_sweep_of_the_state_of_charge_is_one_state_and_said() -> None:
    found = groups(np.linspace(3.0, 4.2, 7).tolist())
    assert set(found.state.tolist()) == {1}
    assert found.varies == {1: "voltage runs from 3.00 to 4.20 V"}


def test_one_spectrum_of_another_state_stands_by_itself() -> None:
    found = groups([3.0] * 9 + [4.2])
    assert found.state.tolist() == [1] * 9 + [2]
    assert not found.varies


def test_the_charge_tells_states_that_the_voltage_does_not() -> None:
    found = groups([3.30] * 6, share=[0.0, 0.5, 0.01, 0.52, 0.0, 0.51])
    assert found.state.tolist() == [1, 2, 1, 2, 1, 2]
    swept = groups([3.30] * 6, share=[0.0, 0.2, 0.4, 0.6, 0.8, 1.0])
    assert swept.varies == {1: "charge since full runs from 0% to 100% of the capacity"}


def test_temperatures_are_states_of_one_series() -> None:
    found = groups([3.7] * 9, celsius=[25.0] * 3 + [45.0] * 3 + [60.0] * 3)
    assert found.state.tolist() == [1] * 3 + [2] * 3 + [3] * 3
    assert set(found.series.tolist()) == {1}


def test_a_ramp_of_the_temperature_is_said() -> None:
    found = groups([3.7] * 9, celsius=np.linspace(20, 60, 9).tolist())
    assert found.varies == {1: "temperature runs from 20.0 to 60.0 °C"}


def test_a_room_that_is_a_kelvin_warmer_by_day_is_one_state() -> None:
    found = groups([3.7] * 6, celsius=[21.0, 22.1, 21.4, 22.5, 21.2, 23.0])
    assert set(found.state.tolist()) == {1}
    assert not found.varies


@pytest.mark.parametrize("unknown", [False, True])
def test_techniques_are_series_of_their_own_where_all_are_known(unknown: bool) -> None:
    names: list[str | None] = ["PEIS", "GEIS", "PEIS", None if unknown else "GEIS"]
    assert groups(techniques=names).series.tolist() == ([1] * 4 if unknown else [2, 1, 2, 1])
