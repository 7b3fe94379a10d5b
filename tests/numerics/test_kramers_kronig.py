"""The Kramers–Kronig test: what is valid, noisy, bad or drifting; and relaxation times."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from made_spectra import FREQUENCY, two_arcs, with_outliers
from test_circuit_fit import real_spectrum

from cellpipe.numerics.impedance.circuits import circuit_impedance
from cellpipe.numerics.impedance.kramers_kronig import kramers_kronig, valid_frequencies
from cellpipe.numerics.impedance.relaxation_times import relaxation_times


def test_mock_spectra_are_told_apart_without_an_error(real_data: Path) -> None:
    names = sorted(p.name for p in (real_data / "spectra").glob("pyimpspec_mock_*.csv"))
    assert len(names) == 35
    for name in names:
        found = kramers_kronig(*real_spectrum(real_data, name))
        assert found is not None
        assert found.valid is ("invalid" not in name), name


def test_the_noise_of_a_valid_spectrum_is_found() -> None:
    ratios = []
    for made in two_arcs(30, 6):
        found = kramers_kronig(made.frequency, made.impedance)
        assert found is not None
        assert found.valid
        ratios.append(found.noise / made.noise)
    assert np.median(ratios) == pytest.approx(1.0, abs=0.05)


def test_bad_points_are_found_and_good_ones_are_not() -> None:
    rng = np.random.default_rng(9)
    hit = wrong = 0
    for made in two_arcs(30, 7, noise=0.005):
        spoilt = with_outliers(made.impedance, rng)
        found = kramers_kronig(made.frequency, spoilt)
        assert found is not None
        bad = spoilt != made.impedance
        hit += np.count_nonzero(found.outlying & bad)
        wrong += np.count_nonzero(found.outlying & ~bad)
    assert hit > 0.9 * 30 * 4
    assert wrong < 0.05 * hit


def test_a_cell_that_changes_while_it_is_measured_drifts_and_keeps_its_fast_part() -> None:
    """A resistance that rises by 30 % while the slow frequencies are measured."""
    made = next(two_arcs(1, 13, noise=0.002))
    drifting = made.impedance + 0.3 * made.impedance.real * (FREQUENCY < 0.3)
    found = kramers_kronig(FREQUENCY, drifting)
    assert found is not None
    assert found.drift
    kept = valid_frequencies(FREQUENCY, drifting)
    assert kept[FREQUENCY > 10].all()
    assert not kept[FREQUENCY < 0.05].any()


def test_a_valid_spectrum_is_kept_whole() -> None:
    for made in two_arcs(10, 14):
        assert valid_frequencies(made.frequency, made.impedance).all()


def test_an_exact_spectrum_is_valid() -> None:
    for made in two_arcs(6, 15):
        found = kramers_kronig(made.frequency, made.clean)
        assert found is not None
        assert found.valid


def test_too_few_frequencies_are_not_judged() -> None:
    assert kramers_kronig(FREQUENCY[:7], np.ones(7) + 0j) is None


def test_relaxation_times_peak_where_the_arcs_are_and_hold_their_resistance() -> None:
    values = {("R0", "R"): 10.0, ("R1", "R"): 30.0, ("CPE1", "Q"): 1e-6, ("CPE1", "n"): 0.95,
              ("R2", "R"): 60.0, ("CPE2", "Q"): 1e-3, ("CPE2", "n"): 0.95}  # fmt: skip
    z = circuit_impedance("R0-p(R1,CPE1)-p(R2,CPE2)", values, FREQUENCY)
    rng = np.random.default_rng(1)
    z = z * (1 + 0.003 * (rng.standard_normal(len(z)) + 1j * rng.standard_normal(len(z))))
    found = relaxation_times(FREQUENCY, z)
    assert found is not None
    tau, gamma = found.time_constant_second, found.distribution
    assert (gamma >= 0).all()
    step = np.log(tau[1] / tau[0])
    for r, q in ((30.0, 1e-6), (60.0, 1e-3)):
        expected = (r * q) ** (1 / 0.95)
        near = (tau > expected / 10) & (tau < expected * 10)
        assert tau[near][np.argmax(gamma[near])] == pytest.approx(expected, rel=0.35)
        assert gamma[near].sum() * step == pytest.approx(r, rel=0.1)


def test_relaxation_times_need_ten_frequencies() -> None:
    assert relaxation_times(FREQUENCY[:9], np.ones(9) + 0j) is None
