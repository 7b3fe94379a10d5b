"""A fit as lmfit knows it: parameters with bounds and expressions, report, confidence intervals.

lmfit takes over at the optimum that was found without a guess. Its variables are the logarithms of
what is positive, for lmfit's bounds lose all digits of a farad of 1e-9 between 0 and 1e5; the
parameters in their own units stand beside them as expressions, and a user's bounds, fixed values
and expressions are given for these.
"""

from __future__ import annotations

import math
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from cellpipe.core.errors import CellpipeError
from cellpipe.numerics.impedance.circuit_fit import (
    CircuitFit,
    invert_normal_matrix,
    weighted_residuals,
)
from cellpipe.numerics.impedance.circuit_forms import parameter_jacobian, theta_from_values
from cellpipe.numerics.impedance.circuits import Circuit
from cellpipe.numerics.impedance.elements import Floats, Parameter

if TYPE_CHECKING:
    from lmfit import Minimizer, Parameters
    from lmfit.minimizer import MinimizerResult

_LOGARITHM = "ln_"
_OFF_BOUND = 0.1  # of a logarithm or an exponent
_AT_BOUND = 1e-4  # of a logarithm or an exponent
_STEP = 1e-6  # of a variable, for what the fitted form's parameters owe to it


def parameter_names(circuit: Circuit) -> list[str]:
    """Names of the parameters: ``R1``, ``CPE1_Q``, ``CPE1_n``; an element's only one is its own."""
    elements = [element for element, _ in circuit.keys]
    return [
        element if elements.count(element) == 1 else f"{element}_{parameter}"
        for element, parameter in circuit.keys
    ]


def plain_parameters(fit: CircuitFit) -> Parameters:
    """Return lmfit parameters at a fit's values, by the names of :func:`parameter_names`, without bounds."""
    import lmfit

    out = lmfit.Parameters()
    for name, value in zip(parameter_names(fit.circuit), fit.values, strict=True):
        out.add(name, value=float(value))
    return out


def minimise_with_lmfit(
    fit: CircuitFit, constraints: Parameters | None = None
) -> tuple[Minimizer, MinimizerResult]:
    """Let lmfit finish at a fit's optimum, under a user's constraints if there are any.

    Parameters
    ----------
    fit
        The fit whose optimum lmfit starts from.
    constraints
        lmfit parameters by the names of :func:`parameter_names`: their bounds, ``vary=False`` with its
        value, or an expression.

    Raises
    ------
    CellpipeError
        If a constraint names no parameter of the circuit.

    """
    import lmfit

    names = parameter_names(fit.circuit)
    _check_constraints(constraints, names)
    parameters = _build_parameters(fit, names, constraints)
    form = fit.form

    def theta(current: Any) -> Floats:
        return theta_from_values(form, np.array([current[name].value for name in names]))

    def residual(current: Any) -> Floats:
        return np.asarray(weighted_residuals(form, fit.spectrum, theta(current)[None])[0][0])

    def slopes(current: Any) -> Floats:
        at = theta(current)
        return np.asarray(
            np.linalg.solve(
                parameter_jacobian(form, at).T,
                weighted_residuals(form, fit.spectrum, at[None])[1][0],
            )
        )

    minimizer = lmfit.Minimizer(residual, parameters)
    plain = constraints is None
    exact = {"Dfun": slopes, "col_deriv": 1} if plain else {}
    with warnings.catch_warnings(action="ignore"):  # a parameter at its bound has no error
        return minimizer, minimizer.minimize(method="leastsq", **exact)


def fit_with_constraints(
    fit: CircuitFit, constraints: Parameters
) -> tuple[CircuitFit, MinimizerResult]:
    """Return the fit under a user's constraints, and lmfit's result.

    Raises
    ------
    CellpipeError
        If a constraint names no parameter of the circuit.

    """
    _, result = minimise_with_lmfit(fit, constraints)
    names = parameter_names(fit.circuit)

    def theta(values: Floats) -> Floats:
        for name, value in zip(result.var_names, values, strict=True):
            trial[name].value = value
        return theta_from_values(fit.form, np.array([trial[name].value for name in names]))

    trial = result.params.copy()
    at = np.array([result.params[name].value for name in result.var_names])
    best = theta(at)
    turned = [(theta(at + _STEP * unit) - best) / _STEP for unit in np.eye(len(at))]
    turn = np.array(turned).reshape(len(at), len(best))
    variables = [result.params[name] for name in result.var_names]
    held = np.array([min(v.value - v.min, v.max - v.value) < _AT_BOUND for v in variables], bool)
    residuals, slopes = weighted_residuals(fit.form, fit.spectrum, best[None])
    cost = float(residuals[0] @ residuals[0])
    freedom = max(residuals.shape[1] - len(at), 1)
    seen = turn @ slopes[0]
    spread = turn.T @ invert_normal_matrix(seen @ seen.T / max(cost / freedom, 1e-300), held) @ turn
    bounded = (np.abs(turn[held]) > 0.5).any(axis=0)
    return CircuitFit(fit.form, fit.spectrum, best, spread, bounded, cost), result


def _check_constraints(constraints: Parameters | None, names: list[str]) -> None:
    unknown = [name for name in constraints or () if name not in names]
    if unknown:
        raise CellpipeError(
            f"a constraint on {', '.join(unknown)}",
            expected=f"one of {', '.join(names)}",
            remedy="correct the name",
        )


def _build_parameters(
    fit: CircuitFit, names: list[str], constraints: Parameters | None
) -> Parameters:
    import lmfit

    out = lmfit.Parameters()
    given = {} if constraints is None else constraints
    expressions = {name: given[name].expr for name in given if given[name].expr is not None}
    for name, parameter, value in zip(names, fit.circuit.parameters, fit.values, strict=True):
        if name in expressions:  # set below: it may speak of any other
            out.add(name, value=float(value))
        elif name in given and not given[name].vary:
            out.add(name, value=given[name].value, vary=False)
        elif parameter.positive:
            low, high = map(math.log, _parameter_limits(parameter, given.get(name)))
            out.add(
                _LOGARITHM + name, value=_clip_start(math.log(value), low, high), min=low, max=high
            )
            out.add(name, expr=f"exp({_LOGARITHM}{name})")
        else:
            low, high = _parameter_limits(parameter, given.get(name))
            out.add(name, value=_clip_start(float(value), low, high), min=low, max=high)
    for name, expression in expressions.items():
        out[name].expr = expression
    return out


def _clip_start(value: float, low: float, high: float) -> float:
    """Return a start within bounds; one from outside starts off them, for lmfit can't leave them."""
    if low < value < high:
        return float(np.clip(value, low + 1e-9, high - 1e-9))
    off = min(_OFF_BOUND, 0.25 * (high - low))
    return float(np.clip(value, low + off, high - off))


def _parameter_limits(parameter: Parameter, given: Any) -> tuple[float, float]:
    low, high = parameter.low, parameter.high
    if given is not None:
        low = max(low, given.min) if np.isfinite(given.min) else low
        high = min(high, given.max) if np.isfinite(given.max) else high
    return low, high


def confidence_intervals(
    fit: CircuitFit, sigmas: tuple[float, ...], constraints: Parameters | None = None
) -> dict[str, list[tuple[float, float]]]:
    """Return profile-likelihood intervals: for each name (probability, value) from low to high.

    Raises
    ------
    CellpipeError
        If the data determines no interval: a parameter is not identifiable.

    """
    import lmfit

    minimizer, result = minimise_with_lmfit(fit, constraints)
    if not result.errorbars:
        raise CellpipeError(
            "a fit whose parameters the data does not determine",
            expected="standard errors of all variables", remedy="take a simpler circuit",
        )  # fmt: skip
    with warnings.catch_warnings(action="ignore"):
        found = lmfit.conf_interval(minimizer, result, sigmas=list(sigmas))
    return {
        name.removeprefix(_LOGARITHM): [
            (float(p), float(math.exp(v) if name.startswith(_LOGARITHM) else v)) for p, v in points
        ]
        for name, points in found.items()
    }
