"""Bars of benchmarks/eis.py on series: contact or film, odd spectra, activation energies."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import product

import numpy as np
import polars as pl
from eis_real import Row
from made_spectra import Complexes, noisy

from cellpipe.analyses.circuit_fits import fit_spectra
from cellpipe.core.contracts import empty_table
from cellpipe.core.model import Cell
from cellpipe.numerics.impedance.arrhenius import EV_PER_KELVIN, ZERO_CELSIUS, fit_arrhenius
from cellpipe.numerics.impedance.circuits import evaluate_circuit, parse_circuit
from cellpipe.numerics.impedance.interface_change import (
    BOTH,
    CERTAIN,
    CONTACT,
    EXPLANATIONS,
    FILM,
    LEADS,
    OTHER,
    UNCHANGED,
)
from cellpipe.numerics.impedance.odd_spectra import find_odd_spectra

FREQUENCY = np.geomspace(1e6, 1e-2, 65)
_CIRCUIT = "R0-p(R1,CPE1)-p(R2,CPE2)-W1"
_ODDS = dict(zip(
    (UNCHANGED, CONTACT, FILM, BOTH, LEADS, OTHER),
    ("unchanged_odds", "contact_odds", "film_odds", "contact_and_film_odds", "leads_odds",
     "other_odds"), strict=True,
))  # fmt: skip
_INEXACT = 0.015  # of ln R and ln C in each spectrum: no cell follows a model by the letter
_CELL = Cell("made", area_cm2=1.0)


def interfaces(share: float) -> Iterator[Row]:
    """Bar 30: series of which the cause is known."""
    wrong, right, open_ = Counter[str](), Counter[str](), Counter[str]()
    trials = max(3, int(share * 40))
    for truth, seed in product(EXPLANATIONS, range(trials)):
        odds = _odds_of(truth, np.random.default_rng((seed, EXPLANATIONS.index(truth))))
        likely = max(odds, key=lambda name: odds[name])
        sure = odds[likely] >= CERTAIN
        (open_ if not sure else right if likely == truth else wrong)[truth] += 1
    said = ", ".join(f"{name} {wrong[name]}; {right[name]}; {open_[name]}" for name in EXPLANATIONS)
    whole = trials * len(EXPLANATIONS)
    yield (f"what changed an interface of two arcs, {whole} series of 2 to 12 spectra, factors of "
           "1.2 to 3, 0.3–1 % noise: wrong with odds above 0.9 (each: wrong; right; not told, of "
           f"{trials})", "≤ 5 % in each",
           f"{wrong.total() / whole:.1%} in all, {max(wrong.values(), default=0) / trials:.1%} in "
           f"the worst ({said})", "")  # fmt: skip


def single_arcs(share: float) -> Iterator[Row]:
    """Bar 30, too: one arc alone, which can't tell contact from film."""
    trials = max(3, int(share * 20))
    told = 0
    for seed in range(trials):
        odds = _odds_of(CONTACT, np.random.default_rng((seed, 99)), arcs=1)
        told += max(odds[CONTACT], odds[FILM], odds[BOTH]) >= CERTAIN
    yield (f"… of one arc ({trials} series): told", "0", f"{told}", "")


def _odds_of(truth: str, rng: np.random.Generator, arcs: int = 2) -> dict[str, float]:
    """Return the odds of a made series of this kind; R0 wanders by 3 %, R and C less."""
    noise, count = rng.uniform(0.003, 0.01), int(rng.integers(2, 13))
    film, area, r0 = _amounts(truth, *np.log(rng.uniform(1.2, 3.0, 2)))
    thin = 10 ** rng.uniform(-6.5, -4.8)
    values = np.array([
        rng.uniform(5, 30), rng.uniform(20, 100), thin, rng.uniform(0.85, 1.0),
        rng.uniform(20, 100), thin * 10 ** rng.uniform(0.9, 2.6), rng.uniform(0.85, 1.0),
        rng.uniform(1, 5),
    ])  # fmt: skip
    slower = int(rng.choice([1, 4]))  # the arc whose resistance rises alone, if neither is true
    power = rng.choice([0.5, 1.0, 2.0])
    spectra = []
    for part in np.linspace(0, 1, count) ** power:
        now = values.copy()
        now[0] *= np.exp(part * r0 + 0.03 * rng.standard_normal())
        for place, change in ((1, area + film), (4, area)):
            now[[place, place + 1]] *= np.exp([part * change, -part * change])
            now[[place, place + 1]] *= np.exp(_INEXACT * rng.standard_normal(2))
            now[place + 2] += _INEXACT / 5 * rng.standard_normal()
        if truth == OTHER:
            now[slower] *= np.exp(part * np.log(rng.uniform(1.9, 2.1)))
        text = _CIRCUIT
        if arcs == 1:
            now, text = np.delete(now, [1, 2, 3]), "R0-p(R1,CPE1)-W1"
        z = evaluate_circuit(parse_circuit(text), FREQUENCY, now)[0]
        spectra.append(noisy(z, noise, rng))
    return _fitted_odds(spectra, text)


def _amounts(truth: str, first: float, second: float) -> tuple[float, float, float]:
    """Return the changes of ln of the film's thickness, of 1/area and of R0."""
    return {
        CONTACT: (0.0, first, 0.0), FILM: (first, 0.0, 0.0), BOTH: (first, second, 0.0),
        LEADS: (0.0, 0.0, first),
    }.get(truth, (0.0, 0.0, 0.0))  # fmt: skip


def _fitted_odds(spectra: list[Complexes], circuit: str) -> dict[str, float]:
    frames = [
        pl.DataFrame({
            "spectrum": k, "spectrum_in_file": k, "file_sha256": "a" * 64,
            "test_time_second": 86400.0 * k, "unix_time_second": 1.7e9 + 86400.0 * k,
            "frequency_hertz": FREQUENCY, "real_impedance_ohm": z.real,
            "imaginary_impedance_ohm": z.imag, "voltage_volt": 3.7,
        })
        for k, z in enumerate(spectra, start=1)
    ]  # fmt: skip
    tables = {"impedance": pl.concat(frames), "cycles": empty_table("cycles")}
    results = {result.analysis: result.table for result in fit_spectra(_CELL, tables, circuit)}
    rows = results["interface_changes"].to_dicts()
    if not rows:
        return {name: 1 / len(_ODDS) for name in _ODDS}
    return {name: rows[0][column] for name, column in _ODDS.items()}


_COURSES = {
    "constant": lambda k: 50.0 + 0 * k,
    "square root": lambda k: 30 + 10 * np.sqrt(k),
    "linear": lambda k: 30 + 5 * k,
    "exponential": lambda k: 30 * np.exp(0.25 * k),
    "saturating": lambda k: 103 + 197 * (1 - np.exp(-k / 1.5)),
}
_ODD = ("more in series", "contact", "open circuit", "noise")


def odd_spectra(share: float) -> Iterator[Row]:
    """Bar 31: one bad spectrum in a series, first, in the middle or last; and none."""
    named: Counter[str] = Counter()
    counted: Counter[str] = Counter()
    others = false = whole = 0
    for (course, count, seed) in product(
        _COURSES, (5, 8, 12), range(max(2, int(share * 20)))
    ):  # fmt: skip
        rng = np.random.default_rng((seed, count, len(course)))
        good = [_spectrum(_COURSES[course](float(k)), rng) for k in range(count)]
        false += bool(find_odd_spectra([FREQUENCY] * count, good))
        whole += 1
        for kind, place in product(_ODD, (0, count // 2, count - 1)):
            spoilt = list(good)
            spoilt[place] = _spoil(kind, _COURSES[course](float(place)), rng)
            found = set(find_odd_spectra([FREQUENCY] * count, spoilt))
            named[kind] += found == {place}
            others += bool(found - {place})
            counted[kind] += 1
    said = ", ".join(f"{kind} {named[kind] / counted[kind]:.1%}" for kind in _ODD)
    yield (f"one bad spectrum of 5, 8 or 12 that grow or don't ({counted.total():,} series): it is "
           "named; another one is; one is named where none is bad", "≥ 90 %; 0; 0",
           f"{said}; {others}; {false} of {whole}", "")  # fmt: skip


def _spectrum(
    resistance: float, rng: np.random.Generator, r0: float = 20.0, noise: float = 0.003,
    factor: float = 1.0,
) -> Complexes:  # fmt: skip
    values = (r0, 20 * factor, 4e-9 / factor, 0.95, resistance * factor, 5e-6 / factor, 0.9, 3.0)
    z = evaluate_circuit(parse_circuit(_CIRCUIT), FREQUENCY, np.array(values))[0]
    return noisy(z, noise, rng)


def _spoil(kind: str, resistance: float, rng: np.random.Generator) -> Complexes:
    if kind == "open circuit":
        return noisy(1e3 + 1 / (2j * np.pi * FREQUENCY * 2e-11), 0.05, rng)
    changed = {"more in series": {"r0": 35.0}, "contact": {"r0": 25.0, "factor": 1.7},
               "noise": {"noise": 0.08}}[kind]  # fmt: skip
    return _spectrum(resistance, rng, **changed)


def energies(share: float) -> Iterator[Row]:
    """Bar 32: activation energies, the cell half a kelvin off the sensor."""
    trials = int(share * 2000)
    for conductor, name in ((True, "ln(T/R)"), (False, "ln(1/R)")):
        within, straight, bent = [], [], []
        for seed in range(trials):
            rng = np.random.default_rng((seed, conductor))
            count = int(rng.integers(3, 9))
            celsius = np.linspace(rng.uniform(-20, 25), 70, count)
            kelvin = celsius + 0.5 * rng.standard_normal(count) + ZERO_CELSIUS
            energy = rng.uniform(0.2, 0.7)
            value = np.exp(energy / EV_PER_KELVIN * (1 / kelvin - 1 / 300))
            resistance = value * (kelvin if conductor else 1) * (
                1 + 0.005 * rng.standard_normal(count)
            )  # fmt: skip
            found = fit_arrhenius(celsius, resistance, 0.005 * resistance, conductor=conductor)
            assert found is not None
            within.append(found.low <= energy <= found.high)
            straight.append(found.straight)
            knee = np.where(kelvin < 310, 0.25 / EV_PER_KELVIN * (1 / kelvin - 1 / 310), 0)
            if count > 3:
                turned = fit_arrhenius(celsius, resistance * np.exp(knee), 0.005 * resistance,
                                       conductor=conductor)  # fmt: skip
                bent.append(turned is not None and not turned.straight)
        yield (f"activation energy by {name}, 3 to 8 temperatures half a kelvin off ({trials:,}): "
               "true one in the 95 % interval; called straight; not so with a kink of 0.25 eV",
               "≥ 93 %; ≥ 98 %; –", f"{np.mean(within):.1%}; {np.mean(straight):.1%}; "
               f"{np.mean(bent):.0%}", "")  # fmt: skip
