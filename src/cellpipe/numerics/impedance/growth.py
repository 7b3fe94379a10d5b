"""How a resistance changed: not at all, by a law, or by none of those that are known.

Two questions, one after the other. *Did it change?*
(:mod:`cellpipe.numerics.impedance.growth_scatter`.) *By which law?* Those of
:mod:`cellpipe.numerics.impedance.growth_laws` are compared by two information criteria; the
probability of a law is its share of exp(-criterion/2) among those that change (A. E. Raftery,
Sociol. Methodol. 25, 111 (1995), doi 10.2307/271063), and the lower of the two counts. A law is a
verdict only if its own misfit is explained by the errors and its probability is at least 0.95;
else the answer is "no simple law". A law with more parameters that takes the very curve of
a simpler one speaks for the simpler one.

A jump is a step between two spectra that no law explains, e.g. from loss of contact or a short
circuit. It is fitted together with the law, so that it does not count as growth.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from cellpipe.numerics.impedance.elements import Floats
from cellpipe.numerics.impedance.growth_jumps import JUMP_SHARE, find_jumps
from cellpipe.numerics.impedance.growth_laws import (
    LAWS,
    PARABOLA,
    POWERS,
    TIMED,
    GrowthData,
    LawFit,
    fit_law,
)
from cellpipe.numerics.impedance.growth_scatter import (
    Trend,
    find_lone,
    find_odd,
    find_trend,
    is_within,
    neighbour_scatter,
)

NO_LAW = "no simple law"
FEWEST = 5  # spectra needed for a law
SURE = 0.95  # probability from which a law is a verdict
_FEWEST_LEFT = 2  # degrees of freedom that a law with four or more parameters must leave
_SIMPLE = 3  # parameters of a law that may leave only one
_ALIKE = 0.007  # root mean square between two curves that are one, in the whole change
_STILL = 0.02  # the same, of what changes little beside jumps
_AT_ONCE = 0.3  # of the time to the next spectrum; a shorter time constant is a jump
_LOST = 4.0  # twice the log-likelihood that a simpler law may lose for its first parameter less
_LOST_MORE = 2.0  # and for each further
_JUMP_EVIDENCE = 10.0  # least decrease of the criterion for a jump
_TURN = 0.1  # of the way up or down, from which a parabola turns
_LEAST_VARIANCE = 0.25  # of the scatter, in squared errors


@dataclass(frozen=True)
class Growth:
    """How a resistance changed, with standard errors.

    ``law`` is one of :data:`~cellpipe.numerics.impedance.growth_laws.LAWS` or ``no simple law``;
    ``probabilities`` are those of the laws that change (of ``constant`` alone if nothing does), and
    ``probability`` is the verdict's, NaN without a change or a verdict. ``trend`` does not need a
    law, and ``chance`` is that of such a scatter in a resistance that does not change. ``exponent``
    is m of the best power of time, be it the law or not, with its error. ``initial`` R₀ (ohm),
    ``rate`` k and its error (ohm per unit of time to the m; ohm for a law with a time constant),
    ``parameter`` (the exponent; the time constant; the time of a knee or jump), ``start`` and
    ``rate_after`` (of a knee, ohm per unit of time) are those of the verdict, or NaN. ``jumps``
    holds the index before which the resistance jumped and the step in ohm, for each jump.
    ``describing`` are the laws whose misfit the errors explain, whether one of them is the verdict
    or not. ``odd`` is the index of the one resistance without which the law describes the others,
    or without which nothing changes.
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
    describing: tuple[str, ...] = ()
    odd: int | None = None


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
    found = _fit(build_data(time_since, resistance_ohm, error_ohm))
    if found.law != NO_LAW or len(time_since) <= FEWEST:
        return found
    odd = find_odd(time_since, resistance_ohm, error_ohm)
    if odd is None:
        return found
    kept = np.arange(len(time_since)) != odd
    again = _fit(build_data(time_since[kept], resistance_ohm[kept], error_ohm[kept]))
    if again.odd is not None or again.jumps or not again.describing:
        return found
    return replace(again, odd=odd)


def _fit(data: GrowthData) -> Growth:
    chance, trend = find_trend(data.resistance, data.error)
    if trend == "unchanged":
        return _describe(data, {"constant": fit_law("constant", data)}, [], chance, trend)
    lone = find_lone(data.resistance, data.error)
    if lone is not None and 0 < lone < len(data.time) - 1:
        rest = data.without(lone)
        constant = {"constant": fit_law("constant", rest)}
        found = _describe(rest, constant, [], chance, "unchanged")
        return replace(found, odd=lone)
    fits = _fit_laws(data)
    if lone is not None:
        found = _describe(data, fits, [], chance, trend, may_be_law=False)
        return replace(found, odd=lone, describing=())
    if any(explains(fit, data) for fit in fits.values()):
        return _describe(data, fits, [], chance, trend)
    return _describe(*_fit_jumps(data, fits), chance, trend)


def _fit_jumps(
    data: GrowthData, fits: dict[str, LawFit]
) -> tuple[GrowthData, dict[str, LawFit], list[int]]:
    """Return the fewest jumps beside which a law holds, else those that improve the fit much."""
    kept: tuple[GrowthData, dict[str, LawFit], list[int]] = (data, fits, [])
    before = min(fit.criterion for fit in fits.values())
    for stepped, places, criterion in find_jumps(data):
        beside = _fit_laws_beside(stepped)
        if any(explains(fit, stepped) for fit in beside.values()):
            return stepped, beside, places
        if beside and criterion + _JUMP_EVIDENCE < before:
            kept, before = (stepped, beside, places), criterion
    return kept


def build_data(time_since: Floats, resistance: Floats, error: Floats) -> GrowthData:
    """Return resistances with a positive error each, over a time from 0 to 1.

    The arguments are those of :func:`fit_growth`.
    """
    scale = float(time_since[-1])
    time = time_since / scale
    good = np.isfinite(error) & (error > 0)
    size = max(float(np.median(np.abs(resistance))), 1e-300)
    typical = float(np.median(error[good])) if good.any() else neighbour_scatter(time, resistance)
    used = np.where(good, error, typical)
    least = max(0.2 * typical, 1e-7 * size)
    nothing = np.zeros((len(time), 0))
    return GrowthData(scale, time, resistance, np.maximum(used, least), nothing)


def _fit_laws(data: GrowthData) -> dict[str, LawFit]:
    """Fit the laws that change, as far as there are spectra enough to hold them against."""
    fits = {law: fit_law(law, data) for law in LAWS if law != "constant"}
    parabola = fit_law(PARABOLA, data)
    if _turns_inside(parabola, data):
        fits[PARABOLA] = parabola
    left = {law: len(data.time) - fit.parameters for law, fit in fits.items()}
    return {
        law: fit
        for law, fit in fits.items()
        if left[law] >= (1 if fit.parameters <= _SIMPLE else _FEWEST_LEFT)
        and not _is_another(fit, data.time)
    }


def _is_another(fit: LawFit, time: Floats) -> bool:
    """Return whether a law at an end of its range is a logarithm, a kink or a jump."""
    shape = fit.shape
    if shape.law == "power":
        return not shape.is_inside
    if shape.law == "exponential":
        return bool(shape.parameter < _AT_ONCE * (time[-1] - time[-2]))
    after = int(np.searchsorted(time, shape.start, side="right"))
    at_once = _AT_ONCE * (time[after] - shape.start)
    return shape.law == "saturating" and bool(shape.parameter < at_once)


def _turns_inside(parabola: LawFit, data: GrowthData) -> bool:
    """Return whether a parabola rises and falls by a tenth of its change at least."""
    shown = (
        parabola.shape.columns(np.linspace(float(data.time[0]), 1.0, 101)) @ parabola.amounts[:3]
    )
    steps = np.diff(shown)
    ways = float(steps[steps > 0].sum()), -float(steps[steps < 0].sum())
    return min(ways) > _TURN * max(ways)


def explains(fit: LawFit, data: GrowthData) -> bool:
    """Return whether the errors explain what a law leaves."""
    return is_within(_residuals(fit, data), max(len(data.time) - fit.parameters, 1))


def _residuals(fit: LawFit, data: GrowthData) -> Floats:
    columns = np.column_stack([fit.shape.columns(data.time), data.steps])
    left: Floats = (data.resistance - columns @ fit.amounts) / data.error
    return left


def _describe(
    data: GrowthData, fits: dict[str, LawFit], jumps: list[int], chance: float, trend: Trend,
    *, may_be_law: bool = True,
) -> Growth:  # fmt: skip
    probabilities = _share({law: fit.criterion for law, fit in fits.items()})
    law, probability = _choose_law(data, fits)
    best, power = fits[law], _first_power(data)
    is_verdict = trend == "unchanged" or (
        may_be_law and law != PARABOLA and probability >= SURE and explains(best, data)
    )
    has_rate, amount = law != "constant", float(best.amounts[min(1, len(best.amounts) - 1)])
    unit = data.scale if law == "knee" else 1.0
    if law in {*POWERS, "power"}:
        unit = data.scale**best.shape.parameter
    at = best.shape.columns(data.time).shape[1]
    steps = [(place, float(step)) for place, step in zip(jumps, best.amounts[at:], strict=True)]
    if law == "jump" and is_verdict:
        steps = [(int(np.argmax(data.time >= best.shape.parameter)), amount)]
    timed = law in {*TIMED, "knee", "jump"}
    found = Growth(
        law, math.nan if trend == "unchanged" else probability, probabilities, trend, chance,
        power.shape.parameter, _exponent_error(power, data),
        float(best.amounts[0]),
        amount / unit if has_rate else 0.0,
        _rate_error(best, data) / unit if has_rate else math.nan,
        best.shape.parameter * (data.scale if timed else 1.0),
        best.shape.start * data.scale,
        float(best.amounts[1] + best.amounts[2]) / data.scale if law == "knee" else math.nan,
        tuple(steps),
        tuple(name for name, fit in fits.items() if name in LAWS and explains(fit, data)),
    )  # fmt: skip
    no = math.nan
    return found if is_verdict else replace(
        found, law=NO_LAW, probability=no, initial=no, rate=no, rate_error=no, parameter=no,
        start=no, rate_after=no,
    )  # fmt: skip


def _share(criteria: dict[str, float]) -> dict[str, float]:
    """Return the probability of each law."""
    lowest = min(criteria.values())
    share = {law: math.exp(-0.5 * (value - lowest)) for law, value in criteria.items()}
    total = sum(share.values())
    return {law: value / total for law, value in share.items()}


def _choose_law(data: GrowthData, fits: dict[str, LawFit]) -> tuple[str, float]:
    """Return the most probable law, together with those that take its curve, and its probability.

    The criterion of Akaike keeps a simple law from a verdict that few spectra can't give, that of
    Bayes a law with many parameters; the lower probability counts.
    """
    strict = _share({law: fit.criterion for law, fit in fits.items()})
    lenient = _share({law: fit.lenient_criterion for law, fit in fits.items()})
    found: dict[str, float] = {}
    for law, fit in fits.items():
        same = [law, *(other for other in fits if _is_special_case(fit, fits[other], data))]
        found[law] = min(sum(share[name] for name in same) for share in (strict, lenient))
    order = sorted(fits, key=lambda name: (fits[name].parameters, -found[name]))
    likeliest = max(found, key=lambda name: found[name])
    law = next((name for name in order if found[name] >= SURE), likeliest)
    return law, found[law]


def _is_special_case(simple: LawFit, other: LawFit, data: GrowthData) -> bool:
    """Return whether a law with more parameters takes the curve of a simpler one."""
    more = other.parameters - simple.parameters
    if more < 1 or simple.surprise - other.surprise > _LOST + _LOST_MORE * (more - 1):
        return False
    time = np.linspace(float(data.time[0]), 1.0, 101)
    if simple.shape.law == "jump":  # when it was, between two spectra, nobody knows
        time = data.time
    steps = np.zeros((len(time), data.steps.shape[1]))
    first, second = (
        np.column_stack([fit.shape.columns(time), steps]) @ fit.amounts for fit in (simple, other)
    )
    apart = float(np.sqrt(np.mean((first - second) ** 2)))
    change = max(float(np.ptp(first)), float(np.ptp(second)))
    if simple.shape.law == "constant":  # but for jumps
        return apart <= _STILL * float(np.ptp(data.resistance))
    return apart <= _ALIKE * change


def _first_power(data: GrowthData) -> LawFit:
    """Return the power of time from the first time on, whether it is the law or not."""
    return fit_law("power", data, free_start=False)


def _covariance(fit: LawFit, data: GrowthData) -> Floats:
    """Return the covariance of the amplitudes, then of the nonlinear parameters."""
    columns = np.column_stack([fit.shape.columns(data.time), data.steps])
    bends = fit.shape.bends(data.time, fit.amounts)
    whole = np.column_stack([columns, bends]) / data.error[:, None]
    freedom = max(len(data.time) - fit.parameters, 1)
    inflation = (1 + fit.correlation) / (1 - fit.correlation)
    variance = max(fit.left / freedom, _LEAST_VARIANCE) * inflation
    return np.asarray(np.linalg.pinv(whole.T @ whole, rcond=1e-14) * variance, np.float64)


def _rate_error(fit: LawFit, data: GrowthData) -> float:
    """Return the standard error of the first amplitude, in ohm at the last time.

    In the rate of a power, k = amplitude / scale^m, the exponent has its part.
    """
    covariance = _covariance(fit, data)
    slope = np.zeros(len(covariance))
    slope[1] = 1.0
    if fit.shape.law == "power":
        slope[len(fit.amounts)] = -float(fit.amounts[1]) * math.log(data.scale)
    return math.sqrt(max(float(slope @ covariance @ slope), 0.0))


def _exponent_error(power: LawFit, data: GrowthData) -> float:
    """Return the standard error of a free exponent; NaN at the limits of its range."""
    if not power.shape.is_inside:
        return math.nan
    return math.sqrt(max(float(_covariance(power, data)[-1, -1]), 0.0))


def _fit_laws_beside(data: GrowthData) -> dict[str, LawFit]:
    """Fit the laws beside jumps, where nothing but these may change, too."""
    fits = {**_fit_laws(data), "constant": fit_law("constant", data)}
    places = np.argmax(data.steps > 0, axis=0)
    seen = data.resistance[places] - data.resistance[places - 1]
    least = 0.5 * JUMP_SHARE * np.abs(data.resistance[places])
    found = {}
    for law, fit in fits.items():
        steps = fit.amounts[len(fit.amounts) - len(places) :]
        is_seen = (steps * seen > 0) & (np.abs(steps) > least) & (np.abs(steps) < 2 * np.abs(seen))
        if law not in {"jump", PARABOLA} and is_seen.all():
            found[law] = fit
    return found
