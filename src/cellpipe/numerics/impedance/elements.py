"""Elements of equivalent circuits: impedance, derivatives, and shapes for the search of starts.

==========  ==============================  =====================================================
element     parameters (unit)               impedance
==========  ==============================  =====================================================
R           R (ohm)                         R
C           C (F)                           1 / (jωC)
L           L (H)                           jωL
La          L (H s^(alpha-1)), alpha (1)    L (jω)^alpha, an inductor with losses
CPE         Q (ohm^-1 s^n), n (1)           1 / (Q (jω)^n)
W           sigma (ohm s^-1/2)              sigma (1 - j) / √ω, semi-infinite Warburg
Wo          R (ohm), tau (s)                R coth(√(jωτ)) / √(jωτ), finite space, blocked end
Ws          R (ohm), tau (s)                R tanh(√(jωτ)) / √(jωτ), finite length, open end
G           R (ohm), tau (s)                R / √(1 + jωτ), Gerischer
Gs          R (ohm), tau (s), phi (1)       R coth(phi s) / s with s = √(1 + jωτ), finite Gerischer
K           R (ohm), tau (s)                R / (1 + jωτ), a resistor and a capacitor in parallel
ZARC        R (ohm), tau (s), n (1)         R / (1 + (jωτ)^n); also written Zarc
TLMQ        R_ion (ohm), Q, n               √(R_ion Z) coth √(R_ion / Z), Z = 1 / (Q (jω)^n)
TLM         R_ion, R_ct (ohm), Q, n         the same with Z = R_ct / (1 + R_ct Q (jω)^n)
TLMt        R_ion, R_ct (ohm), tau (s), n   the same, with the time constant (R_ct Q)^(1/n)
==========  ==============================  =====================================================

Names and parameters follow impedance.py where it has the element. Sources: constant phase
element, Warburg, Gerischer: M. E. Orazem, B. Tribollet, Electrochemical Impedance Spectroscopy,
2nd ed. (2017), doi 10.1002/9781119363682; ZARC: K. S. Cole, R. H. Cole, J. Chem. Phys. 9, 341
(1941), doi 10.1063/1.1750906; transmission line of a composite electrode without electronic
resistance: J. Bisquert, J. Phys. Chem. B 106, 325 (2002), doi 10.1021/jp011941g, and for a lithium
cell's blocking and reacting electrode N. Ogihara et al., J. Electrochem. Soc. 159, A1034 (2012),
doi 10.1149/2.057207jes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Complexes = NDArray[np.complex128]
Evaluation = tuple[Complexes, list[Complexes]]

_TIMES = 26  # grid points of a time constant over the measured window
_FEW = 6  # grid points of a time constant of other elements
_EXPONENTS = (0.65, 0.8, 0.95)
_TAIL_EXPONENTS = (0.5, 0.65, 0.8, 0.95)
_FINE_EXPONENTS = tuple(np.linspace(0.3, 1.0, 29))
_QUARTER = 0.5j * np.pi  # ln j
_SATURATED = 20.0  # beyond this, tanh is one in double precision


@dataclass(frozen=True)
class Parameter:
    """One parameter of an element; a positive one is fitted as its logarithm.

    ``scaling`` is the power with which it scales with the element's impedance: 1, -1, or 0 for
    times and exponents.
    """

    name: str
    unit: str
    low: float
    high: float
    scaling: Literal[-1, 0, 1]
    positive: bool = True


@dataclass(frozen=True)
class Element:
    """One kind of element: its parameters, and its impedance with derivatives.

    ``evaluate(jw, values)`` takes jω of shape (n,) and values of shape (..., p), and returns the
    impedance (..., n) and its derivative by each fitted parameter. ``shapes(shortest, longest)``
    returns parameters of shape (k, p) that cover the element's spectra between these time
    constants, s, scaled to about one ohm.
    """

    parameters: tuple[Parameter, ...]
    evaluate: Callable[[Complexes, Floats], Evaluation]
    shapes: Callable[[float, float], Floats]


def _resistor(jw: Complexes, values: Floats) -> Evaluation:
    z = values[..., 0:1] * np.ones_like(jw)
    return z, [z]


def _capacitor(jw: Complexes, values: Floats) -> Evaluation:
    z = 1 / (jw * values[..., 0:1])
    return z, [-z]


def _inductor(jw: Complexes, values: Floats) -> Evaluation:
    z = jw * values[..., 0:1]
    return z, [z]


def _power(logarithm: Floats, n: Floats) -> Complexes:
    """Return (jx)^n from ln x: a real power, rotated by n quarter turns."""
    return np.asarray(np.exp(n * logarithm) * np.exp(0.5j * np.pi * n), np.complex128)


def _lossy_inductor(jw: Complexes, values: Floats) -> Evaluation:
    logarithm = np.log(jw.imag)
    z = values[..., 0:1] * _power(logarithm, values[..., 1:2])
    return z, [z, z * (logarithm + _QUARTER)]


def _constant_phase(jw: Complexes, values: Floats) -> Evaluation:
    logarithm = np.log(jw.imag)
    z = _power(logarithm, -values[..., 1:2]) / values[..., 0:1]
    return z, [-z, -z * (logarithm + _QUARTER)]


def _warburg(jw: Complexes, values: Floats) -> Evaluation:
    z = np.asarray(np.sqrt(2) * values[..., 0:1] / np.sqrt(jw), np.complex128)
    return z, [z]


def _tanh(x: Complexes) -> Complexes:
    """Return the hyperbolic tangent in the right half plane, without overflow."""
    return np.asarray(np.tanh(np.where(x.real > _SATURATED, _SATURATED, x)), np.complex128)


def _root(x: Complexes) -> Complexes:
    return np.asarray(np.sqrt(x), np.complex128)


def _open_warburg(jw: Complexes, values: Floats) -> Evaluation:
    r, x = values[..., 0:1], _root(jw * values[..., 1:2])
    coth = 1 / _tanh(x)
    z = r * coth / x
    return z, [z, 0.5 * (r * (1 - coth * coth) - z)]


def _short_warburg(jw: Complexes, values: Floats) -> Evaluation:
    r, x = values[..., 0:1], _root(jw * values[..., 1:2])
    tanh = _tanh(x)
    z = r * tanh / x
    return z, [z, 0.5 * (r * (1 - tanh * tanh) - z)]


def _gerischer(jw: Complexes, values: Floats) -> Evaluation:
    x = jw * values[..., 1:2]
    z = values[..., 0:1] / _root(1 + x)
    return z, [z, -0.5 * z * x / (1 + x)]


def _finite_gerischer(jw: Complexes, values: Floats) -> Evaluation:
    r, x, phi = values[..., 0:1], jw * values[..., 1:2], values[..., 2:3]
    s = _root(1 + x)
    coth = 1 / _tanh(phi * s)
    z = r * coth / s
    thick = r * phi * (1 - coth * coth)
    return z, [z, (thick - z) * x / (2 * s * s), thick]


def _relaxation(jw: Complexes, values: Floats) -> Evaluation:
    x = jw * values[..., 1:2]
    z = values[..., 0:1] / (1 + x)
    return z, [z, -z * x / (1 + x)]


def _zarc(jw: Complexes, values: Floats) -> Evaluation:
    r, tau, n = values[..., 0:1], values[..., 1:2], values[..., 2:3]
    logarithm = np.log(jw.imag) + np.log(tau)
    share = 1 / (1 + _power(logarithm, n))
    z = r * share
    slope = z * (share - 1)
    return z, [z, n * slope, (logarithm + _QUARTER) * slope]


def _transmission_line(r: Floats, x: Complexes) -> tuple[Complexes, Complexes]:
    """Return the impedance of the line, r coth(x) / x, and its derivative by ln x."""
    coth = 1 / _tanh(x)
    z = r * coth / x
    return z, r * (1 - coth * coth) - z


def _blocking_line(jw: Complexes, values: Floats) -> Evaluation:
    r, q, n = values[..., 0:1], values[..., 1:2], values[..., 2:3]
    logarithm = np.log(jw.imag)
    z, slope = _transmission_line(r, np.sqrt(r * q) * _power(logarithm, 0.5 * n))
    return z, [z + 0.5 * slope, 0.5 * slope, 0.5 * slope * (logarithm + _QUARTER)]


def _reacting_line(jw: Complexes, values: Floats) -> Evaluation:
    r, charge, q, n = (values[..., place : place + 1] for place in range(4))
    logarithm = np.log(jw.imag)
    y = charge * q * _power(logarithm, n)
    z, slope = _transmission_line(r, _root(r / charge * (1 + y)))
    part = 0.5 * slope * y / (1 + y)
    return z, [z + 0.5 * slope, -0.5 * slope / (1 + y), part, part * (logarithm + _QUARTER)]


def _timed_line(jw: Complexes, values: Floats) -> Evaluation:
    r, charge, tau, n = (values[..., place : place + 1] for place in range(4))
    logarithm = np.log(jw.imag) + np.log(tau)
    y = _power(logarithm, n)
    z, slope = _transmission_line(r, _root(r / charge * (1 + y)))
    part = 0.5 * slope * y / (1 + y)
    return z, [z + 0.5 * slope, -0.5 * slope, n * part, part * (logarithm + _QUARTER)]


def _grid(*axes: Floats | tuple[float, ...]) -> Floats:
    """Return all combinations of the axes, the last varying fastest; shape (k, number of axes)."""
    return np.stack([a.ravel() for a in np.meshgrid(*axes, indexing="ij")], axis=1)


def _time_grid(shortest: float, longest: float, number: int = _TIMES) -> Floats:
    return np.geomspace(0.3 * shortest, 3 * longest, number)


def _arc_shapes(shortest: float, longest: float) -> Floats:
    return _grid((1.0,), _time_grid(shortest, longest))


def _blocking_line_shapes(shortest: float, longest: float) -> Floats:
    """Return shapes with R_ion of one and Q from the time constant (R_ion Q)^(1/n)."""
    grid = _grid((1.0,), _time_grid(shortest, longest, 2 * _FEW), _TAIL_EXPONENTS)
    grid[:, 1] **= grid[:, 2]
    return grid


def _timed_line_shapes(shortest: float, longest: float) -> Floats:
    return _grid((1.0,), (0.1, 0.5, 3.0), _time_grid(shortest, longest, 2 * _FEW), _EXPONENTS)


def _reacting_line_shapes(shortest: float, longest: float) -> Floats:
    grid = _timed_line_shapes(shortest, longest)
    grid[:, 2] = grid[:, 2] ** grid[:, 3] / grid[:, 1]
    return grid


_OHM = Parameter("R", "ohm", 1e-6, 1e12, 1)
_TAU = Parameter("tau", "s", 1e-12, 1e9, 0)
_Q = Parameter("Q", "ohm^-1 s^n", 1e-16, 1e5, -1)
_N = Parameter("n", "1", 0.3, 1.0, 0, positive=False)
_R_ION = Parameter("R_ion", "ohm", 1e-6, 1e12, 1)

ELEMENTS: dict[str, Element] = {
    "R": Element((_OHM,), _resistor, lambda *_: np.ones((1, 1))),
    "C": Element(
        (Parameter("C", "F", 1e-16, 1e5, -1),), _capacitor, lambda _, long: np.array([[long]])
    ),
    "L": Element(
        (Parameter("L", "H", 1e-13, 1e-1, 1),), _inductor, lambda short, _: np.array([[short]])
    ),
    "La": Element(
        (
            Parameter("L", "H s^(alpha-1)", 1e-13, 1e3, 1),
            Parameter("alpha", "1", 0.3, 1.0, 0, positive=False),
        ),
        _lossy_inductor,
        lambda short, _: np.array([[short**a, a] for a in _TAIL_EXPONENTS]),
    ),
    "CPE": Element(
        (_Q, _N), _constant_phase,
        lambda _, long: np.array([[long**n, n] for n in _FINE_EXPONENTS]),
    ),
    "W": Element(
        (Parameter("sigma", "ohm s^-1/2", 1e-9, 1e13, 1),), _warburg,
        lambda _, long: np.array([[long**-0.5]]),
    ),
    "Wo": Element(
        (_OHM, _TAU), _open_warburg,
        lambda _, long: _grid((1.0,), np.geomspace(0.05 * long, 20 * long, _FEW)),
    ),
    "Ws": Element(
        (_OHM, _TAU), _short_warburg,
        lambda _, long: _grid((1.0,), np.geomspace(0.01 * long, 6 * long, _FEW)),
    ),
    "G": Element((_OHM, _TAU), _gerischer, _arc_shapes),
    "Gs": Element(
        (_OHM, _TAU, Parameter("phi", "1", 1e-3, 1e3, 0)), _finite_gerischer,
        lambda short, long: _grid((1.0,), _time_grid(short, long, 2 * _FEW), (0.1, 0.5, 2.0)),
    ),
    "K": Element((_OHM, _TAU), _relaxation, _arc_shapes),
    "ZARC": Element(
        (_OHM, _TAU, _N), _zarc,
        lambda short, long: _grid((1.0,), _time_grid(short, long), _EXPONENTS),
    ),
    "TLMQ": Element((_R_ION, _Q, _N), _blocking_line, _blocking_line_shapes),
    "TLM": Element(
        (_R_ION, Parameter("R_ct", "ohm", 1e-6, 1e12, 1), _Q, _N),
        _reacting_line,
        _reacting_line_shapes,
    ),
    "TLMt": Element(
        (_R_ION, Parameter("R_ct", "ohm", 1e-6, 1e12, 1), _TAU, _N), _timed_line,
        _timed_line_shapes,
    ),
}  # fmt: skip
ELEMENTS["Zarc"] = ELEMENTS["ZARC"]
