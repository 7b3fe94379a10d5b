"""Two circuits held against each other: which describes the data, neither, or no data can tell."""

from __future__ import annotations

import numpy as np
import pytest

import cellpipe
from cellpipe.core.errors import CellpipeError
from cellpipe.numerics.impedance.circuits import evaluate_circuit, parse_circuit

FREQUENCY = np.geomspace(1e6, 1e-1, 61)


def made(text: str, values: tuple[float, ...], seed: int, noise: float = 0.003) -> np.ndarray:
    rng = np.random.default_rng(seed)
    z = evaluate_circuit(parse_circuit(text), FREQUENCY, np.array(values, float))[0]
    return z * (1 + noise * (rng.standard_normal(61) + 1j * rng.standard_normal(61)))


TWO_ARCS = (10, 20, 1e-7, 50, 1e-5)


def test_the_circuit_that_made_the_data_describes_it_and_the_other_does_not() -> None:
    z = made("R(RC)(RC)", TWO_ARCS, 1)
    found = cellpipe.compare_circuits(FREQUENCY, z, ["R(RC)", "R(RC)(RC)"])
    best, other = found.scores
    assert best.circuit == "R0-p(R1,C1)-p(R2,C2)"
    assert best.describes
    assert not other.describes
    assert best.chi_square < 0.01 * other.chi_square
    assert found.alike == 1
    assert "R0-p(R1,C1)-p(R2,C2) describes the data better than R0-p(R1,C1)" in found.verdict
    assert found.verdict.endswith("R0-p(R1,C1) does not describe the data.")


def test_chi_square_is_that_of_the_model_at_the_same_points_for_all() -> None:
    z = made("R(RC)(RC)", TWO_ARCS, 2)
    found = cellpipe.compare_circuits(FREQUENCY, z, ["R(RC)(RC)", "R(RQ)(RQ)"])
    for score in found.scores:
        (fit,) = score.fits
        relative = np.abs((fit.model - fit.spectrum.impedance) / fit.spectrum.impedance) ** 2
        assert score.chi_square == pytest.approx(float(relative.sum()), rel=1e-9)
        assert len(fit.spectrum.frequency) == found.points
    one, other = (score.fits[0].spectrum for score in found.scores)
    assert (one.frequency == other.frequency).all()


@pytest.mark.parametrize(
    ("one", "other", "values"),
    [
        ("R(RC)(RC)", "R(C(R(RC)))", TWO_ARCS),
        ("R(RC)(RC)", "p(R1,R2-C2,R3-C3)", TWO_ARCS),
        ("R(RC)", "p(R1,R2-C2)", (10, 20, 1e-6)),
        ("(RC)(RC)", "(C(R(RC)))", (20, 1e-7, 50, 1e-5)),
    ],
)
def test_circuits_that_are_equivalent_are_told_apart_by_no_data(
    one: str, other: str, values: tuple[float, ...]
) -> None:
    """Foster's, Cauer's and other forms of the same impedance, at each of five draws."""
    for seed in range(5):
        found = cellpipe.compare_circuits(FREQUENCY, made(one, values, seed), [one, other])
        assert found.alike == found.equivalent == 2
        assert "No fit of these spectra can tell" in found.verdict
        assert "better" not in found.verdict


def test_where_neither_describes_the_data_no_better_one_is_praised() -> None:
    z = made("R(RC)(RC)", TWO_ARCS, 3)
    found = cellpipe.compare_circuits(FREQUENCY, z, ["R(RC)", "R(RQ)"])
    assert found.verdict.startswith("Neither circuit describes the data: they miss it by ")
    assert "better" not in found.verdict
    three = cellpipe.compare_circuits(FREQUENCY, z, ["R(RC)", "R(RQ)", "RW"])
    assert three.verdict.startswith("None of the circuits describes the data")


def test_a_feature_that_both_lack_is_said() -> None:
    """An arc of half a per cent is in neither circuit, though both follow within 2 %."""
    z = made("R(RQ)(RC)", (100, 300, 1e-6, 0.9, 6, 3e-3), 4, noise=0.0003)
    found = cellpipe.compare_circuits(FREQUENCY, z, ["R(RQ)", "R(RC)(RC)"])
    assert found.scores[0].describes
    assert "times the noise" in found.verdict
    assert "something of the spectrum is in none of the circuits" in found.verdict


def test_what_one_circuit_has_too_much_is_no_gain() -> None:
    """Over 20 draws, a larger circuit that brings nothing is never called better."""
    for seed in range(20):
        z = made("R(RQ)Q", (10, 40, 1e-6, 0.85, 0.02, 0.7), seed)
        found = cellpipe.compare_circuits(FREQUENCY, z, ["R(RQ)Q", "R(RQ)(RQ)Q"])
        assert not found.verdict.startswith("R0-p(R1,CPE1)-p(R2,CPE2)-CPE3 describes")
        assert found.scores[0].relative_residual < 0.006


def test_over_draws_the_true_one_of_two_that_differ_is_never_called_worse() -> None:
    """A Warburg element beside a CPE of n = 0.55, and a capacitor beside a CPE of n = 0.93."""
    pairs = (
        ("R(RQ)W", (10, 40, 1e-6, 0.85, 10), "R(RQ)Q"),
        ("R(RQ)Q", (10, 40, 1e-6, 0.85, 0.02, 0.55), "R(RQ)W"),
        ("R(RQ)W", (10, 40, 1e-6, 0.93, 10), "R(RC)W"),
    )
    for text, values, other in pairs:
        for seed in range(10):
            found = cellpipe.compare_circuits(FREQUENCY, made(text, values, seed), [text, other])
            true = parse_circuit(text).text
            assert true in [score.circuit for score in found.scores[: found.alike]]


def test_a_bad_point_and_a_reversed_sign_decide_nothing() -> None:
    z = made("R(RC)(RC)", TWO_ARCS, 5)
    spoilt = z.conj()
    spoilt[20] *= 3
    found = cellpipe.compare_circuits(FREQUENCY, spoilt, ["R(RC)", "R(RC)(RC)"])
    assert found.points == 60
    assert found.scores[0].relative_residual < 0.01


def test_several_spectra_count_together() -> None:
    several = [made("R(RC)(RC)", (10, 20, 1e-7, r, 1e-5), 6) for r in (50, 55, 60)]
    found = cellpipe.compare_circuits(FREQUENCY, several, ["R(RC)", "R(RC)(RC)"])
    assert found.spectra == 3
    assert found.points == 183
    assert found.scores[0].circuit == "R0-p(R1,C1)-p(R2,C2)"


def test_constraints_hold_in_all_and_count_as_no_parameter() -> None:
    z = made("R(RC)(RC)", TWO_ARCS, 7)
    found = cellpipe.compare_circuits(
        FREQUENCY, z, ["R(RC)(RC)", "R(RQ)(RQ)"], parameters=["R0=10"]
    )
    assert sorted(score.parameters for score in found.scores) == [4, 6]
    for score in found.scores:
        assert score.fits[0].values[0] == pytest.approx(10)
        assert "R0" not in score.undetermined


@pytest.mark.parametrize("circuits", [["R(RC)"], ["R(RC)", "R0-p(R1,C1)"], []])
def test_one_circuit_alone_is_no_comparison(circuits: list[str]) -> None:
    with pytest.raises(CellpipeError, match="two circuits or more"):
        cellpipe.compare_circuits(FREQUENCY, made("R(RC)(RC)", TWO_ARCS, 1), circuits)
