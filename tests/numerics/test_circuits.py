"""Circuits: impedances that fit on paper, and derivatives that are derivatives."""

from __future__ import annotations

import numpy as np
import pytest

from cellpipe.core.errors import CellpipeError
from cellpipe.numerics.impedance.circuits import (
    ELEMENTS,
    circuit_impedance,
    evaluate_circuit,
    parse_circuit,
)

FREQUENCY = np.geomspace(1e6, 1e-2, 41)


def test_a_resistor_is_its_resistance_at_every_frequency() -> None:
    assert np.allclose(circuit_impedance("R1", {("R1", "R"): 7.0}, FREQUENCY), 7.0)


def test_resistors_in_series_add_and_in_parallel_share() -> None:
    values = {("R1", "R"): 6.0, ("R2", "R"): 3.0}
    assert np.allclose(circuit_impedance("R1-R2", values, FREQUENCY), 9.0)
    assert np.allclose(circuit_impedance("p(R1,R2)", values, FREQUENCY), 2.0)


def test_an_arc_peaks_at_its_time_constant_with_half_its_resistance() -> None:
    values = {("R0", "R"): 10.0, ("R1", "R"): 40.0, ("C1", "C"): 1e-4}
    z = circuit_impedance("R0-p(R1,C1)", values, np.array([1 / (2 * np.pi * 40.0 * 1e-4)]))
    assert z[0] == pytest.approx(30.0 - 20.0j)


def test_a_warburg_element_runs_at_45_degrees() -> None:
    z = circuit_impedance("W1", {("W1", "sigma"): 3.0}, FREQUENCY)
    assert np.allclose(z.real, -z.imag)
    assert z[0].real == pytest.approx(3.0 / np.sqrt(2 * np.pi * FREQUENCY[0]))


def test_finite_warburgs_end_in_a_resistor_and_in_a_capacitor() -> None:
    slow = np.array([1e-6])
    values = {("Ws1", "R"): 5.0, ("Ws1", "tau"): 2.0}
    assert circuit_impedance("Ws1", values, slow)[0] == pytest.approx(5.0, rel=1e-4)
    values = {("Wo1", "R"): 5.0, ("Wo1", "tau"): 2.0}
    z = circuit_impedance("Wo1", values, slow)[0]
    assert z.real == pytest.approx(5.0 / 3, rel=1e-3)
    assert -1 / (2 * np.pi * slow[0] * z.imag) == pytest.approx(2.0 / 5.0, rel=1e-3)


def test_both_finite_warburgs_are_a_plain_one_at_high_frequency() -> None:
    fast = np.geomspace(1e4, 1e6, 9)
    plain = circuit_impedance("W1", {("W1", "sigma"): 5.0 / np.sqrt(2 * 2.0)}, fast)
    for name in ("Wo1", "Ws1"):
        values = {(name, "R"): 5.0, (name, "tau"): 2.0}
        assert np.allclose(circuit_impedance(name, values, fast), plain, rtol=1e-6)


def test_a_zarc_is_a_resistor_and_a_cpe_in_parallel() -> None:
    pair = {("R1", "R"): 40.0, ("CPE1", "Q"): 2e-5, ("CPE1", "n"): 0.8}
    tau = (40.0 * 2e-5) ** (1 / 0.8)
    zarc = {("ZARC1", "R"): 40.0, ("ZARC1", "tau"): tau, ("ZARC1", "n"): 0.8}
    expected = circuit_impedance("p(R1,CPE1)", pair, FREQUENCY)
    assert np.allclose(circuit_impedance("ZARC1", zarc, FREQUENCY), expected)
    assert np.allclose(circuit_impedance("Zarc1", {("Zarc1", k): v for (_, k), v in zarc.items()},
                                 FREQUENCY), expected)  # fmt: skip


def test_a_transmission_line_is_the_limit_of_a_ladder() -> None:
    """400 slices, each an ionic resistor before an interface in parallel to the rest."""
    r_ion, r_ct, q, n, slices = 30.0, 50.0, 1e-4, 0.9, 400
    s = 2j * np.pi * FREQUENCY
    interface, half = slices * r_ct / (1 + r_ct * q * s**n), r_ion / slices / 2
    z = half + interface
    for _ in range(slices - 1):
        z = half + 1 / (1 / interface + 1 / (half + z))
    values = {("TLM1", "R_ion"): r_ion, ("TLM1", "R_ct"): r_ct, ("TLM1", "Q"): q, ("TLM1", "n"): n}
    line = circuit_impedance("TLM1", values, FREQUENCY)
    assert np.allclose(line, z, rtol=0.02)


def test_a_line_without_a_reaction_is_the_blocking_line() -> None:
    values = {("TLM1", "R_ion"): 30.0, ("TLM1", "R_ct"): 1e12, ("TLM1", "Q"): 1e-4,
              ("TLM1", "n"): 0.9}  # fmt: skip
    blocked = {("TLMQ1", name): values["TLM1", name] for name in ("R_ion", "Q", "n")}
    assert np.allclose(
        circuit_impedance("TLM1", values, FREQUENCY), circuit_impedance("TLMQ1", blocked, FREQUENCY)
    )


def test_a_gerischer_of_great_depth_has_no_end() -> None:
    deep = {("Gs1", "R"): 7.0, ("Gs1", "tau"): 0.1, ("Gs1", "phi"): 50.0}
    plain = {("G1", "R"): 7.0, ("G1", "tau"): 0.1}
    assert np.allclose(
        circuit_impedance("Gs1", deep, FREQUENCY), circuit_impedance("G1", plain, FREQUENCY)
    )


def test_a_cpe_with_exponent_one_is_a_capacitor() -> None:
    cpe = circuit_impedance("CPE1", {("CPE1", "Q"): 2e-5, ("CPE1", "n"): 1.0}, FREQUENCY)
    assert np.allclose(cpe, circuit_impedance("C1", {("C1", "C"): 2e-5}, FREQUENCY))


@pytest.mark.parametrize(
    "text",
    [
        "R0-p(R1,CPE1)-p(R2,CPE2)-W1",
        "L0-R0-p(R1-p(R2,C2),CPE1)-CPE3",
        "p(R1,C1,W1)-L2",
        "R0-p(R1,C1)-p(R2-Wo1,C2)",
        "La0-K1-Zarc2-Ws3",
        "p(G1,C1)-Gs2",
        "TLMQ1-p(TLM2,C2)-ZARC3",
    ],
)
def test_derivatives_equal_finite_differences_for_any_nesting(text: str) -> None:
    circuit = parse_circuit(text)
    rng = np.random.default_rng(5)
    low = np.array([max(p.low, 1e-4) for p in circuit.parameters])
    values = np.where([p.positive for p in circuit.parameters], low * rng.uniform(2, 9), 0.8)
    z, slopes = evaluate_circuit(circuit, FREQUENCY, values)
    for place, parameter in enumerate(circuit.parameters):
        moved = [values.copy(), values.copy()]
        for sign, other in zip((1, -1), moved, strict=True):
            other[place] *= np.exp(sign * 1e-6) if parameter.positive else 1
            other[place] += 0 if parameter.positive else sign * 1e-6
        up, down = (evaluate_circuit(circuit, FREQUENCY, m)[0] for m in moved)
        assert np.allclose((up - down) / 2e-6, slopes[place], rtol=1e-5, atol=1e-9 * abs(z).max())


def test_many_parameter_sets_are_evaluated_at_once() -> None:
    circuit = parse_circuit("R0-p(R1,CPE1)")
    values = np.array([[1, 2, 1e-5, 0.9], [3, 4, 1e-4, 0.7]])
    together = evaluate_circuit(circuit, FREQUENCY, values)[0]
    for row, one in zip(values, together, strict=True):
        assert np.allclose(evaluate_circuit(circuit, FREQUENCY, row)[0], one)


@pytest.mark.parametrize("text", ["R0-X1", "R0-p(R1", "R1-R1", "", "p()"])
def test_a_circuit_that_can_not_be_read_says_what_is_expected(text: str) -> None:
    with pytest.raises(CellpipeError, match="expected"):
        parse_circuit(text)


def test_every_element_states_its_units() -> None:
    assert all(p.unit for element in ELEMENTS.values() for p in element.parameters)
