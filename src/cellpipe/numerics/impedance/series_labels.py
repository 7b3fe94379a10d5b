"""Matching of arcs between the spectra of a series: separate fits, then hypotheses.

Separate fits yield arcs in any order, and no rule for the order is right for every cell. Several
are therefore tried: by time constant, by capacitance, and the order in which neighbouring spectra
differ least (a shortest path: R. Bellman, Quart. Appl. Math. 16, 87 (1958), doi
10.1090/qam/102435), each with constant capacitances; and capacitances that change linearly from
those of the first third of the spectra to those of the last, in every order. Each hypothesis is
fitted jointly to some of the spectra; the one with the best evidence is fitted to all.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations, product

import numpy as np
from numpy.typing import NDArray

from cellpipe.numerics.impedance.circuit_fit import Spectrum, fit_circuit, weighted_residuals
from cellpipe.numerics.impedance.circuit_forms import Arc, Form, parameter_bounds
from cellpipe.numerics.impedance.circuit_series import JointFit, fit_joint, transform_matrix
from cellpipe.numerics.impedance.elements import Floats
from cellpipe.numerics.impedance.least_squares import minimise

_SEARCHED = 5  # spectra with a full search of start values
_FAR = 8.0
_DISTINCT = 0.03  # of a logarithm; closer lines count as the same
_NEAR = 0.003  # standard deviation about the line, on the scale of weighted residuals
_COARSE = 16  # spectra used to compare the hypotheses
_COARSE_ROUNDS, _FINE_ROUNDS = 5, 4


def fit_individually(form: Form, spectra: Spectrum) -> tuple[Floats, Floats]:
    """Fit every spectrum separately; return the fitted form's parameters (n, p) and costs (n,)."""
    count = len(spectra.impedance)
    places = np.unique(np.linspace(0, count - 1, _SEARCHED).round().astype(int))
    optima = np.array([_fit_single(form, spectra, place) for place in places])
    starts = np.tile(optima, (count, 1))
    groups = np.repeat(np.arange(count), len(optima))

    def model(theta: Floats, rows: np.ndarray) -> tuple[Floats, Floats]:
        return weighted_residuals(form, select_spectra(spectra, groups[rows]), theta)

    low, high = parameter_bounds(form, spectra.frequency)
    theta, cost = minimise(model, starts, low, high, groups=groups)
    cost = cost.reshape(count, len(optima))
    best = np.argmin(cost, axis=1)
    rows = np.arange(count)
    return theta.reshape(count, len(optima), -1)[rows, best], cost[rows, best]


def select_spectra(spectra: Spectrum, rows: np.ndarray | int) -> Spectrum:
    """Return selected spectra of a series."""
    return Spectrum(spectra.frequency[rows], spectra.impedance[rows], spectra.weight[rows])


def _fit_single(form: Form, spectra: Spectrum, place: int) -> Floats:
    present = spectra.weight[place] > 0
    part = select_spectra(spectra, place)
    fit = fit_circuit(
        form.circuit.text,
        part.frequency[present],
        part.impedance[present],
        weight=part.weight[present],
    )
    return fit.theta


def hypotheses(form: Form, spectra: Spectrum, theta: Floats) -> list[Floats]:
    """Return start values of the series, one for each possible matching of its arcs.

    ``theta`` holds the separate fits, (n, p). In each start, capacitance and exponent of every arc
    are constant or linear from the first third of the spectra to the last, and the resistances are
    fitted accordingly.
    """
    places = _capacitance_places(form)
    if not places:
        return [theta]
    groups = exchangeable_arcs(form)
    information = _information(form, spectra, theta)
    orders = [
        sort_arcs_by_key(form, groups, theta, 0),
        sort_arcs_by_key(form, groups, theta, 1),
        _sort_by_path(form, theta),
    ]
    lines = [_constant_line(form, ordered) for ordered in orders]
    first, last = _third_means(form, orders[0], information)
    lines += [
        _straight_line(first, swapped, len(theta)) for swapped in _arc_permutations(groups, last)
    ]
    distinct: list[Floats] = []
    for line in lines:
        if all(np.abs((line - other)[:, places]).max() > _DISTINCT for other in distinct):
            distinct.append(line)
    return [_fit_resistances(form, spectra, orders[0], line) for line in distinct]


def exchangeable_arcs(form: Form) -> list[list[Arc]]:
    """Return groups of series arcs of the same kind, which could therefore swap."""
    tops = {child.first for child in form.fitted.root.children if child.kind == "element"}
    groups = [
        [a for a in form.arcs if a.exponent == kind and a.first in tops] for kind in (True, False)
    ]
    return [group for group in groups if len(group) > 1]


def sort_arcs_by_key(form: Form, groups: list[list[Arc]], theta: Floats, key: int) -> Floats:
    """Return theta with the arcs of every spectrum by time constant (key 0) or capacitance (1)."""
    out = theta.copy()
    work = theta @ np.linalg.inv(transform_matrix(form)).T
    for group in groups:
        size = 3 if group[0].exponent else 2
        values = (work if key else theta)[:, [a.first + 1 for a in group]]
        ranks = np.argsort(values, axis=1)
        blocks = np.stack([theta[:, a.first : a.first + size] for a in group], axis=1)
        ordered = np.take_along_axis(blocks, ranks[:, :, None], axis=1)
        for place, arc in enumerate(group):
            out[:, arc.first : arc.first + size] = ordered[:, place]
    return out


def _sort_by_path(form: Form, theta: Floats) -> Floats:
    """Return theta with the arcs ordered for least change of ln R, ln C, n between spectra."""
    sorted_theta = theta.copy()
    to_work = np.linalg.inv(transform_matrix(form)).T
    for group in exchangeable_arcs(form):
        size = 3 if group[0].exponent else 2
        weights = np.array([0.5, 2.0, 2.0][:size])
        work = sorted_theta @ to_work
        blocks = np.stack([work[:, a.first : a.first + size] for a in group], axis=1)
        moves = [list(p) for p in permutations(range(len(group)))]
        choice = _shortest_path(blocks, moves, weights)
        plain = np.stack([sorted_theta[:, a.first : a.first + size] for a in group], axis=1)
        for place, arc in enumerate(group):
            picked = np.array([moves[c][place] for c in choice])
            sorted_theta[:, arc.first : arc.first + size] = plain[
                np.arange(len(sorted_theta)), picked
            ]
    return sorted_theta


def _shortest_path(blocks: Floats, moves: list[list[int]], weights: Floats) -> list[int]:
    variants = np.stack([blocks[:, move] for move in moves], axis=1)
    total = np.zeros(len(moves))
    back = np.zeros((len(blocks), len(moves)), int)
    for i in range(1, len(blocks)):
        steps = variants[i][:, None] - variants[i - 1][None, :]
        length = np.minimum(np.sum(weights * steps**2, axis=(2, 3)), _FAR)
        lengths = length + total
        back[i] = np.argmin(lengths, axis=1)
        total = lengths.min(axis=1)
    choice = [int(np.argmin(total))]
    for i in range(len(blocks) - 1, 0, -1):
        choice.append(int(back[i][choice[-1]]))
    return choice[::-1]


def _capacitance_places(form: Form) -> list[int]:
    """Return the indices of capacitances and exponents."""
    return [
        place
        for arc in form.arcs
        for place in range(arc.first + 1, arc.first + (3 if arc.exponent else 2))
    ]


def _information(form: Form, spectra: Spectrum, theta: Floats) -> Floats:
    """Return the inverse variance of each parameter from each spectrum; shape (n, p)."""
    _, slopes = weighted_residuals(form, spectra, theta)
    slopes = np.einsum("qp,nqm->npm", transform_matrix(form), slopes)
    normal = slopes @ slopes.transpose(0, 2, 1)
    scale = np.sqrt(np.maximum(np.einsum("npp->np", normal), 1e-300))
    inverse = np.linalg.pinv(normal / (scale[:, :, None] * scale[:, None, :]), rcond=1e-13)
    return np.asarray(scale**2 / np.maximum(np.einsum("npp->np", inverse), 1e-6))


def _weighted_mean(work: Floats, information: Floats) -> Floats:
    """Return means over spectra weighted by inverse variance, none by more than a third; (p,)."""
    share = np.minimum(information, np.sum(information, axis=0) / 3)
    return np.asarray(np.sum(share * work, axis=0) / np.maximum(np.sum(share, axis=0), 1e-300))


def _constant_line(form: Form, theta: Floats) -> Floats:
    work = theta @ np.linalg.inv(transform_matrix(form)).T
    places = _capacitance_places(form)
    work[:, places] = np.median(work[:, places], axis=0)
    return np.asarray(work)


def _third_means(form: Form, theta: Floats, information: Floats) -> tuple[Floats, Floats]:
    work = theta @ np.linalg.inv(transform_matrix(form)).T
    third = max(1, len(work) // 3)
    return _weighted_mean(work[:third], information[:third]), _weighted_mean(
        work[-third:], information[-third:]
    )


def _arc_permutations(groups: list[list[Arc]], last: Floats) -> list[Floats]:
    """Return the parameters of the last third with the arcs in every order."""
    orders = [last]
    for group in groups:
        size = 3 if group[0].exponent else 2
        blocks = [last[a.first : a.first + size] for a in group]
        longer = []
        for base in orders:
            for move in permutations(range(len(group))):
                ordered = base.copy()
                for arc, place in zip(group, move, strict=True):
                    ordered[arc.first : arc.first + size] = blocks[place]
                longer.append(ordered)
        orders = longer
    return orders


def _straight_line(first: Floats, last: Floats, count: int) -> Floats:
    share = np.linspace(0, 1, count)[:, None]
    return np.asarray((1 - share) * first + share * last)


def _fit_resistances(form: Form, spectra: Spectrum, theta: Floats, line: Floats) -> Floats:
    """Return fits of every spectrum with capacitances and exponents close to a line; (n, p)."""
    to_theta = transform_matrix(form)
    to_work = np.linalg.inv(to_theta)
    places = _capacitance_places(form)
    others = [p for p in range(theta.shape[1]) if p not in places]
    arcs = [arc.first for arc in form.arcs]
    shares = _resistance_shares(len(arcs))
    work = theta @ to_work.T
    total = np.log(np.sum(np.exp(work[:, arcs]), axis=1))
    starts = np.repeat(line, len(shares), axis=0)
    starts[:, others] = np.repeat(work[:, others], len(shares), axis=0)
    starts[:, arcs] = np.repeat(total, len(shares))[:, None] + np.tile(
        np.log(shares), (len(line), 1)
    )
    groups = np.repeat(np.arange(len(line)), len(shares))
    targets = line[groups][:, places]
    constraint = to_work[places] / _NEAR

    def model(trial: Floats, rows: np.ndarray) -> tuple[Floats, Floats]:
        residuals, slopes = weighted_residuals(form, select_spectra(spectra, groups[rows]), trial)
        deviations = (trial @ to_work.T)[:, places] - targets[rows]
        constraint_slopes = np.broadcast_to(constraint.T, (len(rows), *constraint.T.shape))
        return (
            np.concatenate([residuals, deviations / _NEAR], axis=1),
            np.concatenate([slopes, constraint_slopes], axis=2),
        )

    low, high = parameter_bounds(form, spectra.frequency)
    fitted, cost = minimise(model, starts @ to_theta.T, low, high, groups=groups, iterations=30)
    best = np.argmin(cost.reshape(len(line), -1), axis=1)
    return np.asarray(fitted.reshape(len(line), len(shares), -1)[np.arange(len(line)), best])


def _resistance_shares(arcs: int) -> Floats:
    """Return possible shares of the resistance among arcs; each row sums to one."""
    if arcs < 2:
        return np.ones((1, max(arcs, 1)))[:, :arcs]
    parts = np.array(list(product((0.15, 0.5, 0.85), repeat=arcs)))
    return np.unique((parts / parts.sum(axis=1, keepdims=True)).round(6), axis=0)


def fit_series(form: Form, spectra: Spectrum, gaps: Floats, theta: Floats) -> JointFit:
    """Fit a series jointly: every hypothesis to some spectra, the best one to all.

    Parameters
    ----------
    form, spectra, gaps
        As for :func:`cellpipe.numerics.impedance.circuit_series.fit_joint`.
    theta
        Separate fits from :func:`fit_individually`; shape (n, p).

    """
    count = len(theta)
    sampled = np.unique(np.linspace(0, count - 1, _COARSE).round().astype(int))
    place = np.concatenate([[0.0], np.cumsum(gaps)])
    part, intervals = select_spectra(spectra, sampled), np.diff(place[sampled])
    coarse = [
        fit_joint(form, part, start, intervals, rounds=_COARSE_ROUNDS)
        for start in hypotheses(form, part, theta[sampled])
    ]
    best = min(coarse, key=lambda fit: fit.evidence)
    to_work = np.linalg.inv(transform_matrix(form))
    work = best.theta @ to_work.T
    fine = np.stack([np.interp(place, place[sampled], column) for column in work.T], axis=1)
    return fit_joint(
        form, spectra, fine @ transform_matrix(form).T, gaps, rounds=_FINE_ROUNDS, walk=best.walk
    )


def sort_by_capacitance(form: Form, joint: JointFit) -> JointFit:
    """Return the series with its arcs ordered by median capacitance, which stays constant."""
    order = np.arange(joint.theta.shape[1])
    for group in exchangeable_arcs(form):
        size = 3 if group[0].exponent else 2
        medians = [np.median(joint.theta[:, a.first + 1] - joint.theta[:, a.first]) for a in group]
        for arc, rank in zip(group, np.argsort(medians), strict=True):
            source = group[int(rank)].first
            order[arc.first : arc.first + size] = range(source, source + size)
    return replace(
        joint,
        theta=joint.theta[:, order],
        spread=joint.spread[:, order[:, None], order],
        walk=joint.walk[order],
    )


def select_rows(joint: JointFit, rows: NDArray[np.int64]) -> JointFit:
    """Return the part of a joint fit that is about some of its spectra."""
    free = None if joint.free is None else (joint.free[0][rows], joint.free[1][rows])
    return replace(
        joint, theta=joint.theta[rows], spread=joint.spread[rows], cost=joint.cost[rows], free=free
    )
