"""Growth law of a resistance, R = R₀ + k tᵐ, and its jumps.

m = ½ is an interphase whose growth is limited by diffusion through it (J. Janek, W. G. Zeier,
Nat. Energy 8, 230 (2023), doi 10.1038/s41560-023-01208-9; S. Wenzel et al., Solid State Ion. 286,
24 (2016), doi 10.1016/j.ssi.2015.11.034), m = 1 a steady reaction or loss of contact. Neither is
assumed: no growth, m = ½, m = 1 and a free m are compared by the Bayesian information criterion,
and the probability of a law is its share of exp(-BIC/2) (A. E. Raftery, Sociol.
Methodol. 25, 111 (1995), doi 10.2307/271063). Neighbouring resistances of a series are not
independent; the number of observations is reduced by the correlation of their residuals.

A jump is a step between two spectra that no law explains, e.g. from loss of contact or a short
circuit. It is fitted together with the law, so that it does not count as growth.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from cellpipe.numerics.impedance.elements import Floats

LAWS = ("constant", "square root", "linear", "free")
FEWEST = 5  # spectra needed for a law
_EXPONENTS = {"constant": None, "square root": 0.5, "linear": 1.0}
_LOWEST, _HIGHEST = 0.05, 4.0
_SCANNED = (None, 0.2, 0.35, 0.5, 0.6, 0.7, 0.85, 1.0, 1.4, 2.0)
_LEAST = 0.5  # standard errors; less scatter counts as none
_MOST_JUMPS = 3
_JUMP_EVIDENCE = 10.0  # least decrease of the criterion for a jump
_JUMP_NOISES = 6.0
_JUMP_SHARE = 0.05  # of the resistance


@dataclass(frozen=True)
class Growth:
    """The growth law of a resistance, with standard errors.

    ``law`` is the most probable of :data:`LAWS`, with its ``probability``. ``exponent`` is m of the
    free fit, with its error; ``initial`` R₀ (ohm) and ``rate`` k (ohm per unit of time to the m)
    are those of the law at ``law_exponent``; the error of k includes that of a free m. ``jumps``
    holds the index before which the resistance jumped and the step in ohm, for each jump.
    """

    law: str
    probability: float
    probabilities: dict[str, float]
    exponent: float
    exponent_error: float
    law_exponent: float
    initial: float
    rate: float
    rate_error: float
    jumps: tuple[tuple[int, float], ...]


@dataclass(frozen=True)
class _Fit:
    """The fit of a law; ``left`` is the mean squared residual, ``misfit`` the same with a floor."""

    exponent: float
    amounts: Floats
    left: float
    misfit: float
    effective: float
    parameters: int

    def criterion(self, count: float) -> float:
        """Return the Bayesian information criterion for ``count`` observations, corrected if few.

        A. D. R. McQuarrie, Stat. Probab. Lett. 44, 79 (1999), doi 10.1016/S0167-7152(98)00294-6.
        """
        few = count / max(count - self.parameters - 2, 0.5)
        return count * math.log(self.misfit) + self.parameters * math.log(count) * few


def fit_growth(time_since: Floats, resistance_ohm: Floats, error_ohm: Floats) -> Growth | None:
    """Return the law by which a resistance grows.

    Parameters
    ----------
    time_since
        Time since the start of growth, in any unit, increasing, not negative; shape (n,).
    resistance_ohm, error_ohm
        The resistance and its standard error, ohm; shape (n,). Errors that are not positive are
        replaced by the median of the others; scatter below half the errors is no misfit.

    Returns
    -------
    The law; None for fewer than five resistances or if time does not advance.

    """
    if len(time_since) < FEWEST or time_since[-1] <= time_since[0]:
        return None
    scale = float(time_since[-1])
    time = time_since / scale
    data = _build_data(time, resistance_ohm, error_ohm)
    jumps = _find_jumps(data)
    fits = {law: _fit_law(law, data, jumps) for law in LAWS}
    count = fits["free"].effective
    lowest = min(fit.criterion(count) for fit in fits.values())
    share = {law: math.exp(-0.5 * (fit.criterion(count) - lowest)) for law, fit in fits.items()}
    total = sum(share.values())
    probabilities = {law: value / total for law, value in share.items()}
    law = max(probabilities, key=lambda name: probabilities[name])
    best, free = fits[law], fits["free"]
    power = best.exponent if law != "constant" else 0.5
    has_rate = 1 if law != "constant" else 0
    steps = best.amounts[1 + has_rate :]
    covariance = _covariance(data, jumps, best, free=law == "free")
    return Growth(
        law, probabilities[law], probabilities, free.exponent, _exponent_error(data, jumps, free),
        power, float(best.amounts[0]),
        float(best.amounts[1]) / scale**power if has_rate else 0.0,
        _rate_error(best, covariance, scale, power, free=law == "free") if has_rate else math.nan,
        tuple((place, float(step)) for place, step in zip(jumps, steps, strict=True)),
    )  # fmt: skip


@dataclass(frozen=True)
class _Data:
    """Time from 0 to 1, resistance, its weight, and the lowest significant misfit."""

    time: Floats
    resistance: Floats
    weight: Floats
    floor: float


def _build_data(time: Floats, resistance: Floats, error: Floats) -> _Data:
    good = np.isfinite(error) & (error > 0)
    size = max(float(np.median(np.abs(resistance))), 1e-300)
    typical = float(np.median(error[good])) if good.any() else size
    used = np.where(good, error, typical)
    weight = np.asarray(1 / np.maximum(used, 0.2 * typical), np.float64)
    floor = _LEAST**2 if good.any() else 0.0
    return _Data(time, resistance, weight, max(floor, (1e-9 * size / typical) ** 2))


def _design_matrix(time: Floats, exponent: float | None, jumps: list[int]) -> Floats:
    columns = [np.ones_like(time)]
    if exponent is not None:
        columns.append(time**exponent)
    after = np.arange(len(time))
    columns += [(after >= place).astype(np.float64) for place in jumps]
    return np.stack(columns, axis=1)


def _fit_linear(data: _Data, exponent: float | None, jumps: list[int]) -> _Fit:
    design = _design_matrix(data.time, exponent, jumps) * data.weight[:, None]
    target = data.resistance * data.weight
    amounts = np.asarray(np.linalg.lstsq(design, target, rcond=1e-12)[0], np.float64)
    residuals = target - design @ amounts
    count, size = design.shape
    left = float(residuals @ residuals) / count
    return _Fit(
        math.nan if exponent is None else exponent, amounts, left, max(left, data.floor),
        _effective_count(residuals, size), size,
    )  # fmt: skip


def _effective_count(residuals: Floats, size: int) -> float:
    """Return the number of independent observations, from the correlation of residuals."""
    count = len(residuals)
    total = float(residuals @ residuals)
    correlation = float(residuals[1:] @ residuals[:-1]) / total if total > 0 else 0.0
    correlation = min(max(correlation, 0.0), 0.95)
    return max(count * (1 - correlation) / (1 + correlation), size + 2.0)


def _fit_law(law: str, data: _Data, jumps: list[int]) -> _Fit:
    if law != "free":
        return _fit_linear(data, _EXPONENTS[law], jumps)
    grid = np.geomspace(_LOWEST, _HIGHEST, 60)
    for _ in range(4):
        fits = [_fit_linear(data, float(m), jumps) for m in grid]
        place = int(np.argmin([fit.left for fit in fits]))
        low, high = grid[max(place - 1, 0)], grid[min(place + 1, len(grid) - 1)]
        best = fits[place]
        grid = np.linspace(low, high, 15)
    return replace(best, parameters=best.parameters + 1)


def _covariance(data: _Data, jumps: list[int], fit: _Fit, *, free: bool) -> Floats:
    """Return the covariance of the amplitudes, and last of the exponent if it is free."""
    exponent = None if math.isnan(fit.exponent) else fit.exponent
    design = _design_matrix(data.time, exponent, jumps)
    if free:
        bend = fit.amounts[1] * data.time**fit.exponent * np.log(np.maximum(data.time, 1e-300))
        design = np.column_stack([design, bend])
    whole = design * data.weight[:, None]
    count, size = whole.shape
    variance = fit.misfit * count / max(count - size, 1) * count / fit.effective
    return np.asarray(np.linalg.pinv(whole.T @ whole, rcond=1e-14) * variance)


def _exponent_error(data: _Data, jumps: list[int], fit: _Fit) -> float:
    """Return the standard error of a free exponent; NaN at the limits of its range."""
    if not _LOWEST * 1.001 < fit.exponent < _HIGHEST * 0.999:
        return math.nan
    return math.sqrt(max(float(_covariance(data, jumps, fit, free=True)[-1, -1]), 0.0))


def _rate_error(fit: _Fit, covariance: Floats, scale: float, power: float, *, free: bool) -> float:
    """Return the standard error of k = amplitude / scale^m, with that of m if it is free."""
    variance = float(covariance[1, 1])
    if free:
        slope = float(fit.amounts[1]) * math.log(scale)
        variance += slope**2 * float(covariance[-1, -1]) - 2 * slope * float(covariance[1, -1])
    return float(math.sqrt(max(variance, 0.0)) / scale**power)


def _find_jumps(data: _Data) -> list[int]:
    """Return up to three jumps that no law explains, each with two spectra on either side."""
    jumps: list[int] = []
    while len(jumps) < _MOST_JUMPS:
        before = _fit_coarse(data, jumps)
        place = _find_next_jump(data, jumps)
        if place is None:
            break
        after = _fit_coarse(data, [*jumps, place])
        step = abs(float(after.amounts[-1]))
        noise = math.sqrt(after.misfit) / float(data.weight[place])
        count = after.effective
        supported = after.criterion(count) + _JUMP_EVIDENCE < before.criterion(count)
        share = _JUMP_SHARE * abs(float(data.resistance[place]))
        if not (supported and step > max(_JUMP_NOISES * noise, share)):
            break
        jumps.append(place)
    return sorted(jumps)


def _fit_coarse(data: _Data, jumps: list[int]) -> _Fit:
    """Return the best fit over a few exponents."""
    return min((_fit_linear(data, m, jumps) for m in _SCANNED), key=lambda fit: fit.left)


def _find_next_jump(data: _Data, jumps: list[int]) -> int | None:
    """Return the jump that reduces the misfit most, over a few exponents; None if impossible."""
    count = len(data.time)
    places = np.array(
        [p for p in range(2, count - 1) if all(abs(p - other) > 1 for other in jumps)]
    )
    if not len(places):
        return None
    target = data.resistance * data.weight
    steps = data.weight[:, None] * (np.arange(count)[:, None] >= places)
    best: tuple[float, int] = (np.inf, -1)
    for exponent in _SCANNED:
        design = _design_matrix(data.time, exponent, jumps) * data.weight[:, None]
        basis, _ = np.linalg.qr(design)
        left = target - basis @ (basis.T @ target)
        rest = steps - basis @ (basis.T @ steps)
        reduction = (rest.T @ left) ** 2 / np.maximum(np.sum(rest**2, axis=0), 1e-300)
        place = int(np.argmax(reduction))
        best = min(best, (float(left @ left - reduction[place]), int(places[place])))
    return best[1]
