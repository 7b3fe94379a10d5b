"""Circuits: impedances that fit on paper, and derivatives that are derivatives."""

from __future__ import annotations

import numpy as np
import pytest

from cellpipe.errors import CellpipeError
from cellpipe.numerics.circuits import ELEMENTS, evaluated, impedance, parsed

FREQUENCY = np.geomspace(1e6, 1e-2, 41)


def test_a_resistor_is_its_resistance_at_every_frequency() -> None:
    assert np.allclose(impedance("R1", {("R1", "R"): 7.0}, FREQUENCY), 7.0)


def test_resistors_in_series_add_and_in_parallel_share() -> None:
    values = {("R1", "R"): 6.0, ("R2", "R"): 3.0}
    assert np.allclose(impedance("R1-R2", values, FREQUENCY), 9.0)
    assert np.allclose(impedance("p(R1,R2)", values, FREQUENCY), 2.0)


def test_an_arc_peaks_at_its_time_constant_with_half_its_resistance() -> None:
    values = {("R0", "R"): 10.0, ("R1", "R"): 40.0, ("C1", "C"): 1e-4}
    z = impedance("R0-p(R1,C1)", values, np.array([1 / (2 * np.pi * 40.0 * 1e-4)]))
    assert z[0] == pytest.approx(30.0 - 20.0j)


def test_a_warburg_element_runs_at_45_degrees() -> None:
    z = impedance("W1", {("W1", "A"): 3.0}, FREQUENCY)
    assert np.allclose(z.real, -z.imag)
    assert z[0].real == pytest.approx(3.0 / np.sqrt(2 * 2 * np.pi * FREQUENCY[0]))


def test_a_cpe_with_exponent_one_is_a_capacitor() -> None:
    cpe = impedance("CPE1", {("CPE1", "Q"): 2e-5, ("CPE1", "n"): 1.0}, FREQUENCY)
    assert np.allclose(cpe, impedance("C1", {("C1", "C"): 2e-5}, FREQUENCY))


@pytest.mark.parametrize(
    "text", ["R0-p(R1,CPE1)-p(R2,CPE2)-W1", "L0-R0-p(R1-p(R2,C2),CPE1)-CPE3", "p(R1,C1,W1)-L2"]
)
def test_derivatives_equal_finite_differences_for_any_nesting(text: str) -> None:
    circuit = parsed(text)
    rng = np.random.default_rng(5)
    low = np.array([max(p.low, 1e-4) for p in circuit.parameters])
    values = np.where([p.positive for p in circuit.parameters], low * rng.uniform(2, 9), 0.8)
    z, slopes = evaluated(circuit, FREQUENCY, values)
    for place, parameter in enumerate(circuit.parameters):
        moved = [values.copy(), values.copy()]
        for sign, other in zip((1, -1), moved, strict=True):
            other[place] *= np.exp(sign * 1e-6) if parameter.positive else 1
            other[place] += 0 if parameter.positive else sign * 1e-6
        up, down = (evaluated(circuit, FREQUENCY, m)[0] for m in moved)
        assert np.allclose((up - down) / 2e-6, slopes[place], rtol=1e-5, atol=1e-9 * abs(z).max())


def test_many_parameter_sets_are_evaluated_at_once() -> None:
    circuit = parsed("R0-p(R1,CPE1)")
    values = np.array([[1, 2, 1e-5, 0.9], [3, 4, 1e-4, 0.7]])
    together = evaluated(circuit, FREQUENCY, values)[0]
    for row, one in zip(values, together, strict=True):
        assert np.allclose(evaluated(circuit, FREQUENCY, row)[0], one)


@pytest.mark.parametrize("text", ["R0-X1", "R0-p(R1", "R1-R1", "", "p()"])
def test_a_circuit_that_can_not_be_read_says_what_is_expected(text: str) -> None:
    with pytest.raises(CellpipeError, match="expected"):
        parsed(text)


def test_every_element_states_its_units() -> None:
    assert all(p.unit for element in ELEMENTS.values() for p in element.parameters)
