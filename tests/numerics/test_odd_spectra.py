"""Claims: one bad spectrum is named and weighs nothing; growth, a step and a knee are not bad."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from made_spectra import Complexes, noisy

from cellpipe.numerics.impedance.circuits import evaluate_circuit, parse_circuit
from cellpipe.numerics.impedance.odd_spectra import find_odd_spectra
from cellpipe.numerics.impedance.series import fit_impedance_series

FREQUENCY = np.geomspace(1e6, 1e-1, 57)
CIRCUIT = "R0-p(R1,CPE1)-p(R2,CPE2)-W1"


def spectrum(
    resistance: float, seed: int, *, r0: float = 20.0, noise: float = 0.003, factor: float = 1.0
) -> Complexes:
    values = (r0, 20 * factor, 4e-8 / factor, 0.95, resistance * factor, 5e-6 / factor, 0.9, 3.0)
    z = evaluate_circuit(parse_circuit(CIRCUIT), FREQUENCY, np.array(values))[0]
    return noisy(z, noise, np.random.default_rng(seed))


def open_circuit(seed: int) -> Complexes:
    z = 1e3 + 1 / (2j * np.pi * FREQUENCY * 2e-11)
    return noisy(z, 0.05, np.random.default_rng(seed))


GROWTH: dict[str, Callable[[int], float]] = {
    "constant": lambda _: 50.0,
    "root": lambda k: 30 + 10 * float(np.sqrt(k)),
    "exponential": lambda k: 30 * float(np.exp(0.25 * k)),
    "saturating": lambda k: 103 + 197 * (1 - float(np.exp(-k / 1.5))),
    "knee": lambda k: 30.0 + 20 * max(k - 5, 0),
    "step that stays": lambda k: 50.0 if k < 3 else 90.0,
    "two states": lambda k: 50.0 if k % 2 else 90.0,
}
SPOILT: dict[str, tuple[Callable[[float, int], Complexes], str]] = {
    "more in series": (lambda r, s: spectrum(r, s, r0=40.0), "in series"),
    "contact": (lambda r, s: spectrum(r, s, r0=25.0, factor=1.8), ""),
    "open circuit": (lambda _, s: open_circuit(s), "open circuit"),
    "noise": (lambda r, s: spectrum(r, s, noise=0.08), "noisier"),
}


@pytest.mark.parametrize("course", GROWTH)
def test_no_change_of_the_cell_is_an_odd_spectrum(course: str) -> None:
    for count, seed in ((5, 1), (8, 2), (20, 3)):
        made = [spectrum(GROWTH[course](k), 100 * seed + k) for k in range(count)]
        assert find_odd_spectra([FREQUENCY] * count, made) == {}


@pytest.mark.parametrize("kind", SPOILT)
@pytest.mark.parametrize("place", [0, 4, 7])
def test_a_bad_spectrum_is_named_wherever_it_is(kind: str, place: int) -> None:
    make, said = SPOILT[kind]
    for course in ("constant", "root"):
        made = [spectrum(GROWTH[course](k), k) for k in range(8)]
        made[place] = make(GROWTH[course](place), 50)
        found = find_odd_spectra([FREQUENCY] * 8, made)
        assert list(found) == [place]
        assert said in found[place]


def test_of_three_spectra_none_can_be_the_odd_one() -> None:
    made = [spectrum(50, 1), open_circuit(2), spectrum(50, 3)]
    assert find_odd_spectra([FREQUENCY] * 3, made) == {}


def test_where_the_state_varies_only_noise_and_an_open_circuit_are_told() -> None:
    made = [spectrum(r, k) for k, r in enumerate((50, 20, 300, 45, 10, 90, 60))]
    assert find_odd_spectra([FREQUENCY] * 7, made, steady=False) == {}
    made[3] = open_circuit(9)
    assert list(find_odd_spectra([FREQUENCY] * 7, made, steady=False)) == [3]


@pytest.mark.parametrize("place", [0, 4, 7])
def test_a_bad_spectrum_changes_none_of_the_others(place: int) -> None:
    made = [spectrum(30 + 5 * k, k) for k in range(8)]
    kept = [k for k in range(8) if k != place]
    alone = fit_impedance_series(FREQUENCY, [made[k] for k in kept], time_second=kept)
    for make, _ in SPOILT.values():
        spoilt = list(made)
        spoilt[place] = make(30 + 5 * place, 70)
        found = fit_impedance_series(FREQUENCY, spoilt, time_second=np.arange(8))
        assert list(found.odd) == [place]
        assert found.circuit == alone.circuit
        assert found.processes == alone.processes
        assert found.values["R2"][kept] == pytest.approx(alone.values["R2"], rel=1e-6)
        assert any("weighs nothing in the series" in flag for flag in found.flags[place])
        assert not any("weighs nothing" in flag for k in kept for flag in found.flags[k])
