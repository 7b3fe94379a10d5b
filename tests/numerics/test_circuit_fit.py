"""Fits without a guess: made spectra come back, and real ones as others have published them."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import numpy as np
import pytest
from made_spectra import FREQUENCY, arcs_in_a_row, blocking, two_arcs

import cellpipe
from cellpipe.numerics.impedance.arcs import build_arcs
from cellpipe.numerics.impedance.circuit_choice import choose_circuit, fit_best_circuit
from cellpipe.numerics.impedance.circuit_fit import fit_circuit
from cellpipe.numerics.impedance.circuit_forms import (
    build_form,
    theta_from_values,
    values_from_theta,
)
from cellpipe.numerics.impedance.circuits import circuit_impedance, evaluate_circuit

STATED = (  # R0, R1, C1, R2, C2 of the origin's own fits, weighted by the modulus
    (475.2108, 1018.3777, 8.152811e-09, 3561.2257, 2.304389e-06),
    (475.2954, 1018.4426, 8.151963e-09, 3560.7868, 2.303701e-06),
    (475.1262, 1019.6599, 8.148918e-09, 3559.5177, 2.305341e-06),
)


def real_spectrum(folder: Path, name: str) -> tuple[np.ndarray, np.ndarray]:
    columns = np.genfromtxt(folder / "spectra" / name, delimiter=",", names=True)
    return columns["f_Hz"], columns["Zre_Ohm"] + 1j * columns["Zim_Ohm"]


@pytest.mark.parametrize("tail", ["", "W", "CPE", "Wo", "Ws"])
def test_without_noise_every_parameter_comes_back(tail: str) -> None:
    for made in two_arcs(4, 8, tail):
        if made.decades < 1:
            continue
        fit = fit_circuit(made.form.circuit.text, made.frequency, made.clean)
        assert fit.values == pytest.approx(values_from_theta(made.form, made.theta), rel=1e-4)


@pytest.mark.parametrize(
    ("tail", "inductive"),
    [("W", False), ("W", True), ("CPE", False), ("Wo", False), ("Ws", False)],
)
def test_the_optimum_is_that_of_a_fit_from_the_truth(tail: str, inductive: bool) -> None:
    """Of 40 spectra with noise, at most one is left at another optimum."""
    missed = 0
    for made in two_arcs(40, 3, tail, inductive=inductive):
        fit = fit_circuit(made.form.circuit.text, made.frequency, made.impedance)
        missed += fit.cost > 1.0001 * made.from_truth()[1]
    assert missed <= 1


def test_before_a_blocking_electrode_the_optimum_is_reached_and_the_arcs_are_right() -> None:
    """|Z| covers five decades, so an exponent that is a little off would hide both arcs."""
    for made in blocking(40, 31):
        fit = fit_circuit(made.form.circuit.text, made.frequency, made.impedance)
        assert fit.cost <= 1.0001 * made.from_truth()[1]
        error = np.abs(fit.theta - made.theta)[made.resistances]
        assert (error < np.maximum(0.05, 5 * made.bound[made.resistances])).all()


def test_the_spread_of_fits_is_the_least_that_is_possible() -> None:
    """Where the Cramér–Rao bound of every resistance is below 5 %, and its interval holds."""
    ratio, inside = [], []
    for made in two_arcs(150, 5):
        bound = made.bound
        if (bound[made.resistances] > 0.05).any():
            continue
        fit = fit_circuit(made.form.circuit.text, made.frequency, made.impedance)
        off = fit.theta - made.theta
        ratio.append(off / bound)
        inside.append(np.abs(off) < 1.96 * np.sqrt(np.diag(fit.spread)))
    count = np.size(ratio)
    assert 0.93 < np.sqrt(np.mean(np.square(ratio))) < 1.07
    assert abs(np.mean(inside) - 0.95) < 4 * np.sqrt(0.95 * 0.05 / count) + 0.01


def test_an_arc_that_is_not_there_is_not_called_identifiable() -> None:
    values = {("R0", "R"): 10.0, ("R1", "R"): 40.0, ("CPE1", "Q"): 1e-5, ("CPE1", "n"): 0.85,
              ("CPE2", "Q"): 0.05, ("CPE2", "n"): 0.6}  # fmt: skip
    z = circuit_impedance("R0-p(R1,CPE1)-CPE2", values, FREQUENCY)
    rng = np.random.default_rng(7)
    z = z * (1 + 0.003 * (rng.standard_normal(len(z)) + 1j * rng.standard_normal(len(z))))
    one = fit_circuit("R0-p(R1,CPE1)-CPE2", FREQUENCY, z)
    two = fit_circuit("R0-p(R1,CPE1)-p(R2,CPE2)-CPE3", FREQUENCY, z)
    assert one.identifiable.all()
    assert one.criterion(2 * len(z)) < two.criterion(2 * len(z))
    assert not two.identifiable.all()


def test_arcs_stand_in_the_order_of_their_time_constants() -> None:
    for made in two_arcs(8, 4):
        fit = fit_circuit(made.form.circuit.text, made.frequency, made.impedance)
        first, second = (arc.first + 1 for arc in fit.form.arcs)
        assert fit.theta[first] < fit.theta[second]


def test_the_form_that_is_fitted_is_the_same_circuit() -> None:
    rng = np.random.default_rng(2)
    for text in ("R0-p(R1,CPE1)-p(CPE2,R2)-C3", "L0-p(R1,C1)-p(R2-Ws1,CPE2)", "TLM1-ZARC2-K3",
                 "R0-p(R2,C2)-TLM1", "TLMt1-CPE2"):  # fmt: skip
        form = build_form(text)
        values = np.array([0.8 if not p.positive else 10 ** rng.uniform(-5, 1)
                           for p in form.circuit.parameters])  # fmt: skip
        theta = theta_from_values(form, values)
        assert values_from_theta(form, theta) == pytest.approx(values)
        inner = np.where(form.positive, np.exp(np.where(form.positive, theta, 0)), theta)
        there = evaluate_circuit(form.fitted, FREQUENCY, inner)[0]
        assert np.allclose(there, evaluate_circuit(form.circuit, FREQUENCY, values)[0])


@pytest.mark.slow
def test_the_number_of_arcs_is_right_where_the_data_can_tell() -> None:
    right = []
    for arcs, made in arcs_in_a_row(36, 17):
        if (made.bound < 0.35).all():
            right.append(len(fit_best_circuit(made.frequency, made.impedance).form.arcs) == arcs)
    assert len(right) > 20
    assert np.mean(right) >= 0.95


def test_a_series_gets_one_circuit_that_describes_all_of_it() -> None:
    made = list(two_arcs(3, 12, noise=0.005))
    text = choose_circuit([m.frequency for m in made], [m.impedance for m in made])
    assert text == "R0-p(R1,CPE1)-p(R2,CPE2)-W1"


def test_a_real_spectrum_gives_the_resistances_that_its_origin_states(real_data: Path) -> None:
    """The dummy cell R0-p(R1,C1)-p(R2,C2): 475, 1018 and 3561 ohm, found without a guess."""
    table = cellpipe.read(real_data / "mpr/dgpost__peis_multiple_data.mpr").tables["impedance"]
    for number in (1, 2, 3):
        rows = table.filter(spectrum=number)
        z = rows["real_impedance_ohm"].to_numpy() + 1j * rows["imaginary_impedance_ohm"].to_numpy()
        fit = fit_circuit("R0-p(R1,C1)-p(R2,C2)", rows["frequency_hertz"].to_numpy(), z)
        assert fit.values == pytest.approx(STATED[number - 1], rel=1e-6)


def test_seven_temperatures_come_out_as_they_are_published(real_data: Path) -> None:
    """Values within 0.1 % and standard errors within 2 % of EISFitpython's report."""
    with (real_data / "spectra" / "CATALOGUE.tsv").open(encoding="utf-8") as stream:
        rows = [r for r in csv.DictReader(stream, delimiter="\t") if "eisfitpy_T" in r["id"]]
    assert len(rows) == 7
    for row in rows:
        stated = np.array(re.findall(r"=([0-9.e+-]+)\+-([0-9.e+-]+)", row["reference"]), float)
        fit = fit_circuit("p(R1,CPE1)-p(R2,CPE2)-CPE3", *real_spectrum(real_data, row["file"]))
        assert fit.values == pytest.approx(stated[:, 0], rel=1e-3), row["id"]
        assert fit.errors == pytest.approx(stated[:, 1], rel=0.02), row["id"]


def test_exact_spectra_are_met_to_the_last_digits(real_data: Path) -> None:
    """Where there is no noise, a start that is far behind may still be the right one."""
    for name in ("pyimpspec_ids_0.csv", "pyimpspec_dta_0.csv", "pyimpspec_mpt_0.csv"):
        fit = fit_circuit("R0-p(R1,CPE1)-p(R2,CPE2)-CPE3", *real_spectrum(real_data, name))
        assert fit.relative_residual < 3e-5, name


def test_a_circuit_that_is_no_chain_is_found_without_a_guess(real_data: Path) -> None:
    """impedance.py's example: 0.000413 in its documents, 0.000357 by its basin hopping."""
    f, z = real_spectrum(real_data, "impy_exampleData.csv")
    f, z = f[z.imag < 0], z[z.imag < 0]
    fit = fit_circuit("R0-p(R1,C1)-p(R2-Wo1,C2)", f, z, weight=np.ones(len(f)))
    off = z - fit.model
    assert np.sqrt(np.mean(np.concatenate([off.real, off.imag]) ** 2)) <= 0.000352


def test_a_spectrum_without_a_tail_gets_a_circuit_without_one(real_data: Path) -> None:
    """The dummy cell of 475, 1018 and 3561 ohm; 0.3 nF of cable stand across its first resistor."""
    table = cellpipe.read(real_data / "mpr/dgpost__peis_multiple_data.mpr").tables["impedance"]
    rows = table.filter(spectrum=1).sort("frequency_hertz", descending=True)
    z = rows["real_impedance_ohm"].to_numpy() + 1j * rows["imaginary_impedance_ohm"].to_numpy()
    best = fit_best_circuit(rows["frequency_hertz"].to_numpy(), z)
    assert best.circuit.text == "R0-p(R1,CPE1)-p(R2,CPE2)-p(R3,CPE3)"
    cable, *dummy = build_arcs(best, None)
    assert [arc.resistance for arc in dummy] == pytest.approx([1018.4, 3561.2], rel=0.025)
    assert all(arc.identifiable for arc in dummy)
    assert cable.capacitance < 1e-9
    assert cable.resistance + best.values[0] == pytest.approx(475.2, rel=0.06)
    assert best.relative_residual < 0.003
