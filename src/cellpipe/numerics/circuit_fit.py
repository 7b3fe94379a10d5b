"""Fitting R0 – (R‖CPE)… – tail to an impedance spectrum, without anyone's guess.

Starts come from the spectrum itself (:mod:`circuit_starts`), all are refined at once
(:mod:`least_squares`), and lmfit takes over at the best one: its result carries the parameters
with their standard errors and correlations. Residuals are weighted by the modulus, 1/|Z|.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cellpipe.numerics.circuit_starts import start_values
from cellpipe.numerics.circuits import Circuit, evaluated, parsed
from cellpipe.numerics.least_squares import minimised

if TYPE_CHECKING:
    from lmfit.minimizer import MinimizerResult

Floats = NDArray[np.float64]
Complexes = NDArray[np.complex128]

STARTS = 6
FEWEST = 12  # frequencies; below that a circuit with seven parameters is not determined
CANDIDATES = ((1, ""), (1, "W"), (1, "CPE"), (2, ""), (2, "W"), (2, "CPE"))
_WORST_ERROR = 0.5  # standard error over value beyond which a parameter is not determined


@dataclass(frozen=True)
class CircuitFit:
    """A fitted circuit.

    ``values`` and ``errors`` are in the parameters' units, in the order of ``circuit.keys``; an
    error is NaN where the data gives none. ``covariance`` is that of the values. ``identifiable``
    says which parameters the data determines; ``result`` is lmfit's.
    """

    circuit: Circuit
    values: Floats
    errors: Floats
    covariance: Floats
    identifiable: NDArray[np.bool_]
    relative_residual: float
    bic: float
    result: MinimizerResult


def circuit_text(arcs: int, tail: str) -> str:
    """Give the circuit's string: ``R0-p(R1,CPE1)-p(R2,CPE2)-CPE3``."""
    parts = [f"p(R{i},CPE{i})" for i in range(1, arcs + 1)]
    last = {"CPE": [f"CPE{arcs + 1}"], "W": ["W1"], "": []}[tail]
    return "-".join(["R0", *parts, *last])


def fitted(frequency_hertz: Floats, impedance_ohm: Complexes, arcs: int, tail: str) -> CircuitFit:
    """Fit R0 – arcs × (R‖CPE) – tail to a spectrum.

    Parameters
    ----------
    frequency_hertz, impedance_ohm
        The spectrum, Hz and ohm; shape (n,), n at least 12.
    arcs, tail
        1 or 2 arcs; ``"CPE"``, ``"W"`` (Warburg) or ``""`` for no tail.

    """
    starts = start_values(frequency_hertz, impedance_ohm, arcs, tail, STARTS)
    text = circuit_text(arcs, tail)
    return refined(text, frequency_hertz, impedance_ohm, starts, arcs=arcs)


def refined(
    text: str,
    frequency_hertz: Floats,
    impedance_ohm: Complexes,
    starts: Floats,
    *,
    arcs: int = 0,
) -> CircuitFit:
    """Fit any circuit from given starts; the best of them is kept.

    Parameters
    ----------
    text
        The circuit, in the syntax of :mod:`cellpipe.numerics.circuits`.
    frequency_hertz, impedance_ohm
        The spectrum, Hz and ohm; shape (n,).
    starts
        Start values in the parameters' units, in the circuit's order; shape (b, p).
    arcs
        How many R‖CPE after the first element are to stand in the order of their time constants.

    """
    circuit = parsed(text)
    low, high = _bounds(circuit)
    theta, cost = minimised(
        lambda t: _residuals(circuit, frequency_hertz, impedance_ohm, t),
        _theta(circuit, starts), low, high,
    )  # fmt: skip
    best = _by_time_constant(_values(circuit, theta[int(np.argmin(cost))]), arcs)
    return _fit(circuit, _lmfit(circuit, frequency_hertz, impedance_ohm, best))


def _positive(circuit: Circuit) -> NDArray[np.bool_]:
    return np.array([p.positive for p in circuit.parameters])


def _theta(circuit: Circuit, values: Floats) -> Floats:
    positive = _positive(circuit)
    return np.where(positive, np.log(np.where(positive, np.maximum(values, 1e-300), 1.0)), values)


def _values(circuit: Circuit, theta: Floats) -> Floats:
    positive = _positive(circuit)
    return np.where(positive, np.exp(np.where(positive, theta, 0.0)), theta)


def _bounds(circuit: Circuit) -> tuple[Floats, Floats]:
    low = np.array([p.low for p in circuit.parameters])
    high = np.array([p.high for p in circuit.parameters])
    return _theta(circuit, low), _theta(circuit, high)


def _residuals(
    circuit: Circuit, frequency: Floats, measured: Complexes, theta: Floats
) -> tuple[Floats, Floats]:
    model, slopes = evaluated(circuit, frequency, _values(circuit, theta))
    weight = 1 / np.abs(measured)
    difference = (model - measured) * weight
    scaled = slopes * weight
    return (
        np.concatenate([difference.real, difference.imag], axis=-1),
        np.concatenate([scaled.real, scaled.imag], axis=-1),
    )


def _by_time_constant(values: Floats, arcs: int) -> Floats:
    """Put the arcs in the order of their time constants (RQ)^(1/n)."""
    blocks = values[1 : 1 + 3 * arcs].reshape(arcs, 3)
    times = np.log(blocks[:, 0] * blocks[:, 1]) / blocks[:, 2]
    ordered = blocks[np.argsort(times)].ravel()
    return np.concatenate([values[:1], ordered, values[1 + 3 * arcs :]])


def _name(key: tuple[str, str]) -> str:
    element, parameter = key
    return element if element.startswith("R") else f"{element}_{parameter}"


def _variables(circuit: Circuit) -> list[str]:
    """Names of lmfit's variables: the logarithm of what is positive, else the parameter itself."""
    return [
        f"ln_{_name(key)}" if parameter.positive else _name(key)
        for key, parameter in zip(circuit.keys, circuit.parameters, strict=True)
    ]


def _lmfit(
    circuit: Circuit, frequency: Floats, measured: Complexes, best: Floats
) -> MinimizerResult:
    """Let lmfit finish at the optimum.

    Its variables are logarithms, for lmfit's bounds lose all digits of a farad of 1e-9 between 0
    and 1e5; the parameters in their own units stand beside them as expressions.
    """
    import lmfit

    parameters = lmfit.Parameters()
    low, high = _bounds(circuit)
    names = _variables(circuit)
    for name, value, least, most in zip(names, _theta(circuit, best), low, high, strict=True):
        inside = float(np.clip(value, least + 1e-9, most - 1e-9))
        parameters.add(name, value=inside, min=least, max=most)

    def residual(current: Any) -> Floats:
        theta = np.array([current[name].value for name in names])
        return _residuals(circuit, frequency, measured, theta)[0]

    def slopes(current: Any) -> Floats:
        theta = np.array([current[name].value for name in names])
        return _residuals(circuit, frequency, measured, theta)[1]

    with warnings.catch_warnings(action="ignore"):  # a parameter at its bound has no error
        result = lmfit.minimize(residual, parameters, method="leastsq", Dfun=slopes, col_deriv=1)
    for key, name in zip(circuit.keys, names, strict=True):
        if name.startswith("ln_"):
            result.params.add(_name(key), expr=f"exp({name})")
            error = result.params[name].stderr
            value = result.params[_name(key)].value
            result.params[_name(key)].stderr = None if error is None else value * error
    return result


def _fit(circuit: Circuit, result: MinimizerResult) -> CircuitFit:
    names = _variables(circuit)
    theta = np.array([result.params[name].value for name in names])
    spread = np.array([_number(result.params[name].stderr) for name in names])
    values, positive = _values(circuit, theta), _positive(circuit)
    scale = np.where(positive, values, 1.0)
    covariance = np.full((len(names), len(names)), np.nan)
    if getattr(result, "covar", None) is not None and result.var_names == names:
        covariance = np.asarray(result.covar) * np.outer(scale, scale)
    low, high = _bounds(circuit)
    bounded = (theta - low < 1e-6) | (high - theta < 1e-6)
    ideal = ~positive & (values > 0.5)
    identifiable = (spread < _WORST_ERROR * np.where(positive, 1.0, values)) & ~bounded
    identifiable |= bounded & ideal  # n = 1 is a capacitor, not a failure
    count = len(result.residual)
    cost = float(np.sum(np.square(result.residual)))
    bic = count * math.log(max(cost, 1e-300) / count) + len(names) * math.log(count)
    residual = math.sqrt(2 * cost / count)
    return CircuitFit(
        circuit, values, spread * scale, covariance, identifiable, residual, bic, result
    )


def _number(error: float | None) -> float:
    return float("nan") if error is None or not np.isfinite(error) else float(error)


def effective_capacitance(resistance_ohm: float, q: float, n: float) -> float:
    """Effective capacitance of R‖CPE in F: (QR)^(1/n) / R.

    C. H. Hsu, F. Mansfeld, Corrosion 57, 747 (2001), doi 10.5006/1.3280607.
    """
    return float((q * resistance_ohm) ** (1 / n) / resistance_ohm)
