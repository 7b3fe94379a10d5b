"""How a resistance changed: not at all, by a law, or by none of those that are known.

Two questions, one after the other. *Did it change?* Its scatter about one value is held against its
standard errors (χ², at a level that holds if neighbours are correlated). *By which law?* The laws
of :mod:`cellpipe.numerics.impedance.growth_laws` are compared by the Bayesian information
criterion; the probability of a law is its share of exp(-BIC/2) among those that change (A. E.
Raftery, Sociol. Methodol. 25, 111 (1995), doi 10.2307/271063). A law is a verdict only if its own
misfit is explained by the errors and its probability is at least nine tenths; else the answer is
"no simple law". Whether a resistance rises or falls is told from the best rising and the best
falling curves of any shape (isotonic regression), not from a law.

A jump is a step between two spectra that no law explains, e.g. from loss of contact or a short
circuit. It is fitted together with the law, so that it does not count as growth.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from cellpipe.numerics.impedance.elements import Floats
from cellpipe.numerics.impedance.growth_laws import LAWS, TIMED, LawFit, fit_law

Trend = Literal["unchanged", "rising", "falling", "not monotone"]
NO_LAW = "no simple law"
FEWEST = 5  # spectra needed for a law
_AS_GOOD = math.exp(-1.0)  # times as probable as the free power
SURE = 0.9  # probability from which a law is a verdict
_LEVEL = 1e-3  # of false changes, and of a true law called none
_CORRELATION = 0.6  # of neighbours, at which that level holds
_SCATTER = 4.0  # squared errors, up to which scatter without order is no misfit
_MOST_JUMPS = 3
_JUMP_EVIDENCE = 10.0  # least decrease of the criterion for a jump
_JUMP_NOISES = 6.0
_JUMP_SHARE = 0.05  # of the resistance
_ODD = 4.0  # times the distance of its neighbours, or its error
_FEWEST_FOR_JUMPS = 8


@dataclass(frozen=True)
class Growth:
    """How a resistance changed, with standard errors.

    ``law`` is one of :data:`~cellpipe.numerics.impedance.growth_laws.LAWS` or ``no simple law``;
    ``probabilities`` are those of the laws that change (of ``constant`` alone if nothing does), and
    ``probability`` is the verdict's, NaN without one. ``trend`` does not need a law, and
    ``chance`` is that of such a scatter in a resistance that does not change. ``exponent`` is m of
    the best power from the first time on, with its error; ``initial`` R₀ (ohm), ``rate`` k and its
    error (ohm per unit of time to the m; ohm for a law with a time constant), ``parameter`` (the
    exponent; the time constant; the time of a knee or jump), ``start`` and ``rate_after`` (of a
    knee, ohm per unit of time) are those of the verdict. ``jumps`` holds the index before which the
    resistance jumped and the step in ohm, for each jump. ``odd`` is the index of the one resistance
    without which the law describes the others.
    """

    law: str
    probability: float
    probabilities: dict[str, float]
    trend: Trend
    chance: float
    exponent: float
    exponent_error: float
    initial: float
    rate: float
    rate_error: float
    parameter: float
    start: float
    rate_after: float
    jumps: tuple[tuple[int, float], ...]
    odd: int | None = None


@dataclass(frozen=True)
class _Data:
    """Time from 0 to 1, resistance and error (ohm), and the steps of jumps; (n,), (n, j)."""

    time: Floats
    resistance: Floats
    error: Floats
    steps: Floats

    def with_jumps(self, places: list[int]) -> _Data:
        """Return the data with a step before each place."""
        after = np.arange(len(self.time))[:, None] >= np.array(places)[None, :]
        return _Data(self.time, self.resistance, self.error, after.astype(np.float64))

    def fit(self, law: str) -> LawFit:
        """Fit a law together with the jumps."""
        return fit_law(law, self.time, self.resistance, self.error, self.steps)


def fit_growth(time_since: Floats, resistance_ohm: Floats, error_ohm: Floats) -> Growth | None:
    """Return how a resistance changed with time.

    Parameters
    ----------
    time_since
        Time since the start of growth, in any unit, increasing, not negative; shape (n,).
    resistance_ohm, error_ohm
        The resistance and its standard error, ohm; shape (n,). Errors that are not positive are
        replaced by the median of the others; scatter below half the errors is no misfit.

    Returns
    -------
    The change; None for fewer than five resistances or if time does not advance.

    """
    if len(time_since) < FEWEST or time_since[-1] <= time_since[0]:
        return None
    data = _build_data(time_since / float(time_since[-1]), resistance_ohm, error_ohm)
    found = _fit(data, float(time_since[-1]))
    if found.law != NO_LAW or len(time_since) <= FEWEST:
        return found
    odd = _find_odd(data)
    if odd is None:
        return found
    kept = np.arange(len(time_since)) != odd
    without = _build_data(
        time_since[kept] / float(time_since[kept][-1]), resistance_ohm[kept], error_ohm[kept]
    )
    again = _fit(without, float(time_since[kept][-1]))
    if again.law == NO_LAW or again.jumps:
        return found
    return replace(again, odd=odd)


def _find_odd(data: _Data) -> int | None:
    """Return the one resistance that is far from the line between its neighbours; None if none."""
    off = np.zeros(len(data.time))
    share = np.diff(data.time)[1:] / np.maximum(data.time[2:] - data.time[:-2], 1e-300)
    line = share * data.resistance[:-2] + (1 - share) * data.resistance[2:]
    off[1:-1] = np.abs(data.resistance[1:-1] - line)
    odd = int(np.argmax(off))
    beside = (data.resistance[odd - 1], data.resistance[odd + 1]) if off[odd] else (0.0, 0.0)
    return odd if off[odd] > _ODD * max(abs(beside[0] - beside[1]), data.error[odd]) else None


def _fit(data: _Data, scale: float) -> Growth:
    chance, trend = _chance_and_trend(data)
    if trend == "unchanged":
        fits = {"constant": data.fit("constant")}
        return _describe(data, fits, [], chance, trend, scale)
    fits = _fit_laws(data)
    if any(_explains(fit, data) for fit in fits.values()):
        return _describe(data, fits, [], chance, trend, scale)
    jumps = _find_jumps(data, fits)
    if jumps:
        data = data.with_jumps(jumps)
        fits = {**_fit_laws(data), "constant": data.fit("constant")}
        fits.pop("jump")
    return _describe(data, fits, jumps, chance, trend, scale)


def _build_data(time: Floats, resistance: Floats, error: Floats) -> _Data:
    good = np.isfinite(error) & (error > 0)
    size = max(float(np.median(np.abs(resistance))), 1e-300)
    typical = float(np.median(error[good])) if good.any() else _scatter(time, resistance)
    used = np.where(good, error, typical)
    least = max(0.2 * typical, 1e-7 * size)
    return _Data(time, resistance, np.maximum(used, least), np.zeros((len(time), 0)))


def _scatter(time: Floats, resistance: Floats) -> float:
    """Return how far each resistance is from the line between its neighbours, as a deviation."""
    before, after = np.diff(time)[:-1], np.diff(time)[1:]
    share = after / np.maximum(before + after, 1e-300)
    off = resistance[1:-1] - share * resistance[:-2] - (1 - share) * resistance[2:]
    return float(np.median(np.abs(off / np.sqrt(1 + share**2 + (1 - share) ** 2)))) / 0.6745


def _fit_laws(data: _Data) -> dict[str, LawFit]:
    """Fit the laws that change, as far as there are records enough to hold them against."""
    fits = {law: data.fit(law) for law in LAWS if law != "constant"}
    return {law: fit for law, fit in fits.items() if len(data.time) > fit.parameters}


def _limit(count: int, freedom: int) -> float:
    """Return the χ² that correlated neighbours exceed once in a thousand times.

    Satterthwaite's approximation (Biometrics Bull. 2, 110 (1946), doi 10.2307/3002019) to a sum of
    squares about the mean, scaled to the degrees of freedom.
    """
    from scipy.stats import chi2

    apart = np.abs(np.subtract.outer(np.arange(count), np.arange(count)))
    centre = np.eye(count) - 1 / count
    spread = np.linalg.eigvalsh(centre @ (_CORRELATION**apart) @ centre)
    total, squares = float(spread.sum()), float((spread**2).sum())
    limit = float(chi2.isf(_LEVEL, total**2 / squares)) * squares / total
    return limit * freedom / (count - 1)


def _is_within(left: float, residuals: Floats, freedom: int) -> bool:
    """Return whether errors, or scatter of up to twice them without any order, explain a misfit."""
    if left <= _limit(len(residuals), freedom):
        return True
    turns = float(np.sum(np.diff(residuals) ** 2)) / left  # 2 without order (von Neumann 1941)
    is_random = abs(turns / 2 - 1) < 2 / math.sqrt(len(residuals))
    return freedom >= FEWEST and is_random and left <= _SCATTER * freedom


def _explains(fit: LawFit, data: _Data) -> bool:
    freedom = max(len(data.time) - fit.parameters, 1)
    return _is_within(fit.left, _residuals(fit, data), freedom)


def _residuals(fit: LawFit, data: _Data) -> Floats:
    columns = np.column_stack([fit.shape.columns(data.time), data.steps])
    left: Floats = (data.resistance - columns @ fit.amounts) / data.error
    return left


def _chance_and_trend(data: _Data) -> tuple[float, Trend]:
    """Return the chance of such a scatter about one value, and how the resistance goes."""
    from scipy.optimize import isotonic_regression
    from scipy.stats import chi2

    weight, count = data.error**-2.0, len(data.time)
    about = (data.resistance - np.average(data.resistance, weights=weight)) / data.error
    left = float(about @ about)
    chance = float(chi2.sf(left, count - 1))
    if _is_within(left, about, count - 1):
        return chance, "unchanged"
    names: tuple[tuple[bool, Trend], ...] = ((True, "rising"), (False, "falling"))
    misfits: dict[Trend, float] = {}
    for rises, name in names:
        best = isotonic_regression(data.resistance, weights=weight, increasing=rises).x
        off = (data.resistance - best) / data.error
        misfits[name] = float(off @ off)
    trend = min(misfits, key=lambda name: misfits[name])
    return chance, trend if misfits[trend] <= _limit(count, count - 1) else "not monotone"


def _describe(
    data: _Data, fits: dict[str, LawFit], jumps: list[int], chance: float, trend: Trend,
    scale: float,
) -> Growth:  # fmt: skip
    lowest = min(fit.criterion for fit in fits.values())
    share = {law: math.exp(-0.5 * (fit.criterion - lowest)) for law, fit in fits.items()}
    total = sum(share.values())
    probabilities = {law: value / total for law, value in share.items()}
    law, probability = _choose_law(probabilities)
    best, power = fits[law], _first_power(data)
    is_verdict = trend == "unchanged" or (probability >= SURE and _explains(best, data))
    errors = _errors(best, data)
    has_rate = law != "constant"
    unit = scale**best.shape.parameter if law in {"square root", "linear", "power"} else 1.0
    unit = scale if law == "knee" else unit
    at = best.shape.columns(data.time).shape[1]
    steps = [(place, float(step)) for place, step in zip(jumps, best.amounts[at:], strict=True)]
    if law == "jump":
        steps = [(int(np.argmax(data.time >= best.shape.parameter)), float(best.amounts[1]))]
    timed = law in {*TIMED, "knee", "jump"}
    return Growth(
        law if is_verdict else NO_LAW,
        probability if is_verdict else math.nan,
        probabilities, trend, chance,
        power.shape.parameter, _exponent_error(power, data),
        float(best.amounts[0]),
        float(best.amounts[1]) / unit if has_rate else 0.0,
        float(errors[1]) / unit if has_rate else math.nan,
        best.shape.parameter * (scale if timed else 1.0),
        best.shape.start * scale,
        float(best.amounts[1] + best.amounts[2]) / scale if law == "knee" else math.nan,
        tuple(steps),
    )  # fmt: skip


def _choose_law(probabilities: dict[str, float]) -> tuple[str, float]:
    """Return the verdict and its probability.

    The square root and the straight line are powers themselves: where one of them is about as good
    as the free power, and the other is not, it is named with what all three have together.
    """
    law = max(probabilities, key=lambda name: probabilities[name])
    simple = {name: probabilities.get(name, 0.0) for name in ("square root", "linear")}
    power, named = probabilities.get("power", 0.0), max(simple, key=lambda name: simple[name])
    family = power + sum(simple.values())
    is_alone = simple[named] >= SURE * sum(simple.values()) > 0
    if law in {*simple, "power"} and is_alone and simple[named] >= power * _AS_GOOD:
        return named, family
    return law, probabilities[law]


def _first_power(data: _Data) -> LawFit:
    """Return the power of time from the first time on, whether it is the law or not."""
    return fit_law("power", data.time, data.resistance, data.error, data.steps, free_start=False)


def _errors(fit: LawFit, data: _Data) -> Floats:
    """Return the standard errors of the amplitudes, then of the nonlinear parameters."""
    columns = np.column_stack([fit.shape.columns(data.time), data.steps])
    bends = fit.shape.bends(data.time, fit.amounts)
    whole = np.column_stack([columns, bends]) / data.error[:, None]
    freedom = max(len(data.time) - fit.parameters, 1)
    inflation = (1 + fit.correlation) / (1 - fit.correlation)
    variance = max(fit.left / freedom, 0.25) * inflation
    covariance = np.linalg.pinv(whole.T @ whole, rcond=1e-14) * variance
    return np.asarray(np.sqrt(np.maximum(np.diag(covariance), 0.0)), np.float64)


def _exponent_error(power: LawFit, data: _Data) -> float:
    """Return the standard error of a free exponent; NaN at the limits of its range."""
    return float(_errors(power, data)[-1]) if power.shape.is_inside else math.nan


def _find_jumps(data: _Data, fits: dict[str, LawFit]) -> list[int]:
    """Return up to three jumps that no law explains, each with two spectra on either side."""
    jumps: list[int] = []
    before = min(fit.criterion for fit in fits.values())
    while len(jumps) < _MOST_JUMPS and len(data.time) >= _FEWEST_FOR_JUMPS:
        place = _find_next_jump(data, jumps)
        if place is None:
            break
        trial = data.with_jumps([*jumps, place])
        after = min((trial.fit(law) for law in ("constant", "linear", "power")),
                    key=lambda fit: fit.criterion)  # fmt: skip
        step = abs(float(after.amounts[-1]))
        noise = math.sqrt(max(after.left / len(data.time), 0.25)) * float(data.error[place])
        share = _JUMP_SHARE * abs(float(data.resistance[place]))
        is_supported = after.criterion + _JUMP_EVIDENCE < before
        if not (is_supported and step > max(_JUMP_NOISES * noise, share)):
            break
        before = after.criterion
        jumps.append(place)
    return sorted(jumps)


def _find_next_jump(data: _Data, jumps: list[int]) -> int | None:
    """Return where a step reduces the misfit of smooth curves most; None if nowhere."""
    count = len(data.time)
    places = [p for p in range(2, count - 1) if all(abs(p - other) > 1 for other in jumps)]
    if not places:
        return None
    target = data.resistance / data.error
    steps = (np.arange(count)[:, None] >= np.array(places)) / data.error[:, None]
    best: tuple[float, int] = (np.inf, -1)
    for exponent in (None, 0.35, 0.5, 0.7, 1.0, 1.4, 2.0):
        smooth = [np.ones(count)] + ([] if exponent is None else [data.time**exponent])
        design = np.column_stack([*smooth, data.with_jumps(jumps).steps]) / data.error[:, None]
        basis, _ = np.linalg.qr(design)
        left = target - basis @ (basis.T @ target)
        rest = steps - basis @ (basis.T @ steps)
        reduction = (rest.T @ left) ** 2 / np.maximum(np.sum(rest**2, axis=0), 1e-300)
        at = int(np.argmax(reduction))
        best = min(best, (float(left @ left - reduction[at]), places[at]))
    return best[1]
