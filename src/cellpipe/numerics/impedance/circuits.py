"""Equivalent circuits as expression trees: impedance and its analytic derivatives, batched.

A circuit is a string in the syntax of impedance.py: elements in series are joined by ``-``, in
parallel by ``p( , )``, at any depth: ``R0-p(R1,CPE1)-p(R2-Wo1,C2)``. Other programs' notations are
read, too (:mod:`circuit_notations`). The elements and their parameters are those of
:mod:`cellpipe.numerics.impedance.elements`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np

from cellpipe.core.errors import CellpipeError
from cellpipe.numerics.impedance.circuit_notations import translate_circuit
from cellpipe.numerics.impedance.elements import ELEMENTS, Complexes, Floats, Parameter


@dataclass(frozen=True)
class Node:
    """A node of the tree: an element with its first parameter index, or a group of nodes."""

    kind: Literal["element", "series", "parallel"]
    name: str = ""
    first: int = 0
    children: tuple[Node, ...] = ()


@dataclass(frozen=True)
class Circuit:
    """A circuit and its parameters, in the order of the string."""

    text: str
    root: Node
    keys: tuple[tuple[str, str], ...]
    parameters: tuple[Parameter, ...]


@cache
def parse_circuit(text: str) -> Circuit:
    """Parse a circuit string.

    Raises
    ------
    CellpipeError
        If an element is unknown or named twice, brackets don't match, or the string can be read
        in two ways.

    """
    text = translate_circuit(text)
    keys: list[tuple[str, str]] = []
    parameters: list[Parameter] = []
    root = _parse_node(re.sub(r"\s", "", text), keys, parameters, text)
    if len(set(keys)) < len(keys):
        raise CellpipeError(
            f"an element twice in {text!r}",
            expected="each with its own number",
            remedy="number them: R1, R2",
        )
    return Circuit(text, root, tuple(keys), tuple(parameters))


def _parse_node(
    text: str, keys: list[tuple[str, str]], parameters: list[Parameter], whole: str
) -> Node:
    series = _split(text, "-")
    if len(series) > 1:
        return Node(
            "series", children=tuple(_parse_node(s, keys, parameters, whole) for s in series)
        )
    if text.startswith("p(") and text.endswith(")"):
        branches = _split(text[2:-1], ",")
        if len(branches) < 2:
            raise CellpipeError(
                f"a p( ) without a comma in the circuit {whole!r}",
                expected="two branches or more, as p(R1,C1)",
                remedy="write a comma between what is in parallel",
            )
        inside = tuple(_parse_node(s, keys, parameters, whole) for s in branches)
        return Node("parallel", children=inside)
    match = re.fullmatch(r"([A-Za-z]+)(\d*)", text)
    if match is None or match[1] not in ELEMENTS:
        raise CellpipeError(
            f"{text!r} in the circuit {whole!r}",
            expected=f"elements {', '.join(ELEMENTS)}, joined by - and p( , )",
            remedy="see docs/conventions.md",
        )
    first = len(keys)
    for parameter in ELEMENTS[match[1]].parameters:
        keys.append((text, parameter.name))
        parameters.append(parameter)
    return Node("element", match[1], first)


def _split(text: str, separator: str) -> list[str]:
    """Split at separators outside brackets."""
    parts, depth = [""], 0
    for character in text:
        depth += (character == "(") - (character == ")")
        if character == separator and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return parts


def evaluate_circuit(
    circuit: Circuit, frequency_hertz: Floats, values: Floats
) -> tuple[Complexes, Complexes]:
    """Return the impedance and its derivatives by the fitted parameters.

    Parameters
    ----------
    circuit
        The circuit, with p parameters.
    frequency_hertz
        Frequencies, Hz; shape (n,), or (b, n) with own frequencies for each of b parameter sets.
    values
        Parameters in their units; shape (..., p).

    Returns
    -------
    Impedance in ohm, shape (..., n), and derivatives, shape (..., p, n): by the logarithm of a
    positive parameter, by the value of any other.

    """
    jw = np.asarray(2j * np.pi * frequency_hertz, np.complex128)
    slopes = np.empty((*values.shape, frequency_hertz.shape[-1]), np.complex128)
    z, _ = _evaluate_node(circuit.root, jw, values, slopes)
    return z, slopes


def _evaluate_node(
    node: Node, jw: Complexes, values: Floats, slopes: Complexes
) -> tuple[Complexes, tuple[int, int]]:
    """Return the impedance of a node and the range of its parameters; fill ``slopes``."""
    if node.kind == "element":
        element = ELEMENTS[node.name]
        last = node.first + len(element.parameters)
        z, derivatives = element.evaluate(jw, values[..., node.first : last])
        for offset, derivative in enumerate(derivatives):
            slopes[..., node.first + offset, :] = derivative
        return z, (node.first, last)
    parts = [_evaluate_node(child, jw, values, slopes) for child in node.children]
    span = (parts[0][1][0], parts[-1][1][1])
    if node.kind == "series":
        total = parts[0][0]
        for z, _ in parts[1:]:
            total = total + z
        return total, span
    total = 1 / np.sum([1 / z for z, _ in parts], axis=0)
    for z, (first, last) in parts:
        slopes[..., first:last, :] *= ((total / z) ** 2)[..., None, :]
    return total, span


def circuit_impedance(
    circuit: str, values: Mapping[tuple[str, str], float], frequency_hertz: Floats
) -> Complexes:
    """Return the impedance of a circuit.

    Parameters
    ----------
    circuit
        The circuit's string.
    values
        Value of each (element, parameter), as in the table ``circuit_fits``.
    frequency_hertz
        Frequencies, Hz; shape (n,).

    Returns
    -------
    Complex impedance, ohm; shape (n,).

    """
    tree = parse_circuit(circuit)
    ordered = np.array([values[key] for key in tree.keys])
    return evaluate_circuit(tree, frequency_hertz, ordered)[0]
