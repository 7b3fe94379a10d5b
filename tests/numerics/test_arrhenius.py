"""Claims: the activation energy is that of the points, with its interval, or there is none."""

from __future__ import annotations

import numpy as np
import pytest

from cellpipe.numerics.impedance.arrhenius import (
    EV_PER_KELVIN,
    KJ_PER_MOL,
    ZERO_CELSIUS,
    fit_arrhenius,
)

CELSIUS = np.array([10.0, 25.0, 40.0, 60.0])


def resistances(celsius: np.ndarray, energy: float, *, conductor: bool) -> np.ndarray:
    kelvin = celsius + ZERO_CELSIUS
    value = np.exp(energy / EV_PER_KELVIN * (1 / kelvin - 1 / 298.15))
    return np.asarray(value * (kelvin if conductor else 1.0))


@pytest.mark.parametrize("conductor", [True, False])
@pytest.mark.parametrize("energy", [0.25, 0.6])
def test_the_energy_is_that_of_the_formula(energy: float, conductor: bool) -> None:
    r = resistances(CELSIUS, energy, conductor=conductor)
    found = fit_arrhenius(CELSIUS, r, 0.005 * r, conductor=conductor)
    assert found is not None
    assert found.straight
    assert found.energy == pytest.approx(energy, rel=1e-9)
    assert found.low < energy < found.high
    assert found.cold == pytest.approx(energy, rel=1e-9)
    assert found.temperatures == 4


def test_the_two_formulae_differ_by_kt() -> None:
    r = resistances(CELSIUS, 0.4, conductor=False)
    line = fit_arrhenius(CELSIUS, r, 0.005 * r, conductor=True)
    assert line is not None
    assert line.energy - 0.4 == pytest.approx(EV_PER_KELVIN * 305, rel=0.02)
    assert pytest.approx(8.314462618 / EV_PER_KELVIN / 1000, rel=1e-8) == KJ_PER_MOL


@pytest.mark.parametrize("celsius", [[25.0, 60.0], [25.0, 26.0, 27.0, 28.0], [25.0, 25.5, 26.0]])
def test_less_than_three_temperatures_give_no_energy(celsius: list[float]) -> None:
    r = resistances(np.array(celsius), 0.4, conductor=False)
    assert fit_arrhenius(np.array(celsius), r, 0.005 * r, conductor=False) is None


def test_points_with_a_kink_have_no_energy_and_two_slopes() -> None:
    kelvin = CELSIUS + ZERO_CELSIUS
    kink = np.exp(np.maximum(0.4 / EV_PER_KELVIN * (1 / kelvin - 1 / 305), 0))
    r = resistances(CELSIUS, 0.3, conductor=False) * kink
    found = fit_arrhenius(CELSIUS, r, 0.005 * r, conductor=False)
    assert found is not None
    assert not found.straight
    assert found.cold == pytest.approx(0.7, abs=0.02)
    assert found.hot < 0.5


def test_a_resistance_that_does_not_come_back_with_the_temperature_is_no_straight_line() -> None:
    celsius = np.array([25.0, 40.0, 60.0, 40.0, 25.0])
    r = resistances(celsius, 0.4, conductor=False) * np.array([1.0, 1.0, 1.0, 1.5, 1.6])
    found = fit_arrhenius(celsius, r, 0.005 * r, conductor=False)
    assert found is not None
    assert not found.straight


def test_the_interval_holds_the_true_energy_in_19_of_20_with_a_sensor_half_a_kelvin_off() -> None:
    within = []
    for seed in range(400):
        rng = np.random.default_rng(seed)
        true = CELSIUS + 0.5 * rng.standard_normal(len(CELSIUS))
        r = resistances(true, 0.45, conductor=False)
        found = fit_arrhenius(CELSIUS, r, 0.005 * r, conductor=False)
        assert found is not None
        within.append(found.low < 0.45 < found.high)
    assert 0.93 <= np.mean(within) <= 1.0
