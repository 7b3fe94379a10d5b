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

import numpy as np

from cellpipe.numerics.impedance.elements import Floats

LAWS = (
    "constant", "square root", "linear", "power", "logarithmic", "saturating", "exponential",
    "knee", "jump",
)  # fmt: skip
PARABOLA = "parabola"  # no law: a smooth turn that a knee has to be told from
POWERS = {"square root": 0.5, "linear": 1.0}  # laws that are a power with a given exponent
TIMED = ("logarithmic", "saturating", "exponential")  # laws with a time constant
LOWEST, HIGHEST = 0.05, 4.0  # exponents of a power
_EXPONENTS = np.geomspace(LOWEST, HIGHEST, 20)
_SHORTEST, _LONGEST = 0.01, 3.0  # time constants, in the length of the series
_MOST_TIMES = 24  # of time constants, on the coarse grid
_CORRELATIONS = np.array([0.0, 0.25, 0.5, 0.7, 0.85])
_FEW_CORRELATIONS = np.array([0.0, 0.7])  # on the coarse grid
_OPPOSED = 5.0  # times the whole change; no part of a law is larger
_MOST_PLACES = 40  # of a start or a knee, on the coarse grid
_WIDTHS = (0.5, 0.15, 0.04)  # of the finer and finer grids around the best shape
_EXPECTED = 4.0  # spectra that the stated errors are worth, beside the scatter about a law


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
        grid = np.array([[self.parameter, self.start]])
        return np.asarray(_columns(self.law, grid, time)[0], np.float64)

    @property
    def is_inside(self) -> bool:
        """Whether the exponent of a power is within its range, not at a limit."""
        return LOWEST * 1.02 < self.parameter < HIGHEST * 0.98

    def bends(self, time: Floats, amounts: Floats) -> Floats:
        """Return the derivatives by the nonlinear parameters, by finite differences; (n, free)."""
        used = amounts[: self.columns(time).shape[1]]
        names = ("parameter", "start")[: self.free]
        if self.law in POWERS:
            names = ("start",)[: self.free]
        around = []
        for name in names:
            value = getattr(self, name)
            step = 1e-4 * max(abs(value), 1e-3)
            high, low = (replace(self, **{name: value + s}) for s in (step, -step))
            around.append((high.columns(time) - low.columns(time)) @ used / (2 * step))
        return np.array(around, np.float64).reshape(len(around), len(time)).T


def _columns(law: str, grid: Floats, time: Floats) -> Floats:
    """Return the columns of each parameter and start of a grid (s, 2); shape (s, n, p)."""
    parameter, start = grid[:, :1], grid[:, 1:]
    one = np.ones((len(grid), len(time)))
    if law == "constant":
        return one[:, :, None]
    if law == PARABOLA:
        return np.stack([one, one * time, one * time**2], axis=2)
    if law == "jump":
        return np.stack([one, one * (time >= parameter)], axis=2)
    if law == "knee":
        return np.stack([one, one * time, np.maximum(time - parameter, 0.0)], axis=2)
    return np.stack([one, _rise(law, np.maximum(time - start, 0.0), parameter)], axis=2)


def _rise(law: str, since: Floats, parameter: Floats) -> Floats:
    if law in {*POWERS, "power"}:
        return np.asarray(since**parameter, np.float64)
    scaled = since / parameter
    if law == "logarithmic":
        return np.asarray(np.log1p(scaled), np.float64)
    if law == "saturating":
        return np.asarray(-np.expm1(-scaled), np.float64)
    return np.asarray(np.expm1(np.minimum(scaled, 300.0)), np.float64)


@dataclass(frozen=True)
class GrowthData:
    """Time from 0 to 1, resistance and error (ohm), and the steps of jumps; (n,), (n, j).

    ``scale`` is the last time in its own unit. Times increase, errors are positive; a step is 1
    from a jump on.
    """

    scale: float
    time: Floats
    resistance: Floats
    error: Floats
    steps: Floats

    def with_jumps(self, places: list[int]) -> GrowthData:
        """Return the data with a step before each place."""
        after = np.arange(len(self.time))[:, None] >= np.array(places, np.int64)[None, :]
        return replace(self, steps=after.astype(np.float64))

    def without(self, place: int) -> GrowthData:
        """Return the data without one resistance."""
        kept = np.arange(len(self.time)) != place
        return GrowthData(self.scale, *(values[kept] for values in (
            self.time, self.resistance, self.error, self.steps
        )))  # fmt: skip


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
    def surprise(self) -> float:
        """Minus twice the logarithm of the likelihood.

        Errors are known up to a factor, which is near 1 beforehand; the scatter about the law
        decides the more, the more spectra there are.
        """
        return float(_surprise(self.whitened, self.correlation, self.count))

    @property
    def criterion(self) -> float:
        """The Bayesian information criterion, corrected for few observations.

        A. D. R. McQuarrie, Stat. Probab. Lett. 44, 79 (1999), doi 10.1016/S0167-7152(98)00294-6.
        """
        n, p = self.count, self.parameters
        return self.surprise + p * math.log(n) * n / max(n - p - 2, 0.5)

    @property
    def lenient_criterion(self) -> float:
        """The information criterion of Akaike, which prefers simple laws far less.

        H. Akaike, IEEE Trans. Autom. Control 19, 716 (1974), doi 10.1109/TAC.1974.1100705.
        """
        return self.surprise + 2 * self.parameters


def _surprise(whitened: Floats | float, correlation: Floats | float, count: int) -> Floats:
    left = 1 - np.square(correlation)
    scale = np.log(_EXPECTED + whitened / left)
    return np.asarray((count + _EXPECTED) * scale + (count - 1) * np.log(left), np.float64)


def _grids(law: str, time: Floats) -> dict[int, Floats]:
    """Return a coarse grid (s, 2) of parameter and start by the number of those that are free."""
    nothing = np.array([[math.nan, 0.0]])
    if law in {"constant", PARABOLA}:
        return {0: nothing}
    if law == "jump":
        return {1: _product((time[2:-1] + time[1:-2]) / 2, np.zeros(1))}
    if law == "knee":
        return {1: _product(_between(time[1:-2]), np.zeros(1))}
    exponent = {name: np.array([power]) for name, power in POWERS.items()} | {"power": _EXPONENTS}
    parameters = exponent.get(law, _time_constants(law, time))
    bent = int(len(parameters) > 1)
    grids = {bent: _product(parameters, np.zeros(1))}
    if law not in {"logarithmic", "exponential"}:
        grids[bent + 1] = _product(parameters, _between(time[:-1])[:-1])
    return grids


def _time_constants(law: str, time: Floats) -> Floats:
    window = float(time[-1] - time[0])
    shortest, longest = _SHORTEST * window, _LONGEST * window
    if law == "logarithmic":  # of the time itself, if the constant is far below the first
        shortest, longest = min(shortest, max(0.1 * float(time[0]), 1e-4 * window)), _LONGEST
    return np.geomspace(shortest, longest, _MOST_TIMES)


def _product(parameters: Floats, starts: Floats) -> Floats:
    """Return each parameter with each start; shape (s, 2)."""
    first, second = np.meshgrid(parameters, starts, indexing="ij")
    return np.stack([first.ravel(), second.ravel()], axis=1)


def _between(time: Floats) -> Floats:
    """Return times and three more between each two, but for the first."""
    parts = np.linspace(0, 1, 4, endpoint=False)[:, None]
    within: Floats = (time[:-1] + parts * np.diff(time)).T.ravel()
    found = np.append(within, time[-1])[1:]
    return found[:: 1 + len(found) // _MOST_PLACES]


def _nearby(shape: Shape, width: float, time: Floats) -> Floats:
    """Return a finer grid around a shape: times closer by a width, parameters in ratio; (s, 2)."""
    parameters, starts = np.array([shape.parameter]), np.array([shape.start])
    steps = np.linspace(-1, 1, 9)
    reach = width * max(float(np.diff(time).max()), 2 / _MOST_PLACES)
    if shape.law == "knee":
        parameters = shape.parameter + reach * steps
        parameters = parameters[(parameters >= time[1]) & (parameters <= time[-3])]
    elif shape.law in {"power", *TIMED}:
        parameters = shape.parameter * np.exp(0.3 * width * steps)
    if shape.start > 0:
        starts = shape.start + reach * steps
        starts = starts[(starts > 0) & (starts < time[-2])]
    return _product(parameters, starts)


def fit_law(law: str, data: GrowthData, *, free_start: bool = True) -> LawFit:
    """Return the best fit of a law over its shapes and over the correlation of its residuals.

    Parameters
    ----------
    law
        One of :data:`LAWS`, or :data:`PARABOLA`.
    data
        The resistances; steps of jumps are fitted along.
    free_start
        Whether a law may begin later than the first time.

    """
    best = []
    for free, grid in _grids(law, data.time).items():
        if grid[0, 1] > 0 and not free_start:
            continue
        fit = _best_of(law, free, grid, data, _FEW_CORRELATIONS if free else _CORRELATIONS)
        for width in _WIDTHS if free else ():
            fit = _best_of(law, free, _nearby(fit.shape, width, data.time), data, _CORRELATIONS)
        best.append(fit)
    return min(best, key=lambda fit: fit.criterion)


def _best_of(law: str, free: int, grid: Floats, data: GrowthData, correlations: Floats) -> LawFit:
    """Return the best fit of shapes with one number of parameters."""
    columns = _columns(law, grid, data.time)
    along = np.broadcast_to(data.steps, (len(grid), *data.steps.shape))
    design = np.concatenate([columns, along], axis=2)
    target = data.resistance / data.error
    amounts, residuals = _solve(design / data.error[:, None], target, correlations)
    own, lagged, inner = _moments(residuals)
    rho = correlations[:, None]
    whitened = own + rho**2 * inner - 2 * rho * lagged
    parts = np.ptp(design[None, :, :, 1:] * amounts[:, :, None, 1:], axis=2)
    opposed = parts.max(axis=2, initial=0.0) > _OPPOSED * np.ptp(data.resistance)
    whitened[opposed] = np.inf  # two columns that cancel each other tell nothing
    surprise = _surprise(whitened, rho, len(target))
    k, place = np.unravel_index(int(np.argmin(surprise)), surprise.shape)
    return LawFit(
        Shape(law, float(grid[place, 0]), float(grid[place, 1]), free), amounts[k, place],
        float(own[k, place]), float(whitened[k, place]), float(correlations[k]), len(target),
        data.steps.shape[1],
    )  # fmt: skip


def _solve(design: Floats, target: Floats, correlations: Floats) -> tuple[Floats, Floats]:
    """Return the amplitudes of each shape at each correlation, and residuals; (c, s, p), (c, s, n).

    Generalised least squares by the normal equations of scaled columns, with one refinement.
    """
    size = np.maximum(np.linalg.norm(design, axis=1), 1e-300)
    scaled = design / size[:, None, :]
    rho = correlations[:, None, None, None]
    turned = scaled.transpose(0, 2, 1)
    inner = turned[:, :, 1:-1] @ scaled[:, 1:-1]
    lagged = turned[:, :, 1:] @ scaled[:, :-1]
    normal = turned @ scaled + rho**2 * inner - rho * (lagged + lagged.transpose(0, 2, 1))
    normal += 1e-12 * np.eye(scaled.shape[2])
    amounts = np.zeros((len(correlations), len(design), scaled.shape[2]))
    left = np.broadcast_to(target, (*amounts.shape[:2], len(target)))
    for _ in range(2):
        white = left.copy()
        white[..., 1:-1] += rho[..., 0] ** 2 * left[..., 1:-1]
        white[..., 1:] -= rho[..., 0] * left[..., :-1]
        white[..., :-1] -= rho[..., 0] * left[..., 1:]
        right = (turned @ white[..., None])[..., 0]
        amounts = amounts + np.linalg.solve(normal, right[..., None])[..., 0]
        left = target - (scaled @ amounts[..., None])[..., 0]
    return amounts / size, left


def _moments(residuals: Floats) -> tuple[Floats, Floats, Floats]:
    """Return sums of squares, of products of neighbours, and of squares without both ends."""
    squares = residuals**2
    own = squares.sum(axis=-1)
    lagged = np.sum(residuals[..., 1:] * residuals[..., :-1], axis=-1)
    return own, lagged, own - squares[..., 0] - squares[..., -1]
