"""Fitted form of a circuit, with arcs given by resistance, time constant and exponent.

``p(R1,CPE1)`` is equivalent to a ZARC, and ``p(R1,C1)`` to ``K``, but Q and n of a CPE are so
strongly correlated that a fit converges slowly. A circuit is therefore fitted in a form where each
arc has R, τ and n, and positive parameters are logarithms. A reacting transmission line has such
an arc, too: the charge transfer along its pores. Results are in the user's own
parameters, with propagated errors: ln Q = n ln τ - ln R, ln C = ln τ - ln R.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from numpy.typing import NDArray

from cellpipe.numerics.impedance.circuits import Circuit, Node, parse_circuit
from cellpipe.numerics.impedance.elements import ELEMENTS, Floats

_ARCS = ("ZARC", "Zarc", "K")
_LINES = ("TLM", "TLMt")  # R_ct, and Q or τ, and n of the charge transfer follow R_ion
_REACH = 10.0  # largest factor by which a time constant may lie outside the measured window
_TIMED = {"ZARC": 1, "Zarc": 1, "K": 1, "G": 1, "Gs": 1, "TLMt": 2}
_SLOW = {"Wo": 1, "Ws": 1}


@dataclass(frozen=True)
class Arc:
    """An arc: name and first index in the fitted form (ln R, ln τ, and n if it has one).

    ``user`` holds the indices of these parameters in the user's circuit: R, C or Q or τ, and n.
    """

    name: str
    first: int
    user: tuple[int, ...]
    exponent: bool
    by_time: bool  # the user's circuit has the time constant, not a capacitance


@dataclass(frozen=True)
class Form:
    """The fitted form of a circuit, together with the circuit as written.

    ``places[i]`` is the index in the fitted form of the i-th parameter of the user's circuit.
    """

    circuit: Circuit
    fitted: Circuit
    arcs: tuple[Arc, ...]
    places: NDArray[np.int64]
    positive: NDArray[np.bool_]


@cache
def build_form(text: str) -> Form:
    """Return the form in which a circuit is fitted.

    Raises
    ------
    CellpipeError
        If the string is not a circuit.

    """
    circuit = parse_circuit(text)
    arcs: list[Arc] = []
    places = np.arange(len(circuit.keys))
    written: list[str] = []
    _write_node(circuit.root, circuit, written, arcs, places)
    fitted = parse_circuit("".join(written))
    if len({arc.name for arc in arcs}) < len(arcs):  # e.g. R1 with CPE1, and ZARC1
        arcs = [replace(arc, name=circuit.keys[arc.user[0]][0]) for arc in arcs]
    positive = np.array([p.positive for p in fitted.parameters])
    return Form(circuit, fitted, tuple(arcs), places, positive)


def _write_node(
    node: Node, circuit: Circuit, out: list[str], arcs: list[Arc], places: NDArray[np.int64]
) -> None:
    """Write the fitted form of a node; each element is numbered by its first parameter index."""
    pair = _find_arc_pair(node)
    if pair is not None:
        resistor, other = pair
        first = min(resistor.first, other.first)
        exponent = other.name == "CPE"
        size = other.first
        user: tuple[int, ...] = (resistor.first, size, *([size + 1] if exponent else []))
        places[list(user)] = range(first, first + len(user))
        name = circuit.keys[resistor.first][0].removeprefix("R")
        arcs.append(Arc(name, first, user, exponent, by_time=False))
        out.append(f"{'ZARC' if exponent else 'K'}{first}")
    elif node.kind == "element":
        if node.name in _ARCS:
            size = len(ELEMENTS[node.name].parameters)
            user = tuple(range(node.first, node.first + size))
            name = circuit.keys[node.first][0].removeprefix(node.name)
            arcs.append(Arc(name, node.first, user, size > 2, by_time=True))
        if node.name in _LINES:
            user = tuple(range(node.first + 1, node.first + 4))
            name = circuit.keys[node.first][0]
            arcs.append(Arc(name, node.first + 1, user, exponent=True, by_time=node.name != "TLM"))
        out.append(f"{'TLMt' if node.name == 'TLM' else node.name}{node.first}")
    else:
        _write_group(node, circuit, out, arcs, places)


def _write_group(
    node: Node, circuit: Circuit, out: list[str], arcs: list[Arc], places: NDArray[np.int64]
) -> None:
    opening, separator, closing = ("p(", ",", ")") if node.kind == "parallel" else ("", "-", "")
    out.append(opening)
    for number, child in enumerate(node.children):
        if number:
            out.append(separator)
        _write_node(child, circuit, out, arcs, places)
    out.append(closing)


def _find_arc_pair(node: Node) -> tuple[Node, Node] | None:
    """Return resistor and capacitor (or CPE) if a node consists of these two in parallel."""
    if node.kind != "parallel" or len(node.children) != 2:
        return None
    resistors = [child for child in node.children if child.name == "R"]
    others = [child for child in node.children if child.name in {"C", "CPE"}]
    return (resistors[0], others[0]) if resistors and others else None


def theta_from_values(form: Form, values: Floats) -> Floats:
    """Return the fitted form's parameters for the user's values; shape (..., p)."""
    theta = np.empty_like(values)
    theta[..., form.places] = _logarithms(values, _positive_mask(form.circuit))
    for arc in form.arcs:
        if not arc.by_time:
            size = theta[..., arc.first + 1] + theta[..., arc.first]
            n = theta[..., arc.first + 2] if arc.exponent else 1.0
            theta[..., arc.first + 1] = size / n
    return theta


def values_from_theta(form: Form, theta: Floats) -> Floats:
    """Return the user's values for the fitted form's parameters; shape (..., p)."""
    logarithms = theta.copy()
    for arc in form.arcs:
        if not arc.by_time:
            n = theta[..., arc.first + 2] if arc.exponent else 1.0
            logarithms[..., arc.first + 1] = n * theta[..., arc.first + 1] - theta[..., arc.first]
    ordered = logarithms[..., form.places]
    positive = _positive_mask(form.circuit)
    return np.where(positive, np.exp(np.where(positive, ordered, 0.0)), ordered)


def parameter_jacobian(form: Form, theta: Floats) -> Floats:
    """Return derivatives of the user's logarithms and exponents by the fitted ones; (p, p)."""
    slopes = np.eye(len(theta))
    for arc in form.arcs:
        if not arc.by_time:
            row = arc.first + 1
            slopes[row, arc.first] = -1.0
            slopes[row, row] = theta[arc.first + 2] if arc.exponent else 1.0
            if arc.exponent:
                slopes[row, arc.first + 2] = theta[row]
    return slopes[form.places]


def form_values(form: Form, theta: Floats) -> Floats:
    """Return the fitted form's parameters in their units; shape (..., p)."""
    return np.where(form.positive, np.exp(np.where(form.positive, theta, 0.0)), theta)


def parameter_bounds(form: Form, frequency_hertz: Floats) -> tuple[Floats, Floats]:
    """Return the fitted form's bounds, from the elements and the measured window; shape (p,)."""
    omega = 2 * np.pi * frequency_hertz
    low = np.array([p.low for p in form.fitted.parameters])
    high = np.array([p.high for p in form.fitted.parameters])
    for name, first in _elements(form.fitted.root):
        if name in _TIMED:
            place = first + _TIMED[name]
            low[place], high[place] = 1 / _REACH / omega.max(), _REACH / omega.min()
        elif name in _SLOW:
            low[first + 1], high[first + 1] = 0.01 / omega.max(), 300 / omega.min()
    return _logarithms(low, form.positive), _logarithms(high, form.positive)


def _elements(node: Node) -> list[tuple[str, int]]:
    if node.kind == "element":
        return [(node.name, node.first)]
    return [element for child in node.children for element in _elements(child)]


def series_elements(form: Form) -> list[tuple[str, int]] | None:
    """Return elements and first indices if a form has only elements in series, else None."""
    root = form.fitted.root
    if root.kind == "element":
        return [(root.name, root.first)]
    plain = root.kind == "series" and all(child.kind == "element" for child in root.children)
    return _elements(root) if plain else None


def _positive_mask(circuit: Circuit) -> NDArray[np.bool_]:
    return np.array([p.positive for p in circuit.parameters])


def _logarithms(values: Floats, positive: NDArray[np.bool_]) -> Floats:
    return np.where(positive, np.log(np.where(positive, np.maximum(values, 1e-300), 1.0)), values)
