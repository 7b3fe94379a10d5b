"""Fits in a few lines of text: values with ± and units, and no arrays."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from cellpipe.numerics.impedance.circuit_fit import CircuitFit


class Fitted(Protocol):
    """What is told of a fitted spectrum; see :class:`cellpipe.ImpedanceFit`."""

    @property
    def circuit(self) -> str: ...  # noqa: D102
    @property
    def names(self) -> list[str]: ...  # noqa: D102
    @property
    def units(self) -> dict[str, str]: ...  # noqa: D102
    @property
    def values(self) -> dict[str, float]: ...  # noqa: D102
    @property
    def standard_errors(self) -> dict[str, float]: ...  # noqa: D102
    @property
    def identifiable(self) -> dict[str, bool]: ...  # noqa: D102
    @property
    def relative_residual(self) -> float: ...  # noqa: D102
    @property
    def used(self) -> NDArray[np.bool_]: ...  # noqa: D102
    @property
    def flags(self) -> tuple[str, ...]: ...  # noqa: D102
    @property
    def fit(self) -> CircuitFit: ...  # noqa: D102


_SIGNS = {"ohm": "Ω", "ohm^-1 s^n": "Ω⁻¹ sⁿ", "ohm s^-1/2": "Ω s^-½", "1": ""}


def unit_sign(unit: str) -> str:
    """Return a parameter's unit as it is written after a number; nothing for a bare number."""
    return _SIGNS.get(unit, unit)


def describe_parameter(fit: Fitted, name: str) -> str:
    """Return a parameter's value ± standard error; ``?`` if the data does not determine it."""
    value, error = fit.values[name], fit.standard_errors[name]
    unit = f" {unit_sign(fit.units[name])}".rstrip()
    limits = fit.fit.limits
    if limits is not None and limits.fixed[fit.names.index(name)]:
        return f"{value:.4g}{unit} (fixed)"
    known = "" if fit.identifiable[name] else " ?"
    if not math.isfinite(error):
        bounded = fit.fit.bounded[fit.fit.form.places][fit.names.index(name)]
        return f"{value:.4g}{unit}{' (at its bound)' if bounded else known}"
    return f"{_with_digits_of(value, error)} ± {error:.2g}{unit}{known}"


def _with_digits_of(value: float, error: float) -> str:
    """Return a value with digits down to the second of its error."""
    if not value or not error:
        return f"{value:.4g}"
    digits = math.floor(math.log10(abs(value))) - math.floor(math.log10(error)) + 2
    return f"{value:.{min(max(digits, 2), 7)}g}"


def describe_fit(fit: Fitted) -> str:
    """Return a fit in a few lines: circuit, residual, parameters, and how many warnings."""
    parts = [f"{name} = {describe_parameter(fit, name)}" for name in fit.names]
    used, count = int(np.count_nonzero(fit.used)), len(fit.used)
    of = f"{used} frequencies" if used == count else f"{used} of {count} frequencies"
    lines = [f"ImpedanceFit {fit.circuit}: residual {fit.relative_residual:.2%} of |Z|, {of}"]
    lines += [f"  {', '.join(parts[i : i + 3])}" for i in range(0, len(parts), 3)]
    return "\n".join([*lines, *_count_warnings(len(fit.flags))])


def describe_series(fits: Sequence[Fitted]) -> str:
    """Return a series in a few lines: circuit, residuals, first and last value of each."""
    if not fits:
        return "ImpedanceSeries of no spectra"
    residuals = [fit.relative_residual for fit in fits]
    count = "1 spectrum" if len(fits) == 1 else f"{len(fits)} spectra"
    spread = f"{min(residuals):.2%} to {max(residuals):.2%} of |Z|"
    lines = [f"ImpedanceSeries of {count}, {fits[0].circuit}: residual {spread}"]
    for name in fits[0].names:
        ends = describe_parameter(fits[0], name), describe_parameter(fits[-1], name)
        lines.append(f"  {name} = {ends[0] if len(fits) == 1 else ' … '.join(ends)}")
    return "\n".join([*lines, *_count_warnings(sum(len(fit.flags) for fit in fits))])


def _count_warnings(number: int) -> list[str]:
    if not number:
        return []
    return [f"  {number} warning{'s' if number > 1 else ''}: see .flags"]


def constraint_flags(fit: Fitted) -> list[str]:
    """Return what was prescribed, and where the data asks for more than a bound allows."""
    sentences = []
    limits = fit.fit.limits
    for name, given in ({} if limits is None else limits.constraints).items():
        unit = "" if fit.units[name] == "1" else f" {fit.units[name]}"
        value = f"{fit.values[name]:.4g}{unit}"
        if given.expr is not None:
            sentences.append(f"{name} was tied: {name} = {given.expr}.")
        elif given.value is not None:
            sentences.append(f"{name} was fixed at {value}: it has no error.")
        elif limits is not None and limits.bounded[fit.names.index(name)]:
            sentences.append(f"{name} lies at the bound that was given, {value}.")
    return sentences
