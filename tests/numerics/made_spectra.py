"""Spectra and series whose answer is known, and the bound that no fit of them can beat."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cellpipe.numerics.impedance.circuit_fit import (
    Spectrum,
    invert_normal_matrix,
    sort_arcs,
    weighted_residuals,
)
from cellpipe.numerics.impedance.circuit_forms import (
    Form,
    build_form,
    form_values,
    parameter_bounds,
)
from cellpipe.numerics.impedance.circuits import evaluate_circuit
from cellpipe.numerics.impedance.least_squares import minimise

Floats = NDArray[np.float64]
Complexes = NDArray[np.complex128]
FREQUENCY = np.geomspace(1e6, 1e-2, 81)
TAILS = {"": "", "W": "-W1", "Wo": "-Wo1", "Ws": "-Ws1", "CPE": "-CPE3"}
SERIES_CIRCUIT = "R0-p(R1,CPE1)-p(R2,CPE2)-W1"
KINDS = ("separated", "approaching", "jump", "crossing", "crossing, C drifts")


@dataclass(frozen=True)
class Made:
    """A made spectrum: its circuit, what was drawn, the noise, and the arcs' distance in decades.

    ``theta`` is in the order and the form that is fitted: logarithms, arcs by R, τ and n.
    """

    form: Form
    frequency: Floats
    clean: Complexes
    impedance: Complexes
    theta: Floats
    noise: float
    decades: float

    @property
    def bound(self) -> Floats:
        """Cramér–Rao bound of theta: its least possible standard deviation."""
        spectrum = Spectrum(self.frequency, self.clean, 1 / np.abs(self.clean) / self.noise)
        _, slopes = weighted_residuals(self.form, spectrum, self.theta[None])
        return np.sqrt(
            np.diag(invert_normal_matrix(slopes[0] @ slopes[0].T, np.zeros(len(self.theta), bool)))
        )

    @property
    def resistances(self) -> list[int]:
        """Places of R0 and the arcs' resistances in theta."""
        kinds = self.form.fitted.keys
        return [i for i, (e, p) in enumerate(kinds) if p == "R" and not e.startswith("W")]

    def from_truth(self) -> tuple[Floats, float]:
        """Where a fit from the true values ends, and its sum of squares."""
        spectrum = Spectrum(self.frequency, self.impedance, 1 / np.abs(self.impedance))
        theta, cost = minimise(
            lambda t, _: weighted_residuals(self.form, spectrum, t), self.theta[None],
            *parameter_bounds(self.form, self.frequency), iterations=400,
        )  # fmt: skip
        return sort_arcs(self.form, theta[0]), float(cost[0])


def noisy(clean: Complexes, noise: float, rng: np.random.Generator) -> Complexes:
    """Add noise in proportion to the modulus, independent in both parts."""
    draws = rng.standard_normal((2, *clean.shape))
    return clean + noise * np.abs(clean) * (draws[0] + 1j * draws[1])


def two_arcs(
    count: int, seed: int, tail: str = "W", *, inductive: bool = False, noise: float | None = None
) -> Iterator[Made]:
    """Draw R0, two arcs 0.5 to 3.5 decades apart, and a tail; noise 0.5 and 1 % in turn."""
    rng = np.random.default_rng(seed)
    head = "L0-" if inductive else ""
    form = build_form(f"{head}R0-p(R1,CPE1)-p(R2,CPE2){TAILS[tail]}")
    for number in range(count):
        values, decades = _drawn(rng, tail)
        if inductive:
            values = [10 ** rng.uniform(-7.3, -6), *values]
        drawn = np.array(values)
        theta = np.where(form.positive, np.log(np.where(form.positive, drawn, 1)), drawn)
        clean = evaluate_circuit(form.fitted, FREQUENCY, drawn)[0]
        level = noise or (0.005, 0.01)[number % 2]
        yield Made(form, FREQUENCY, clean, noisy(clean, level, rng), theta, level, decades)


def _drawn(rng: np.random.Generator, tail: str) -> tuple[list[float], float]:
    slowest = float(2 * np.pi * FREQUENCY.min())
    r0 = 10 ** rng.uniform(0, 2)
    r1, r2 = r0 * 10 ** rng.uniform(-0.7, 1.0), r0 * 10 ** rng.uniform(-0.7, 1.0)
    t1 = 10 ** rng.uniform(-6, -3)
    t2 = min(t1 * 10 ** rng.uniform(0.5, 3.5), 3.0)
    n1, n2 = rng.uniform(0.70, 0.98, 2)
    size = (r1 + r2) * 10 ** rng.uniform(-0.7, 0.3)
    last: list[float] = []
    if tail == "W":
        last = [size * np.sqrt(slowest / 2)]
    elif tail == "Ws":
        last = [size, 10 ** rng.uniform(-0.5, 1) / slowest]
    elif tail == "Wo":
        tau = 10 ** rng.uniform(-0.5, 1) / slowest
        last = [size * np.sqrt(slowest * tau), tau]
    elif tail == "CPE":
        n = rng.uniform(0.5, 0.95)
        last = [1 / (size * slowest**n), n]
    return [r0, r1, t1, n1, r2, t2, n2, *last], float(np.log10(t2 / t1))


def blocking(count: int, seed: int, noise: float = 0.003) -> Iterator[Made]:
    """Draw R0 and two arcs before a blocking electrode: |Z| covers up to five decades."""
    frequency = np.geomspace(1e6, 1e-2, 65)
    form = build_form("R0-p(R1,CPE1)-p(R2,CPE2)-CPE3")
    for number in range(count):
        rng = np.random.default_rng((seed, number))
        r0 = 10 ** rng.uniform(0, 1.5)
        r1, r2 = r0 * 10 ** rng.uniform(0, 1), r0 * 10 ** rng.uniform(0, 1.5)
        t1, t2 = 10 ** rng.uniform(-6.3, -5), 10 ** rng.uniform(-4, -2.5)
        q, n = 10 ** rng.uniform(-5, -2), rng.uniform(0.75, 0.95)
        values = [r0, r1, t1, 0.92, r2, t2, 0.88, q, n]
        drawn = np.array(values)
        theta = np.where(form.positive, np.log(np.where(form.positive, drawn, 1)), drawn)
        clean = evaluate_circuit(form.fitted, frequency, drawn)[0]
        apart = float(np.log10(t2 / t1))
        yield Made(form, frequency, clean, noisy(clean, noise, rng), theta, noise, apart)


def arcs_in_a_row(count: int, seed: int) -> Iterator[tuple[int, Made]]:
    """Draw one, two and three arcs in turn, 0.7 to 2.2 decades apart, with a Warburg tail."""
    rng = np.random.default_rng(seed)
    for number in range(count):
        arcs = 1 + number % 3
        text = "-".join(["R0", *(f"p(R{i},CPE{i})" for i in range(1, arcs + 1)), "W1"])
        form = build_form(text)
        r0, place = 10 ** rng.uniform(0, 2), rng.uniform(-6, -4.5)
        values = [r0]
        for _ in range(arcs):
            values += [r0 * 10 ** rng.uniform(-0.7, 1), 10**place, rng.uniform(0.7, 0.98)]
            place += rng.uniform(0.7, 2.2)
        slowest = 2 * np.pi * FREQUENCY.min()
        values.append(sum(values[1::3]) * 10 ** rng.uniform(-0.7, 0.3) * np.sqrt(slowest / 2))
        drawn = np.array(values)
        theta = np.where(form.positive, np.log(np.where(form.positive, drawn, 1)), drawn)
        clean = evaluate_circuit(form.fitted, FREQUENCY, drawn)[0]
        level = (0.005, 0.01)[(number // 3) % 2]
        yield arcs, Made(form, FREQUENCY, clean, noisy(clean, level, rng), theta, level, 0.0)


def with_outliers(impedance: Complexes, rng: np.random.Generator, number: int = 4) -> Complexes:
    """Throw points 5 to 30 % off in any direction."""
    out = impedance.copy()
    where = rng.choice(len(out), number, replace=False)
    size = rng.choice([-1, 1], number) * rng.uniform(0.05, 0.3, number)
    out[where] *= 1 + size * np.exp(2j * np.pi * rng.random(number))
    return out


@dataclass(frozen=True)
class MadeSeries:
    """A series of n spectra, (n, f), of which arc A grows with the root of time; truth in theta."""

    impedance: Complexes
    theta: Floats
    time: Floats


def series(kind: str, seed: int, spectra: int = 50, noise: float = 0.005) -> MadeSeries:
    """Draw a series: arc A grows 5 to 14 times and stays apart from B, comes near it or passes it.

    ``jump``: B doubles once half-way. ``crossing, C drifts``: A's capacitance drifts by half a per
    cent a step.
    """
    rng = np.random.default_rng(seed)
    form = build_form(SERIES_CIRCUIT)
    x = np.arange(spectra) / (spectra - 1)
    r0 = 10 ** rng.uniform(0.7, 1.5)
    rb = r0 * 10 ** rng.uniform(-0.2, 0.4)
    na, nb = rng.uniform(0.78, 0.95, 2)
    ca = 10 ** rng.uniform(-6, -5)
    ra = r0 * 10 ** rng.uniform(-0.4, 0.1) * (1 + (10 ** rng.uniform(0.7, 1.15) - 1) * np.sqrt(x))
    if kind == "separated":
        cb = ca * 10 ** rng.uniform(2.2, 3) * max(1, ra.max() / rb)
    elif kind.startswith("crossing"):
        cb = ca * ra[int(rng.uniform(0.15, 0.6) * spectra)] / rb
    else:
        cb = ca * (ra.max() / rb) * 10 ** rng.uniform(0.5, 0.8)
    drift = np.exp(0.005 * np.arange(spectra)) if "drifts" in kind else np.ones(spectra)
    doubled = np.where((np.arange(spectra) >= spectra // 2) & (kind == "jump"), 2.0, 1.0)
    slowest = 2 * np.pi * FREQUENCY.min()
    sigma = (r0 + rb) * 10 ** rng.uniform(-1, -0.3) * np.sqrt(slowest / 2) * 3
    one = np.ones(spectra)
    values = np.stack(
        [r0 * (1 + 0.02 * x), ra, ra * ca * drift, na * one, rb * doubled, rb * cb * doubled,
         nb * one, sigma * one], axis=1,
    )  # fmt: skip
    theta = np.where(form.positive, np.log(np.where(form.positive, values, 1)), values)
    clean = evaluate_circuit(form.fitted, FREQUENCY, form_values(form, theta))[0]
    return MadeSeries(noisy(clean, noise, rng), theta, x)


def labelled(found: Floats, truth: Floats) -> tuple[Floats, float, bool]:
    """Name a series' arcs once for all; give it, the share of swapped spectra, and if turned."""
    turned = found[:, [0, 4, 5, 6, 1, 2, 3, 7]]
    as_is, other = _apart(found, truth), _apart(turned, truth)
    if other.sum() < as_is.sum():
        return turned, float(np.mean(as_is < other)), True
    return found, float(np.mean(other < as_is)), False


def _apart(found: Floats, truth: Floats) -> Floats:
    """Distance in ln R, ln C and n of both arcs."""

    def work(theta: Floats) -> Floats:
        out = theta.copy()
        out[:, [2, 5]] -= theta[:, [1, 4]]
        return out

    square = (work(found) - work(truth)) ** 2
    return np.asarray(square[:, [1, 2, 4, 5]].sum(1) + 0.1 * square[:, [3, 6]].sum(1))
