"""What the automatic circuit takes for an interface, diffusion, a tail, or electrolyte."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from made_spectra import blocking, noisy

from cellpipe import fit_impedance, fit_impedance_series
from cellpipe.numerics.impedance.circuit_fit import fit_circuit
from cellpipe.numerics.impedance.circuits import evaluate_circuit, parse_circuit
from cellpipe.numerics.impedance.fit import ImpedanceFit
from cellpipe.numerics.impedance.processes import ELECTROLYTE, INTERFACE, likely_process
from cellpipe.numerics.impedance.processes import ArcShape as Shape
from cellpipe.numerics.impedance.spectra import spectrum_numbers

FREQUENCY = np.geomspace(1e6, 1e-2, 65)


def made(
    text: str, values: list[float], seed: int = 1, noise: float = 0.003,
    frequency: np.ndarray = FREQUENCY,
) -> np.ndarray:  # fmt: skip
    """Make a spectrum of a circuit with these values, with noise."""
    clean = evaluate_circuit(parse_circuit(text), frequency, np.array(values))[0]
    return noisy(clean, noise, np.random.default_rng(seed))


def interface(fit: ImpedanceFit) -> float | None:
    """Sum the resistances of the arcs of an interface; None without one."""
    inside = [arc.resistance for arc in fit.arcs if arc.process in INTERFACE]
    return sum(inside) if inside else None


def electrolyte(fit: ImpedanceFit) -> float:
    """Sum R0 and the arcs of bulk and grain boundaries."""
    return fit.values["R0"] + sum(a.resistance for a in fit.arcs if a.process in ELECTROLYTE)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    "text",
    ["R0-p(R1,CPE1)-Wo1", "R0-p(R1,CPE1)-Ws1", "R0-p(R1-Wo1,CPE1)", "R0-p(R1-Ws1,CPE1)"],
)
def test_finite_diffusion_is_no_interface(text: str, seed: int) -> None:
    """The interface is 50 ohm whether diffusion ends at a wall or a sink, behind it or within."""
    z_diffusion = [80.0, 20.0]
    values = [10.0, 50.0, 1e-5, 0.9, *z_diffusion]
    if "R1-W" in text:
        values = [10.0, 50.0, *z_diffusion, 1e-5, 0.9]
    fit = fit_impedance(FREQUENCY, made(text, values, seed, 0.005), area_cm2=1.0)
    assert interface(fit) == pytest.approx(50, rel=0.02)


@pytest.mark.parametrize("seed", range(3))
def test_a_porous_electrode_that_blocks_is_no_interface(seed: int) -> None:
    """Ions that only reach into its pores cross no interface, though its ends look like arcs."""
    alone = made("R0-TLMQ1", [10.0, 100.0, 2e-3, 0.9], seed)
    assert interface(fit_impedance(FREQUENCY, alone, area_cm2=1.0)) is None
    z = made("R0-p(R1,CPE1)-TLMQ1", [10.0, 30.0, 3e-6, 0.9, 100.0, 5e-3, 0.92], seed)
    assert interface(fit_impedance(FREQUENCY, z, area_cm2=1.0)) == pytest.approx(30, rel=0.03)


@pytest.mark.parametrize("seed", range(3))
def test_diffusion_that_no_candidate_has_is_still_no_interface(seed: int) -> None:
    """A Gerischer element's slow arcs have the capacitance of inserted charge."""
    z = made("R0-p(R1,CPE1)-G1", [10.0, 30.0, 1e-5, 0.9, 60.0, 5.0], seed, 0.004)
    assert interface(fit_impedance(FREQUENCY, z, area_cm2=1.0)) == pytest.approx(30, rel=0.1)


def test_before_a_blocking_electrode_the_chosen_circuit_has_the_arcs_that_are_there() -> None:
    for one in blocking(6, 77):
        fit = fit_impedance(one.frequency, one.impedance, area_cm2=1.0)
        found = np.sort([arc.resistance for arc in fit.arcs])
        assert found == pytest.approx(np.sort(np.exp(one.theta[one.resistances[1:]])), rel=0.2)


@pytest.mark.parametrize("lowest", [1.0, 0.01])
def test_a_pellet_between_blocking_electrodes_has_a_resistance_and_no_interface(
    lowest: float,
) -> None:
    frequency = np.geomspace(7e6, lowest, 61)
    for seed in range(3):
        values = [400.0, 1000.0, 2e-9, 0.9, 4e-6, 0.88]
        z = made("R0-p(R1,CPE1)-CPE2", values, seed, 0.004, frequency)
        fit = fit_impedance(frequency, z, area_cm2=0.785)
        assert interface(fit) is None
        assert electrolyte(fit) == pytest.approx(1400, rel=0.03)


def test_a_blocking_electrode_that_leaks_is_no_interface() -> None:
    z = made("R0-p(R1,CPE1)-p(R2,CPE2)", [100.0, 150.0, 4e-9, 0.9, 2e5, 3e-6, 0.93])
    fit = fit_impedance(FREQUENCY, z, area_cm2=1.0)
    assert interface(fit) is None
    assert electrolyte(fit) == pytest.approx(250, rel=0.03)


def test_an_arc_that_does_not_close_in_the_window_is_a_tail() -> None:
    frequency = np.geomspace(1e6, 0.1, 57)
    z = made(
        "R0-p(R1,CPE1)-p(R2,CPE2)", [10.0, 30.0, 5e-6, 0.9, 3e3, 1e-3, 0.9], 2, 0.003, frequency
    )
    fit = fit_impedance(frequency, z, area_cm2=1.0)
    assert interface(fit) == pytest.approx(30, rel=0.03)
    assert "tail" in [arc.process for arc in fit.arcs] or "CPE" in fit.circuit.rsplit("-", 1)[1]


def test_a_composite_electrodes_charge_transfer_is_found_in_its_line() -> None:
    z = made("R0-TLM1", [10.0, 20.0, 60.0, 2e-4, 0.95])
    fit = fit_impedance(FREQUENCY, z, area_cm2=1.0)
    assert fit.circuit == "R0-TLM1"
    (arc,) = fit.arcs
    assert (arc.process, arc.resistance) == ("charge transfer", pytest.approx(60, rel=0.02))


def test_the_capacitance_of_a_charge_transfer_has_an_upper_edge() -> None:
    slow = Shape(2e-2, 50.0, 1.0, 10.0)
    assert likely_process(slow, 1.0, 1e-3)[0] == "diffusion"
    assert likely_process(slow, 1000.0, 1e-3)[0] == "interphase"  # 20 µF/cm²
    assert likely_process(Shape(2e-2, 0.2, 4e-3, 0.1), None, 1e-2)[0] == "charge transfer"


def test_a_larger_circuit_never_fits_worse_than_its_parts() -> None:
    """Each of these is the one before with one more element."""
    chain = ["R0-CPE2", "R0-p(R1,CPE1)-CPE2", "R0-p(R1,CPE1)-p(R3,CPE3)-CPE2",
             "L0-R0-p(R1,CPE1)-p(R3,CPE3)-CPE2"]  # fmt: skip
    for one in blocking(4, 5):
        costs = [fit_circuit(text, one.frequency, one.impedance).cost for text in chain]
        for smaller, larger in pairwise(costs):
            assert larger <= smaller * (1 + 1e-6)


def test_a_reversed_sign_is_turned_and_said() -> None:
    z = made("R0-p(R1,CPE1)-W1", [10.0, 50.0, 1e-5, 0.9, 5.0])
    right, turned = fit_impedance(FREQUENCY, z), fit_impedance(FREQUENCY, z.conj())
    assert turned.values == pytest.approx(right.values)
    assert any("sign is reversed" in flag for flag in turned.flags)
    assert not any("sign" in flag for flag in right.flags)
    series = fit_impedance_series(FREQUENCY, [z, z.conj()], right.circuit)
    assert [any("sign" in flag for flag in flags) for flags in series.flags] == [False, True]


def test_an_inductive_spectrum_is_not_turned() -> None:
    f = np.geomspace(1e5, 1e3, 31)
    z = made("L0-R0-p(R1,CPE1)", [1e-6, 0.02, 0.01, 0.5, 0.9], frequency=f)
    assert np.mean(z.imag > 0) > 0.7
    assert not fit_impedance(f, z, "L0-R0-p(R1,CPE1)").sign_turned


@pytest.mark.parametrize(
    ("frequency", "index", "number"),
    [
        ([1e3, 1e2, 10.0, 1.0], [1, 2, 4, 5], [1, 1, 1, 1]),  # a record without a frequency between
        ([1e3, 1e2, 1e2, 10.0, 1.0], [1, 2, 3, 4, 5], [1] * 5),  # one frequency twice
        ([1e3, 1e2, 1.0], [1, 2, 5], [1, 1, 1]),  # two frequencies lost
        ([1e3, 1e2, 10.0, 1e3, 1e2], [1, 2, 4, 6, 7], [1, 1, 1, 2, 2]),  # the next sweep
        ([1e3, 1e3, 1e3], [1, 5, 9], [1, 2, 3]),  # one frequency, again and again
        ([1e3, 1e2, 10.0], [1, 2, 40], [1, 1, 2]),  # a long time between
    ],
)
def test_a_lost_or_repeated_frequency_does_not_split_a_sweep(
    frequency: list[float], index: list[int], number: list[int]
) -> None:
    assert spectrum_numbers(np.array(frequency), np.array(index)).tolist() == number
