"""Fits with lmfit: parameters with bounds and expressions, report, confidence intervals.

lmfit starts at the optimum found by :mod:`circuit_fit`. Its variables are the logarithms of
positive parameters, because lmfit's bounds lose all digits of 1e-9 F between 0 and 1e5; the
parameters in their own units are expressions of them, and a user's bounds, fixed values and
expressions apply to these.
"""

from __future__ import annotations

import math
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from cellpipe.core.errors import CellpipeError
from cellpipe.numerics.impedance.circuit_fit import CircuitFit, weighted_residuals
from cellpipe.numerics.impedance.circuit_forms import parameter_jacobian, theta_from_values
from cellpipe.numerics.impedance.constraints import Constraints, parameter_names
from cellpipe.numerics.impedance.elements import Floats, Parameter

if TYPE_CHECKING:
    from lmfit import Minimizer, Parameters
    from lmfit.minimizer import MinimizerResult

_LOGARITHM = "ln_"
_OFF_BOUND = 0.1  # of a logarithm or an exponent


def plain_parameters(fit: CircuitFit) -> Parameters:
    """Return lmfit parameters at a fit's values, without bounds; see :func:`parameter_names`."""
    import lmfit

    parameters = lmfit.Parameters()
    for name, value in zip(parameter_names(fit.circuit), fit.values, strict=True):
        parameters.add(name, value=float(value))
    return parameters


def minimise_with_lmfit(
    fit: CircuitFit, constraints: Constraints | None = None
) -> tuple[Minimizer, MinimizerResult]:
    """Run lmfit from a fit's optimum, under a user's constraints if there are any.

    Parameters
    ----------
    fit
        The fit whose optimum is the start.
    constraints
        Constraints by the names of :func:`cellpipe.numerics.impedance.constraints.parameter_names`.

    """
    import lmfit

    names = parameter_names(fit.circuit)
    parameters = _build_parameters(fit, names, constraints)
    form = fit.form

    def theta(current: Any) -> Floats:
        return theta_from_values(form, np.array([current[name].value for name in names]))

    def residual(current: Any) -> Floats:
        return np.asarray(weighted_residuals(form, fit.spectrum, theta(current)[None])[0][0])

    def slopes(current: Any) -> Floats:
        point = theta(current)
        return np.asarray(
            np.linalg.solve(
                parameter_jacobian(form, point).T,
                weighted_residuals(form, fit.spectrum, point[None])[1][0],
            )
        )

    minimizer = lmfit.Minimizer(residual, parameters)
    plain = constraints is None
    exact = {"Dfun": slopes, "col_deriv": 1} if plain else {}
    with warnings.catch_warnings(action="ignore"):  # lmfit warns of parameters at a bound
        return minimizer, minimizer.minimize(method="leastsq", **exact)


def _build_parameters(
    fit: CircuitFit, names: list[str], constraints: Constraints | None
) -> Parameters:
    import lmfit

    parameters = lmfit.Parameters()
    settings: Constraints = {} if constraints is None else constraints
    expressions = {name: given.expr for name, given in settings.items() if given.expr is not None}
    for name, parameter, value in zip(names, fit.circuit.parameters, fit.values, strict=True):
        if name in expressions:  # set below: it may refer to any other parameter
            parameters.add(name, value=float(value))
        elif name in settings and not settings[name].vary:
            parameters.add(name, value=settings[name].value, vary=False)
        elif parameter.positive:
            low, high = map(math.log, _parameter_limits(parameter, settings.get(name)))
            parameters.add(
                _LOGARITHM + name, value=_clip_start(math.log(value), low, high), min=low, max=high
            )
            parameters.add(name, expr=f"exp({_LOGARITHM}{name})")
        else:
            low, high = _parameter_limits(parameter, settings.get(name))
            parameters.add(name, value=_clip_start(float(value), low, high), min=low, max=high)
    for name, expression in expressions.items():
        parameters[name].expr = expression
    return parameters


def _clip_start(value: float, low: float, high: float) -> float:
    """Return a start moved inside the bounds if it is outside; lmfit can't leave a bound."""
    if low < value < high:
        return float(np.clip(value, low + 1e-9, high - 1e-9))
    off = min(_OFF_BOUND, 0.25 * (high - low))
    return float(np.clip(value, low + off, high - off))


def _parameter_limits(parameter: Parameter, setting: Any) -> tuple[float, float]:
    low, high = parameter.low, parameter.high
    if setting is not None:
        low = max(low, setting.min) if np.isfinite(setting.min) else low
        high = min(high, setting.max) if np.isfinite(setting.max) else high
    return low, high


def confidence_intervals(
    fit: CircuitFit, sigmas: tuple[float, ...], constraints: Constraints | None = None
) -> dict[str, list[tuple[float, float]]]:
    """Return profile-likelihood intervals by name: (probability, value) in the order of value.

    Raises
    ------
    CellpipeError
        If a parameter is not identifiable, so that there is no interval.

    """
    import lmfit

    minimizer, result = minimise_with_lmfit(fit, constraints)
    if not result.errorbars:
        raise CellpipeError(
            "a fit whose parameters the data does not determine",
            expected="standard errors of all variables", remedy="take a simpler circuit",
        )  # fmt: skip
    with warnings.catch_warnings(action="ignore"):
        intervals = lmfit.conf_interval(minimizer, result, sigmas=list(sigmas))
    return {
        name.removeprefix(_LOGARITHM): [
            (float(p), float(math.exp(v) if name.startswith(_LOGARITHM) else v)) for p, v in points
        ]
        for name, points in intervals.items()
    }
