"""The free parameters of a circuit of which some are fixed, bounded or tied.

They are the user's parameters that remain to be fitted: logarithms of positive ones, the exponents
themselves. Everything else follows from them, so that neither a fixed value nor a tie costs a
degree of freedom.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from cellpipe.core.errors import CellpipeError
from cellpipe.numerics.impedance.circuit_forms import (
    Form,
    parameter_jacobian,
    theta_from_values,
    values_from_theta,
)
from cellpipe.numerics.impedance.constraints import Constraints, evaluate_ties, parameter_names
from cellpipe.numerics.impedance.elements import Floats

_STEP = 1e-6  # of a free parameter, for derivatives
_INSIDE = 0.02  # of the width of the bounds, for starts
_AT_BOUND = 1e-5
_WALKS = {"R": 0.05, "R_ct": 0.05, "C": 0.02, "Q": 0.02, "n": 0.005}
_WALK_OTHER = 0.03


@dataclass(frozen=True)
class FreeParameters:
    """A circuit's free parameters under constraints, q of the p parameters of its form."""

    form: Form
    constraints: Constraints

    @cached_property
    def names(self) -> list[str]:
        """Names of all parameters of the circuit, free or not."""
        return parameter_names(self.form.circuit)

    @cached_property
    def places(self) -> NDArray[np.int64]:
        """Places of the free ones among all; shape (q,)."""
        free = [
            place
            for place, name in enumerate(self.names)
            if name not in self.constraints or self.constraints[name].vary
        ]
        return np.array(free, np.int64)

    @cached_property
    def positive(self) -> NDArray[np.bool_]:
        """Which free parameters are logarithms; shape (q,)."""
        return np.array([self.form.circuit.parameters[i].positive for i in self.places], bool)

    @cached_property
    def bounds(self) -> tuple[Floats, Floats]:
        """Lower and upper bounds of the free parameters; shape (q,) each."""
        low, high = np.empty(len(self.places)), np.empty(len(self.places))
        for row, place in enumerate(self.places):
            parameter = self.form.circuit.parameters[place]
            given = self.constraints.get(self.names[place])
            limits = [parameter.low, parameter.high]
            if given is not None:
                limits = [max(limits[0], given.min), min(limits[1], given.max)]
            low[row], high[row] = map(math.log, limits) if parameter.positive else limits
        return low, high

    @cached_property
    def capacitances(self) -> NDArray[np.int64]:
        """Which free parameters are the C or Q of an arc, of which the drift is steady."""
        sizes = {arc.user[1] for arc in self.form.arcs if not arc.by_time}
        return np.flatnonzero([place in sizes for place in self.places])

    @cached_property
    def walk(self) -> Floats:
        """Step sizes of a series of spectra to start from; shape (q,)."""
        named = [self.form.circuit.parameters[place].name for place in self.places]
        steps = [_WALKS.get(name, _WALK_OTHER) for name in named]
        return np.array(steps, np.float64)

    def values(self, work: Floats) -> Floats:
        """Return all parameters in their units, (b, p), of free ones (b, q)."""
        count = len(work)
        by_name = {name: np.ones(count) for name in self.names}
        for name, given in self.constraints.items():
            if given.value is not None:
                by_name[name] = np.full(count, given.value)
        for row, place in enumerate(self.places):
            column = work[:, row]
            by_name[self.names[place]] = np.exp(column) if self.positive[row] else column
        known = evaluate_ties(self.constraints, by_name)
        return np.stack([np.broadcast_to(known[name], (count,)) for name in self.names], axis=1)

    def theta(self, work: Floats) -> Floats:
        """Return the fitted form's parameters, (b, p), of free ones (b, q)."""
        return theta_from_values(self.form, self.values(work))

    def slopes(self, work: Floats) -> Floats:
        """Return the derivatives of the fitted form's parameters; shape (b, q, p)."""
        if not work.shape[1]:
            return np.empty((len(work), 0, len(self.form.positive)))
        columns = [
            (self.theta(work + step) - self.theta(work - step)) / (2 * _STEP)
            for step in _STEP * np.eye(work.shape[1])
        ]
        return np.stack(columns, axis=1)

    def start(self, theta: Floats) -> Floats:
        """Return free parameters, (b, q), inside their bounds, near those of the form, (b, p)."""
        values = values_from_theta(self.form, theta)[:, self.places]
        work = np.where(self.positive, np.log(np.where(self.positive, values, 1.0)), values)
        low, high = self.bounds
        inside = np.minimum(_INSIDE * (high - low), 0.1)
        return np.where(
            (work > low) & (work < high), work, np.clip(work, low + inside, high - inside)
        )

    def check(self, values: Floats) -> None:
        """Refuse a tie that leads to a value which the element can't have; values are (b, p)."""
        for place, (name, parameter) in enumerate(
            zip(self.names, self.form.circuit.parameters, strict=True)
        ):
            column = values[:, place]
            beyond = ~((column >= parameter.low * 0.999999) & (column <= parameter.high * 1.000001))
            if name in self.constraints and beyond.any():
                raise CellpipeError(
                    f"{name} {self.constraints[name]}, which gives {column[beyond][0]:.4g}",
                    expected=f"a value between {parameter.low:g} and {parameter.high:g}",
                    remedy="correct the tie, or bound what it refers to",
                )


@dataclass(frozen=True)
class Limits:
    """What constraints leave of a fit: ``count`` free parameters.

    ``fixed`` marks the user's parameters with a prescribed value, ``bounded`` those at a bound,
    ``determined`` those that the data determine; shape (p,).
    """

    count: int
    constraints: Constraints
    fixed: NDArray[np.bool_]
    bounded: NDArray[np.bool_]
    determined: NDArray[np.bool_]


def at_bound(free: FreeParameters, work: Floats) -> NDArray[np.bool_]:
    """Return which free parameters, (q,), lie at a bound."""
    low, high = free.bounds
    return (work - low < _AT_BOUND) | (high - work < _AT_BOUND)


def find_limits(
    free: FreeParameters, theta: Floats, slopes: Floats, bounded: NDArray[np.bool_],
    known: NDArray[np.bool_],
) -> Limits:  # fmt: skip
    """Return the limits of a fit at the form's theta (p,) with its slopes (q, p).

    ``bounded`` and ``known`` say of the free parameters, (q,), whether they lie at a bound, and
    whether the data determine them.
    """
    depends = np.abs(slopes @ parameter_jacobian(free.form, theta).T) > 1e-7
    free_of = np.asarray(depends.any(axis=0))
    moves = np.asarray((depends & ~bounded[:, None]).any(axis=0))
    unknown = np.asarray((depends & ~known[:, None]).any(axis=0))
    return Limits(
        len(free.places), free.constraints, ~free_of, free_of & ~moves, free_of & ~unknown
    )
