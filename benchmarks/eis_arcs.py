"""Bars of benchmarks/eis.py on what is an interface: diffusion, blocking electrodes, pellets."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from eis_real import Row
from made_spectra import Complexes, Floats, blocking, noisy

from cellpipe import fit_impedance
from cellpipe.numerics.impedance.circuit_fit import fit_circuit
from cellpipe.numerics.impedance.circuits import evaluate_circuit, parse_circuit
from cellpipe.numerics.impedance.fit import ImpedanceFit
from cellpipe.numerics.impedance.processes import ELECTROLYTE, INTERFACE

FREQUENCY = np.geomspace(1e6, 1e-2, 65)
_DIFFUSION = (  # 10 ohm, an arc of 50 ohm, and diffusion of 80 ohm and 20 s
    ("blocked end", "R0-p(R1,CPE1)-Wo1", (10, 50, 1e-5, 0.9, 80, 20)),
    ("open end", "R0-p(R1,CPE1)-Ws1", (10, 50, 1e-5, 0.9, 80, 20)),
    ("blocked end, within the arc", "R0-p(R1-Wo1,CPE1)", (10, 50, 80, 20, 1e-5, 0.9)),
)


def _made(text: str, values: tuple[float, ...], frequency: Floats) -> Complexes:
    return evaluate_circuit(parse_circuit(text), frequency, np.array(values))[0]


def _sum(fit: ImpedanceFit, processes: tuple[str, ...]) -> tuple[float, float]:
    """Return the resistance of the arcs of these processes and the root of their squared errors."""
    inside = [arc for arc in fit.arcs if arc.process in processes]
    return (
        sum(arc.resistance for arc in inside),
        float(np.sqrt(sum(arc.resistance_error**2 for arc in inside))),
    )


def diffusion(share: float) -> Iterator[Row]:
    """Measure the interface before finite diffusion, with the circuit chosen."""
    for name, text, values in _DIFFUSION:
        off, within = [], []
        for noise in (0.003, 0.005):
            for seed in range(max(2, int(20 * share))):
                rng = np.random.default_rng((seed, 50))
                z = noisy(_made(text, values, FREQUENCY), noise, rng)
                total, error = _sum(fit_impedance(FREQUENCY, z, area_cm2=1.0), INTERFACE)
                off.append(abs(total / 50 - 1))
                within.append(abs(total - 50) < 3 * error)
        yield (f"50 Ω before finite diffusion, {name}, circuit chosen ({len(off)} spectra, 0.3 and "
               "0.5 % noise): largest error; within 3 standard errors", "≤ 2 %",
               f"{max(off):.2%}; {np.mean(within):.0%}", "")  # fmt: skip


def before_blocking(share: float) -> Iterator[Row]:
    """Measure optima and arcs before a blocking electrode: given circuit, and chosen."""
    best, wrong, beyond, number = [], [], [], []
    for made in blocking(max(4, int(400 * share)), 1):
        fit = fit_circuit(made.form.circuit.text, made.frequency, made.impedance)
        best.append(fit.cost <= 1.0001 * made.from_truth()[1])
    for made in blocking(max(4, int(80 * share)), 2):
        chosen = fit_impedance(made.frequency, made.impedance, area_cm2=1.0)
        truth = np.sort(np.exp(made.theta[made.resistances[1:]]))
        arcs = sorted(chosen.arcs, key=lambda arc: arc.resistance)
        found = np.array([arc.resistance for arc in arcs])
        number.append(len(found) == len(truth))
        if number[-1]:
            off = np.abs(found - truth)
            wrong.append((off > 0.2 * truth).any())
            errors = np.array([arc.resistance_error for arc in arcs])
            beyond.append(((off > 0.2 * truth) & (off > 3 * errors)).any())
    yield (f"optimum before a blocking CPE, |Z| over five decades ({len(best)})", "≥ 99.5 %",
           f"{np.mean(best):.1%}", "")  # fmt: skip
    yield (f"… circuit chosen ({len(number)}): both arcs; one wrong by > 20 %; by more "
           "than noise explains", "all; –; 0",
           f"{sum(number)}; {sum(wrong)}; {sum(beyond)}", "")  # fmt: skip


def pellets(share: float) -> Iterator[Row]:
    """Measure the resistance of pellets between blocking electrodes, some of which leak."""
    off, interfaces = [], 0
    for seed in range(max(4, int(60 * share))):
        rng = np.random.default_rng((seed, 60))
        frequency = np.geomspace(10 ** rng.choice([6, 6.85]), 10.0 ** rng.integers(-2, 1), 61)
        bulk = 10 ** rng.uniform(1, 3.3)
        grain = bulk * 10 ** rng.uniform(-0.5, 0.7)
        n = rng.uniform(0.8, 0.97)
        q = (grain * 10 ** rng.uniform(-9.5, -8.5)) ** n / grain
        end = (10 ** rng.uniform(-6.3, -5), rng.uniform(0.8, 0.97))
        text, values = "R0-p(R1,CPE1)-CPE2", (bulk, grain, q, n, *end)
        if seed % 3 == 0:
            leak = max(1e3 * (bulk + grain), 1e5)
            text, values = "R0-p(R1,CPE1)-p(R2,CPE2)", (bulk, grain, q, n, leak, *end)
        z = noisy(_made(text, values, frequency), 0.004, rng)
        fit = fit_impedance(frequency, z, area_cm2=1.0)
        off.append(abs((fit.values["R0"] + _sum(fit, ELECTROLYTE)[0]) / (bulk + grain) - 1))
        interfaces += _sum(fit, INTERFACE)[0] > 0
    yield (f"{len(off)} blocking pellets, a third with a leak: called an interface; error of the "
           "resistance of bulk and grain boundaries, at 95 %", "0; ≤ 3 %",
           f"{interfaces}; {np.quantile(off, 0.95):.1%}", "")  # fmt: skip
