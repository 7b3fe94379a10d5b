"""Contact loss, a growing film, or leads: what changed between two spectra of one interface.

An area that is lost scales every arc of the interface: R times a factor, C divided by it. A film
that thickens does the same to its own arc only, while the double layer of the charge transfer
stays. Both leave the time constant RC of an arc as it was. So a single arc can't tell them apart,
and two can. A resistance in series that changes alone is separator or leads. Whatever else happens
(a capacitance that stays while its resistance rises, a time constant that changes) is none of
these.

Each explanation predicts the changes of ln R and ln τ of all arcs and of ln R in series but for one
or two amounts, which are summed over. Their odds are the probabilities of the measured changes
(R. E. Kass, A. E. Raftery, J. Am. Stat. Assoc. 90, 773 (1995), doi
10.1080/01621459.1995.10476572), every explanation being as likely before, within the errors of the
fits and a tolerance, for no cell follows a model by the letter.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from cellpipe.numerics.impedance.elements import Floats

UNCHANGED, CONTACT, FILM, BOTH, LEADS, OTHER = (
    "unchanged", "contact", "film", "contact and film", "leads", "none of these",
)  # fmt: skip
EXPLANATIONS = (UNCHANGED, CONTACT, FILM, BOTH, LEADS, OTHER)
CERTAIN = 0.9
_AMOUNT = 0.7  # standard deviation of ln of a factor, before it is measured
_GRID = 81
_TOLERANCE, _OF_CHANGE = 0.02, 0.05
_OF_SERIES = 0.03  # of ln R in series, which a clip changes
_SMALLEST_OF_BOTH = 0.1  # ln of a factor: less of one of two explanations is none


@dataclass(frozen=True)
class ArcState:
    """Arcs of an interface and the series resistance in one spectrum, with their errors.

    ``value``: ln R and ln τ of each of k arcs in turn, then ln R in series; shape (2k + 1,).
    ``spread``: the covariance of these, (2k + 1, 2k + 1).
    """

    value: Floats
    spread: Floats


@dataclass(frozen=True)
class InterfaceChange:
    """Odds of each explanation, which sum to 1, and what changed.

    ``resistance_ratios`` and ``capacitance_ratios`` of each arc, last over first; ``area_ratio``
    and its standard error are those of a contact that was lost or gained, ``film_arc`` is the place
    of the arc whose film changed, if one did.
    """

    odds: dict[str, float]
    resistance_ratios: tuple[float, ...]
    capacitance_ratios: tuple[float, ...]
    series_ratio: float
    area_ratio: float
    area_ratio_error: float
    film_arc: int

    @property
    def verdict(self) -> str | None:
        """The explanation with odds of 0.9 or more; None if it can't be told."""
        likely = max(self.odds, key=lambda name: self.odds[name])
        return likely if self.odds[likely] >= CERTAIN else None


def explain_change(
    first: Sequence[ArcState], last: Sequence[ArcState], transfers: Sequence[bool]
) -> InterfaceChange:
    """Return the odds of what changed an interface from its first spectra to its last.

    Parameters
    ----------
    first, last
        One spectrum or a few at the beginning and at the end, with the same k arcs, at least one.
    transfers
        Whether each arc is a charge transfer, not an interphase; length k. If it is the only one to
        change, an area of its own may be lost as well as a film grow.

    """
    change = np.mean([s.value for s in last], axis=0) - np.mean([s.value for s in first], axis=0)
    spread = np.mean([s.spread for s in last], axis=0) + np.mean([s.spread for s in first], axis=0)
    arcs = (len(change) - 1) // 2
    size = float(np.abs(change[:-1:2]).max())
    tolerance = _TOLERANCE**2 + (_OF_CHANGE * size) ** 2
    spread = spread + np.diag([*[_TOLERANCE**2] * (len(change) - 1), _OF_SERIES**2])
    patterns = _patterns(arcs, transfers)
    log_odds: dict[str, list[float]] = {name: [] for name in EXPLANATIONS}
    best_film = (-math.inf, 0)
    best_contact = (-math.inf, np.ones(arcs))
    for name, weight, rows, film in patterns:
        evidence = math.log(weight) + _evidence(change, spread, rows, tolerance, name)
        log_odds[name].append(evidence)
        if name in {FILM, BOTH} and evidence > best_film[0]:
            best_film = evidence, film
        if name == CONTACT and evidence > best_contact[0]:
            best_contact = evidence, rows[0]
    whole = {name: float(np.logaddexp.reduce(values)) for name, values in log_odds.items()}
    if arcs == 1:  # the same prediction: neither must profit by how its amounts are weighed
        shared = np.logaddexp.reduce([whole[CONTACT], whole[FILM], whole[BOTH]])
        whole |= {CONTACT: shared - math.log(2.5), FILM: shared - math.log(2.5),
                  BOTH: shared - math.log(5)}  # fmt: skip
    total = float(np.logaddexp.reduce(list(whole.values())))
    odds = {name: math.exp(value - total) for name, value in whole.items()}
    is_both = odds[BOTH] > odds[CONTACT] and arcs > 1
    scaled = np.arange(arcs) != best_film[1] if is_both else best_contact[1] > 0
    area, area_error = _lost_area(change, spread, np.flatnonzero(scaled))
    capacitance = change[1:-1:2] - change[:-1:2]
    return InterfaceChange(
        odds, tuple(np.exp(change[:-1:2]).tolist()), tuple(np.exp(capacitance).tolist()),
        math.exp(change[-1]), area, area_error, best_film[1],
    )  # fmt: skip


_Pattern = tuple[str, float, Floats, int]


def _patterns(arcs: int, transfers: Sequence[bool]) -> list[_Pattern]:
    """Return explanation, prior weight, patterns of ln R of the arcs (m, k), and the film's arc."""
    none = np.zeros((0, arcs))
    out: list[_Pattern] = [(UNCHANGED, 1.0, none, 0), (LEADS, 1.0, none, 0)]
    out.append((OTHER, 1.0, np.eye(arcs), 0))
    own = np.eye(arcs)
    groups = [
        group
        for size in range(2, arcs)
        for group in combinations(range(arcs), size)
    ]  # fmt: skip
    out.append((CONTACT, 0.5 if groups else 1.0, np.ones((1, arcs)), 0))
    out += [(CONTACT, 0.5 / len(groups), own[list(g)].sum(axis=0)[None], 0) for g in groups]
    for arc in range(arcs):
        alone = arcs > 1 and transfers[arc] and not all(transfers)
        out.append((FILM, (0.5 if alone else 1.0) / arcs, own[arc][None], arc))
        if alone:
            out.append((CONTACT, 0.5 / arcs, own[arc][None], 0))
        if arcs > 1:
            out.append((BOTH, 0.5 / arcs, np.stack([np.ones(arcs), own[arc]]), arc))
    if arcs == 1:
        out.append((BOTH, 0.5, own, 0))
    return out


def _evidence(
    change: Floats, spread: Floats, rows: Floats, tolerance: float, name: str
) -> float:  # fmt: skip
    """Return the logarithm of a change's probability density, amounts summed over."""
    extra = np.zeros_like(spread)
    places = np.arange(len(change) - 1)
    if name == OTHER:
        extra[places, places] = _AMOUNT**2
    elif len(rows):
        extra[places, places] = tolerance
    fixed = extra.copy()
    fixed[-1, -1] = _AMOUNT**2
    # the series resistance may stay or change with each, but for leads, where it changes alone
    series = {UNCHANGED: (extra,), LEADS: (fixed,)}.get(name, (extra, fixed))
    found = [
        _density(change, spread + each, np.zeros((0, len(change))) if name == OTHER
                 else _on_resistances(rows), both=name == BOTH and len(rows) > 1)
        for each in series
    ]  # fmt: skip
    return float(np.logaddexp.reduce(found)) - math.log(len(series))


def _on_resistances(rows: Floats) -> Floats:
    """Return patterns of ln R as patterns of a whole change; RC stays."""
    whole = np.zeros((len(rows), 2 * rows.shape[1] + 1))
    whole[:, :-1:2] = rows
    return whole


def _density(change: Floats, spread: Floats, patterns: Floats, *, both: bool) -> float:
    """Return the logarithm of the density of a change that is a sum of patterns, and errors."""
    if not both:
        return _normal(change, spread + _AMOUNT**2 * patterns.T @ patterns)
    # two amounts of one sign: contact is lost while a film grows
    steps = np.linspace(_SMALLEST_OF_BOTH, 3 * _AMOUNT, _GRID)
    weight = np.exp(-0.5 * (steps / _AMOUNT) ** 2)
    weight /= weight.sum()
    inverse = np.linalg.inv(spread)
    moved = change - (steps[:, None, None] * patterns[0] + steps[None, :, None] * patterns[1])
    square = np.einsum("abi,ij,abj->ab", moved, inverse, moved)
    whole = np.log(weight)[:, None] + np.log(weight)[None, :] - 0.5 * square
    return float(np.logaddexp.reduce(whole, axis=None)) + _normal(0 * change, spread)


def _normal(change: Floats, spread: Floats) -> float:
    logarithm = float(np.linalg.slogdet(2 * np.pi * spread)[1])
    return -0.5 * (logarithm + float(change @ np.linalg.solve(spread, change)))


def _lost_area(change: Floats, spread: Floats, arcs: NDArray[np.int64]) -> tuple[float, float]:
    """Return the ratio of areas by the arcs that it scales, and its error."""
    places = 2 * arcs
    weight = np.linalg.inv(spread[np.ix_(places, places)]).sum(axis=0)
    ratio = math.exp(-float(weight @ change[places]) / float(weight.sum()))
    return ratio, ratio / math.sqrt(float(weight.sum()))
