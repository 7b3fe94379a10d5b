"""Start values of a fit from the spectrum itself.

The impedance of elements in series is linear in their amplitudes for fixed shapes (time constants,
exponents). All combinations on a grid of shapes are therefore solved at once (variable projection:
G. H. Golub, V. Pereyra, SIAM J. Numer. Anal. 10, 413 (1973), doi 10.1137/0710036), and the best
ones that are not neighbours are the start values. Any other circuit is searched from a fixed set of
scattered points, of which the best are refined.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cellpipe.numerics.impedance.circuit_forms import Form, parameter_bounds, series_elements
from cellpipe.numerics.impedance.circuits import evaluate_circuit, parse_circuit
from cellpipe.numerics.impedance.elements import ELEMENTS, Complexes, Element, Floats

Ints = NDArray[np.int64]

_BEAM = 128  # combinations extended by one more element
_MANY, _WIDER = 3, 3  # with so many elements that have shapes, so many times more are kept
_SMALLEST = 1e-3  # of the smallest |Z|: least start value of an element
_ALIKE = {"CPE": 4}  # grid steps up to which combinations are neighbours; of other elements one
_CANDIDATES = 800
_SCATTERED = 4000
_ORDER = (
    "R", "L", "C", "W", "La", "CPE", "Wo", "Ws", "G", "Gs", "K", "TLMQ", "TLM", "TLMt", "ZARC",
)  # fmt: skip


@dataclass(frozen=True)
class _Dictionary:
    """Columns to combine; for each kind of element, the shapes and their first column."""

    design: Floats
    values: dict[str, Floats]
    first: dict[str, int]


def start_values(
    form: Form,
    frequency_hertz: Floats,
    impedance_ohm: Complexes,
    weight: Floats,
    number: int,
) -> Floats:
    """Return start values of a circuit, best first.

    Parameters
    ----------
    form
        The circuit, with p parameters.
    frequency_hertz, impedance_ohm
        The spectrum, Hz and ohm (capacitive: negative imaginary part); shape (n,).
    weight
        Weights of the residuals, 1/ohm; shape (n,).
    number
        Largest number of starts.

    Returns
    -------
    Parameters of the fitted form, logarithms where positive; shape (at most number, p).

    """
    elements = series_elements(form)
    if elements is None:
        return _scatter_starts(form, frequency_hertz, impedance_ohm, weight, number)
    names = ["ZARC" if name == "Zarc" else name for name, _ in elements]
    order = sorted(range(len(names)), key=lambda place: _ORDER.index(names[place]))
    kinds = [names[place] for place in order]
    dictionary = _build_dictionary(kinds, frequency_hertz, weight)
    weighted = impedance_ohm * weight
    data = np.concatenate([weighted.real, weighted.imag])
    chosen, amplitudes = _search_combinations(dictionary, kinds, data, number)
    floor = _SMALLEST * float(np.quantile(np.abs(impedance_ohm), 0.1))
    theta = np.empty((len(chosen), len(form.positive)))
    for column, place in enumerate(order):
        name, first = names[place], elements[place][1]
        shapes = dictionary.values[name][chosen[:, column] - dictionary.first[name]]
        values = _scale_shapes(ELEMENTS[name], shapes, np.maximum(amplitudes[:, column], floor))
        theta[:, first : first + values.shape[1]] = values
    positive = form.positive
    return np.where(positive, np.log(np.where(positive, theta, 1.0)), theta)


def added_starts(
    form: Form, theta: Floats, place: int, frequency_hertz: Floats, impedance_ohm: Complexes,
    weight: Floats, number: int,
) -> Floats:  # fmt: skip
    """Return start values of a circuit from the fit of the circuit without one of its elements.

    Parameters
    ----------
    form
        The circuit, of elements in series, with p parameters.
    theta
        The fitted form's parameters of the circuit without the element.
    place
        Place of this element among those of the circuit.
    frequency_hertz, impedance_ohm, weight
        As for :func:`start_values`.
    number
        Number of starts with the element; its shapes are tried in turn, all amplitudes are fitted.

    Returns
    -------
    Parameters of the fitted form, shape (at most number + 1, p). The last start is the smaller
    circuit itself, with the element at its least impedance: a larger circuit ends no worse.

    """
    elements = series_elements(form) or []
    name, first = elements[place]
    element = ELEMENTS[name]
    size = len(element.parameters)
    whole = np.concatenate([theta[:first], np.zeros(size), theta[first:]])
    values = np.where(form.positive, np.exp(np.where(form.positive, whole, 0.0)), whole)
    omega = 2 * np.pi * frequency_hertz
    jw = np.asarray(1j * omega, np.complex128)
    others = [e for number, e in enumerate(elements) if number != place]
    columns = [
        ELEMENTS[n].evaluate(jw, values[f : f + len(ELEMENTS[n].parameters)])[0] for n, f in others
    ]
    shapes = element.shapes(1 / omega.max(), 1 / omega.min())
    weighted = np.concatenate([np.array(columns), element.evaluate(jw, shapes)[0]]) * weight
    design = np.concatenate([weighted.real, weighted.imag], axis=1)
    scale = np.sqrt(np.einsum("kn,kn->k", design, design))
    unit = design / scale[:, None]
    target = np.concatenate([(impedance_ohm * weight).real, (impedance_ohm * weight).imag])
    count = len(others)
    amplitudes, misfit = _extend_combinations(
        unit @ unit.T, unit @ target, float(target @ target), np.arange(count)[None],
        count + np.arange(len(shapes)), penalised=False,
    )  # fmt: skip
    order = np.argsort(misfit[0])
    best = order[_select_distinct(order[:, None], np.array([4]), number)]
    theta = np.repeat(whole[None], len(best) + 1, axis=0)
    floor = _SMALLEST * float(np.min(np.abs(impedance_ohm)))
    for row, column in enumerate(best):
        share = np.clip(amplitudes[0, :count, column] / scale[:count], 0.1, 10.0)
        for (n, f), factor in zip(others, share, strict=True):
            scaling = np.array([p.scaling for p in ELEMENTS[n].parameters])
            theta[row, f : f + len(scaling)] += scaling * np.log(factor)
        amplitude = max(float(amplitudes[0, count, column] / scale[count + column]), floor)
        new = _scale_shapes(element, shapes[[column]], np.array([amplitude]))[0]
        theta[row, first : first + size] = new
    negligible = 1e-6 * floor
    theta[-1, first : first + size] = _scale_shapes(
        element, shapes[[best[0]]], np.array([negligible])
    )[0]
    inside = slice(first, first + size)
    positive = form.positive[inside]
    theta[:, inside] = np.where(
        positive, np.log(np.where(positive, theta[:, inside], 1.0)), theta[:, inside]
    )
    return theta


def _scale_shapes(element: Element, shapes: Floats, amplitude: Floats) -> Floats:
    scaling = np.array([p.scaling for p in element.parameters])
    return np.asarray(shapes * amplitude[:, None] ** scaling, np.float64)


def _build_dictionary(kinds: list[str], frequency: Floats, weight: Floats) -> _Dictionary:
    omega = 2 * np.pi * frequency
    shortest, longest = 1 / omega.max(), 1 / omega.min()
    columns, values, first = [], {}, {}
    place = 0
    for kind in dict.fromkeys(kinds):
        element = ELEMENTS[kind]
        values[kind], first[kind] = element.shapes(shortest, longest), place
        place += len(values[kind])
        columns.append(
            element.evaluate(np.asarray(1j * omega, np.complex128), values[kind])[0] * weight
        )
    weighted = np.concatenate(columns)
    return _Dictionary(np.concatenate([weighted.real, weighted.imag], axis=1), values, first)


def _search_combinations(
    dictionary: _Dictionary, kinds: list[str], data: Floats, number: int
) -> tuple[Ints, Floats]:
    """Extend the best combinations element by element; return the best distinct ones."""
    scale = np.sqrt(np.einsum("kn,kn->k", dictionary.design, dictionary.design))
    unit = dictionary.design / scale[:, None]
    gram, right, total = unit @ unit.T, unit @ data, float(data @ data)
    shaped = sum(len(dictionary.values[kind]) > 1 for kind in kinds)
    beam = _BEAM * (_WIDER if shaped >= _MANY else 1)
    chosen = np.zeros((1, 0), np.int64)
    amplitudes = np.zeros((1, 0))
    for step, kind in enumerate(kinds):
        shapes = dictionary.first[kind] + np.arange(len(dictionary.values[kind]))
        last = step == len(kinds) - 1
        tried, misfit = _extend_combinations(gram, right, total, chosen, shapes, penalised=last)
        if step and kinds[step - 1] == kind and len(shapes) > 1:
            misfit[chosen[:, -1:] >= shapes] = np.inf  # elements of one kind are in grid order
        order = _least(misfit.ravel(), _CANDIDATES if last else beam)
        row, column = np.unravel_index(order, misfit.shape)
        chosen = np.concatenate([chosen[row], shapes[column, None]], axis=1)
        amplitudes = tried[row, :, column]
    distinct = _select_distinct(chosen, np.array([_ALIKE.get(kind, 1) for kind in kinds]), number)
    return chosen[distinct], amplitudes[distinct] / scale[chosen[distinct]]


def _least(misfit: Floats, number: int) -> Ints:
    """Return the indices of the least finite values, least first."""
    among = np.arange(len(misfit))
    if len(misfit) > number:
        among = np.argpartition(misfit, number)[:number]
    order = among[np.argsort(misfit[among], kind="stable")]
    return np.asarray(order[np.isfinite(misfit[order])], np.int64)


def _extend_combinations(
    gram: Floats, right: Floats, total: float, chosen: Ints, more: Ints, *, penalised: bool
) -> tuple[Floats, Floats]:
    """Return amplitudes (b, k + 1, c) and misfits (b, c) of combinations with one more column.

    The normal equations are solved by the Schur complement of the added column; negative amplitudes
    are penalised.
    """
    size = chosen.shape[1]
    inner = gram[chosen[:, :, None], chosen[:, None, :]] + 1e-10 * np.eye(size)
    across = gram[chosen[:, :, None], more]
    sides = np.concatenate([right[chosen][:, :, None], across], axis=2)
    solved = np.linalg.solve(inner, sides)
    before, share = solved[:, :, :1], solved[:, :, 1:]
    left = 1 + 1e-10 - np.sum(across * share, axis=1)
    added = (right[more] - np.sum(across * before, axis=1)) / left
    amplitudes = np.concatenate([before - share * added[:, None], added[:, None]], axis=1)
    explained = np.sum(right[chosen][:, :, None] * before, axis=1) + left * added**2
    negative = np.minimum(amplitudes, 0)
    penalty = 5 * np.sum(negative**2, axis=1) + (0.02 * total if penalised else 0.0)
    misfit = np.maximum(total - explained, 0) + np.where(negative.any(axis=1), penalty, 0)
    return amplitudes, misfit


def _select_distinct(subsets: Ints, alike: Ints, number: int) -> list[int]:
    """Return the best subsets that are not grid neighbours of a better one."""
    chosen: list[int] = []
    remaining = np.arange(len(subsets))
    while len(remaining) and len(chosen) < number:
        chosen.append(int(remaining[0]))
        remaining = remaining[
            (np.abs(subsets[remaining] - subsets[remaining[0]]) > alike).any(axis=1)
        ]
    return chosen


def _scatter_starts(
    form: Form, frequency: Floats, impedance_ohm: Complexes, weight: Floats, number: int
) -> Floats:
    """Return the best of random parameters within the range of the spectrum."""
    rng = np.random.default_rng(20)  # fixed seed, for reproducible fits
    omega = 2 * np.pi * frequency
    size = np.median(np.abs(impedance_ohm))
    low, high = parameter_bounds(form, frequency)
    theta = np.empty((_SCATTERED, len(low)))
    for place, parameter in enumerate(form.fitted.parameters):
        draw = rng.uniform(size=_SCATTERED)
        if not parameter.positive:
            theta[:, place] = 0.5 + 0.5 * draw
        elif parameter.scaling == 0:
            inside = np.log([0.3 / omega.max(), 3 / omega.min()])
            theta[:, place] = inside[0] + draw * (inside[1] - inside[0])
        else:
            theta[:, place] = parameter.scaling * np.log(size * 10 ** (3 * draw - 2))
    _set_time_constants(form, theta, omega, rng)
    theta = np.clip(theta, low, high)
    values = np.where(form.positive, np.exp(np.where(form.positive, theta, 0.0)), theta)
    model, _ = evaluate_circuit(parse_circuit(form.fitted.text), frequency, values)
    misfit = np.sum(np.abs((model - impedance_ohm) * weight) ** 2, axis=1)
    best = np.argsort(np.where(np.isfinite(misfit), misfit, np.inf))
    return np.asarray(theta[best[:number]], np.float64)


def _set_time_constants(form: Form, theta: Floats, omega: Floats, rng: np.random.Generator) -> None:
    """Set time constants of capacitors, CPEs, inductors and Warburgs within the window."""
    for place, parameter in enumerate(form.fitted.parameters):
        draw = rng.uniform(np.log(0.3 / omega.max()), np.log(3 / omega.min()), len(theta))
        if parameter.name == "C":
            theta[:, place] += draw
        elif parameter.name == "Q":
            theta[:, place] += draw * theta[:, place + 1]
        elif parameter.name in {"L", "sigma"}:
            theta[:, place] += draw * (1.0 if parameter.name == "L" else -0.5)
