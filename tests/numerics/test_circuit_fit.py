"""Fits without a guess: made spectra come back, and real ones as others have published them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import cellpipe
from cellpipe.numerics.circuit_fit import CANDIDATES, fitted, refined
from cellpipe.numerics.circuits import impedance

STATED = (  # R0, R1, C1, R2, C2 of the origin's own fits, weighted by the modulus
    (475.2108, 1018.3777, 8.152811e-09, 3561.2257, 2.304389e-06),
    (475.2954, 1018.4426, 8.151963e-09, 3560.7868, 2.303701e-06),
    (475.1262, 1019.6599, 8.148918e-09, 3559.5177, 2.305341e-06),
)
FREQUENCY = np.geomspace(1e6, 1e-2, 73)


def made(seed: int, noise: float) -> tuple[dict[tuple[str, str], float], np.ndarray]:
    """Draw a cell: two arcs at least 1.5 decades apart, and a CPE tail."""
    rng = np.random.default_rng(seed)
    r1, r2 = rng.uniform(10, 60, 2)
    t1 = 10 ** rng.uniform(-5.0, -4.0)
    t2 = t1 * 10 ** rng.uniform(1.5, 2.5)
    n1, n2 = rng.uniform(0.8, 0.95, 2)
    values = {
        ("R0", "R"): rng.uniform(5, 30), ("R1", "R"): r1, ("CPE1", "Q"): t1**n1 / r1,
        ("CPE1", "n"): n1, ("R2", "R"): r2, ("CPE2", "Q"): t2**n2 / r2, ("CPE2", "n"): n2,
        ("CPE3", "Q"): 0.05, ("CPE3", "n"): 0.6,
    }  # fmt: skip
    z = impedance("R0-p(R1,CPE1)-p(R2,CPE2)-CPE3", values, FREQUENCY)
    draws = rng.standard_normal((2, len(z)))
    return values, z + noise * np.abs(z) * (draws[0] + 1j * draws[1])


@pytest.mark.parametrize("seed", range(8))
def test_without_noise_every_parameter_comes_back(seed: int) -> None:
    values, z = made(seed, 0.0)
    fit = fitted(FREQUENCY, z, 2, "CPE")
    for key, found in zip(fit.circuit.keys, fit.values, strict=True):
        assert found == pytest.approx(values[key], rel=1e-4), key


def test_under_noise_errors_are_as_large_as_the_fit_says() -> None:
    """Of all parameters of 40 spectra, about 95 % lie within two standard errors."""
    inside = []
    for seed in range(40):
        values, z = made(seed, 0.003)
        fit = fitted(FREQUENCY, z, 2, "CPE")
        for key, found, error in zip(fit.circuit.keys, fit.values, fit.errors, strict=True):
            inside.append(abs(found - values[key]) < 2 * error)
    assert 0.90 < np.mean(inside) < 0.99


def test_the_result_is_an_lmfit_result_with_bounds_and_errors() -> None:
    _, z = made(3, 0.003)
    result = fitted(FREQUENCY, z, 2, "CPE").result
    assert type(result).__name__ == "MinimizerResult"
    named = {"R0", "R1", "CPE1_Q", "CPE1_n", "R2", "CPE2_Q", "CPE2_n", "CPE3_Q", "CPE3_n"}
    assert named <= set(result.params)
    assert result.params["R2"].stderr > 0
    assert result.params["CPE1_n"].max == 1.0
    assert "ln_R2" in result.var_names


def test_an_arc_that_is_not_there_is_not_called_identifiable() -> None:
    values = {("R0", "R"): 10.0, ("R1", "R"): 40.0, ("CPE1", "Q"): 1e-5, ("CPE1", "n"): 0.85,
              ("CPE2", "Q"): 0.05, ("CPE2", "n"): 0.6}  # fmt: skip
    z = impedance("R0-p(R1,CPE1)-CPE2", values, FREQUENCY)
    rng = np.random.default_rng(7)
    z = z * (1 + 0.003 * (rng.standard_normal(len(z)) + 1j * rng.standard_normal(len(z))))
    one, two = fitted(FREQUENCY, z, 1, "CPE"), fitted(FREQUENCY, z, 2, "CPE")
    assert one.identifiable.all()
    assert one.bic < two.bic
    assert not two.identifiable.all()


def test_arcs_stand_in_the_order_of_their_time_constants() -> None:
    for seed in range(8):
        fit = fitted(FREQUENCY, made(seed, 0.003)[1], 2, "CPE")
        at = dict(zip(fit.circuit.keys, fit.values, strict=True))
        times = [
            (at[f"R{i}", "R"] * at[f"CPE{i}", "Q"]) ** (1 / at[f"CPE{i}", "n"]) for i in (1, 2)
        ]
        assert times[0] < times[1]


def test_a_real_spectrum_gives_the_resistances_that_its_origin_states(real_data: Path) -> None:
    """The dummy cell R0-p(R1,C1)-p(R2,C2): 475, 1018 and 3561 ohm."""
    table = cellpipe.read(real_data / "mpr/dgpost__peis_multiple_data.mpr").tables["impedance"]
    for number in (1, 2, 3):
        rows = table.filter(spectrum=number)
        z = rows["real_impedance_ohm"].to_numpy() + 1j * rows["imaginary_impedance_ohm"].to_numpy()
        start = np.array([[400.0, 900.0, 1e-8, 3000.0, 2e-6]])
        frequency = rows["frequency_hertz"].to_numpy()
        fit = refined("R0-p(R1,C1)-p(R2,C2)", frequency, z, start)
        assert fit.values == pytest.approx(STATED[number - 1], rel=2e-5)


def test_a_spectrum_without_a_tail_gets_a_circuit_without_one(real_data: Path) -> None:
    table = cellpipe.read(real_data / "mpr/dgpost__peis_multiple_data.mpr").tables["impedance"]
    rows = table.filter(spectrum=1)
    z = rows["real_impedance_ohm"].to_numpy() + 1j * rows["imaginary_impedance_ohm"].to_numpy()
    frequency = rows["frequency_hertz"].to_numpy()
    fits = [fitted(frequency, z, arcs, tail) for arcs, tail in CANDIDATES]
    best = min(fits, key=lambda fit: fit.bic)
    assert best.circuit.text == "R0-p(R1,CPE1)-p(R2,CPE2)"
    assert best.identifiable.all()
