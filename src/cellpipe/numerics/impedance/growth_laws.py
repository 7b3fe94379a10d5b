"""Laws by which a resistance changes with time, R = R₀ + k f(t): the shapes f, and their fits.

m = ½ is an interphase whose growth is limited by diffusion through it (J. Janek, W. G. Zeier,
Nat. Energy 8, 230 (2023), doi 10.1038/s41560-023-01208-9), m = 1 a steady reaction or loss of
contact, a saturating one an interphase that passivates, an exponential one a fault that feeds
itself. Nonlinear parameters are searched on grids, the amplitudes are linear. Residuals may be
correlated from spectrum to spectrum as a first-order autoregression (S. J. Prais, C. B. Winsten,
Cowles Commission Discussion Paper 383 (1954)).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from cellpipe.numerics.impedance.elements import Floats

LAWS = (
    "constant", "square root", "linear", "power", "logarithmic", "saturating", "exponential",
    "knee", "jump",
)  # fmt: skip
TIMED = ("logarithmic", "saturating", "exponential")  # laws with a time constant
LOWEST, HIGHEST = 0.05, 4.0  # exponents of a power
_EXPONENTS = np.geomspace(LOWEST, HIGHEST, 45)
_TIMES = np.geomspace(0.01, 3.0, 40)  # time constants, in the length of the series
_CORRELATIONS = (0.0, 0.25, 0.5, 0.7, 0.85)
_OPPOSED = 5.0  # times the whole change; no part of a law is larger
_MOST_PLACES = 40  # of a start or a knee, on the coarse grid
_WIDTHS = (0.5, 0.15, 0.04)  # of the finer and finer grids around the best shape
FLOOR = 0.25  # squared standard errors; less scatter counts as none


@dataclass(frozen=True)
class Shape:
    """One shape of a law; time is 0 … 1 over the series.

    ``parameter`` is the exponent of a power, the time constant of a logarithm, a saturation or an
    exponential, or the time of a knee; ``start`` the time before which nothing changes. ``free``
    is the number of its nonlinear parameters.
    """

    law: str
    parameter: float = math.nan
    start: float = 0.0
    free: int = 0

    def columns(self, time: Floats) -> Floats:
        """Return what is linear in the amplitudes; shape (n, p), the first column is 1."""
        since = np.maximum(time - self.start, 0.0)
        one = np.ones_like(time)
        if self.law == "constant":
            return one[:, None]
        if self.law == "jump":
            return np.stack([one, time >= self.parameter], axis=1)
        if self.law == "knee":
            after = np.maximum(time - self.parameter, 0.0)
            return np.stack([one, time, after], axis=1)
        return np.stack([one, self._rise(since)], axis=1)

    @property
    def is_inside(self) -> bool:
        """Whether the exponent of a power is within its range, not at a limit."""
        return LOWEST * 1.02 < self.parameter < HIGHEST * 0.98

    def bends(self, time: Floats, amounts: Floats) -> Floats:
        """Return the derivatives by the nonlinear parameters, by finite differences; (n, free)."""
        used = amounts[: self.columns(time).shape[1]]
        around = []
        for name in ("parameter", "start")[: self.free]:
            value = getattr(self, name)
            step = 1e-4 * max(abs(value), 1e-3)
            high, low = (replace(self, **{name: value + s}) for s in (step, -step))
            around.append((high.columns(time) - low.columns(time)) @ used / (2 * step))
        return np.array(around, np.float64).reshape(len(around), len(time)).T

    def _rise(self, since: Floats) -> Floats:
        if self.law in {"square root", "linear", "power"}:
            power: Floats = since**self.parameter
            return power
        scaled = since / self.parameter
        if self.law == "logarithmic":
            return np.asarray(np.log1p(scaled), np.float64)
        if self.law == "saturating":
            return np.asarray(-np.expm1(-scaled), np.float64)
        return np.asarray(np.expm1(np.minimum(scaled, 300.0)), np.float64)


@dataclass(frozen=True)
class LawFit:
    """The best fit of a law: amplitudes (ohm), squared misfit in standard errors, correlation.

    ``left`` is the weighted sum of squared residuals, ``whitened`` the same without what the
    correlation explains.
    """

    shape: Shape
    amounts: Floats
    left: float
    whitened: float
    correlation: float
    count: int
    steps: int = 0

    @property
    def parameters(self) -> int:
        """The number of its parameters; the place of a step is one, too."""
        return len(self.amounts) + self.shape.free + self.steps

    @property
    def criterion(self) -> float:
        """The Bayesian information criterion, corrected for few observations.

        A. D. R. McQuarrie, Stat. Probab. Lett. 44, 79 (1999), doi 10.1016/S0167-7152(98)00294-6.
        """
        n, p = self.count, self.parameters
        few = n / max(n - p - 2, 0.5)
        misfit = max(self.whitened / n, FLOOR * (1 - self.correlation**2))
        return n * math.log(misfit) - math.log(1 - self.correlation**2) + p * math.log(n) * few


def shapes(law: str, time: Floats) -> list[Shape]:
    """Return the shapes of a law on a coarse grid, as far as a series can tell them apart."""
    starts = [0.0, *_between(time[:-2])]
    if law == "constant":
        return [Shape(law)]
    if law in {"jump", "knee"}:
        places = (time[2:-1] + time[1:-2]) / 2 if law == "jump" else _between(time[1:-1])
        return [Shape(law, float(at), 0.0, 1) for at in places]
    exponents = {"square root": np.array([0.5]), "linear": np.ones(1), "power": _EXPONENTS}
    parameters = exponents.get(law, _TIMES)
    bent = int(len(parameters) > 1)
    if law in {"logarithmic", "exponential"}:
        starts = [0.0]
    return [
        Shape(law, float(one), float(start), bent + int(start > 0))
        for one, start in product(parameters, starts)
    ]


def _between(time: Floats) -> Floats:
    """Return times and three more between each two, but for the first."""
    parts = np.linspace(0, 1, 4, endpoint=False)[:, None]
    within: Floats = (time[:-1] + parts * np.diff(time)).T.ravel()
    found = np.append(within, time[-1])[1:]
    return found[:: 1 + len(found) // _MOST_PLACES]


def _nearby(shape: Shape, width: float, time: Floats) -> list[Shape]:
    """Return shapes around one, on a finer grid: times closer by a width, parameters in ratio."""
    parameters, starts = [shape.parameter], [shape.start]
    if shape.law == "knee":
        reach = width * max(float(np.diff(time).max()), 2 / _MOST_PLACES)
        parameters = [p for p in shape.parameter + reach * np.linspace(-1, 1, 9) if 0 < p < 1]
    elif shape.law not in {"square root", "linear", "jump", "constant"}:
        parameters = list(shape.parameter * np.exp(0.3 * width * np.linspace(-1, 1, 9)))
    if shape.start > 0:
        spread = width * max(float(np.diff(time).max()), 2 / _MOST_PLACES)
        starts = [s for s in shape.start + spread * np.linspace(-1, 1, 9) if 0 < s < time[-2]]
    return [
        Shape(shape.law, float(p), float(s), shape.free) for p, s in product(parameters, starts)
    ]


def fit_law(
    law: str, time: Floats, resistance: Floats, error: Floats, steps: Floats | None = None,
    *, free_start: bool = True,
) -> LawFit:  # fmt: skip
    """Return the best fit of a law over its shapes and over the correlation of its residuals.

    Parameters
    ----------
    law
        One of :data:`LAWS`.
    time
        0 … 1, increasing; shape (n,).
    resistance, error
        The resistance and its standard error, ohm, all positive; shape (n,).
    steps
        Further columns whose amplitudes are fitted along, as of jumps; shape (n, j).
    free_start
        Whether a law may begin later than the first time.

    """
    known = [shape for shape in shapes(law, time) if free_start or shape.start == 0]
    weighted = (resistance / error, 1 / error, np.zeros((len(time), 0)) if steps is None else steps)
    best = [
        _best_of([shape for shape in known if shape.free == free], time, *weighted)
        for free in sorted({shape.free for shape in known})
    ]
    for width in _WIDTHS:
        best = [_best_of(_nearby(one.shape, width, time), time, *weighted) for one in best]
    return min(best, key=lambda fit: fit.criterion)


def _best_of(
    known: list[Shape], time: Floats, target: Floats, weight: Floats, steps: Floats
) -> LawFit:
    """Return the best fit of shapes with one number of parameters."""
    stacked = np.stack([np.column_stack([shape.columns(time), steps]) for shape in known])
    stacked *= weight[None, :, None]
    fits = []
    for correlation in _CORRELATIONS:
        amounts, whitened, left = _solve(stacked, target, weight, correlation)
        place = int(np.argmin(whitened))
        fits.append(
            LawFit(
                known[place], amounts[place], float(left[place]), float(whitened[place]),
                correlation, len(time), steps.shape[1],
            )
        )  # fmt: skip
    return min(fits, key=lambda fit: fit.criterion)


def _solve(
    stacked: Floats, target: Floats, weight: Floats, correlation: float
) -> tuple[Floats, Floats, Floats]:
    """Return amplitudes, whitened and plain sums of squares of each shape; (s, p), (s,), (s,)."""
    design, wanted = _whiten(stacked, correlation, 1), _whiten(target, correlation, 0)
    size = np.maximum(np.linalg.norm(design, axis=1, keepdims=True), 1e-300)
    scaled = design / size
    normal = np.einsum("snp,snq->spq", scaled, scaled)
    right = np.einsum("snp,n->sp", scaled, wanted)
    amounts = np.einsum("spq,sq->sp", np.linalg.pinv(normal, rcond=1e-11), right) / size[:, 0]
    whitened = wanted - np.einsum("snp,sp->sn", design, amounts)
    parts = stacked * amounts[:, None, :]
    plain = target - parts.sum(axis=2)
    misfit = np.sum(whitened**2, axis=1)
    in_ohm = parts[:, :, 1:] / weight[None, :, None]
    opposed = np.ptp(in_ohm, axis=1).max(axis=1, initial=0.0) > _OPPOSED * np.ptp(target / weight)
    misfit[opposed] = np.inf  # two columns that cancel each other tell nothing
    return amounts, misfit, np.sum(plain**2, axis=1)


def _whiten(values: Floats, correlation: float, axis: int) -> Floats:
    """Return what is left of residuals that follow a first-order autoregression."""
    if not correlation:
        return values
    moved = np.moveaxis(values, axis, 0)
    white = np.concatenate([
        moved[:1] * math.sqrt(1 - correlation**2), moved[1:] - correlation * moved[:-1]
    ])  # fmt: skip
    return np.moveaxis(white, 0, axis)
