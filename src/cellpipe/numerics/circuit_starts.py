"""Start values for R0 – (R‖CPE)… – tail from the spectrum itself, without a guess.

A circuit of this kind is linear in its resistances once the time constants and exponents are
chosen. So all combinations on a grid of them are solved at once (variable projection: G. H. Golub,
V. Pereyra, SIAM J. Numer. Anal. 10, 413 (1973), doi 10.1137/0710036), and the best few that are
not neighbours are where the fit starts.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Complexes = NDArray[np.complex128]
Ints = NDArray[np.int64]

_TIMES = 24  # grid points of the time constant
_EXPONENTS = (0.65, 0.8, 0.95)
_BEAM = 24  # combinations that are tried with one more arc
_TAILS: dict[str, tuple[float, ...]] = {"": (), "W": (0.5,), "CPE": (0.5, 0.65, 0.8, 0.95)}


@dataclass(frozen=True)
class _Column:
    kind: str
    time: float = 0.0
    exponent: float = 0.0


def start_values(
    frequency_hertz: Floats, impedance_ohm: Complexes, arcs: int, tail: str, number: int
) -> Floats:
    """Give start values for ``R0`` – ``arcs`` × (R‖CPE) – ``tail``, best first.

    Parameters
    ----------
    frequency_hertz, impedance_ohm
        The spectrum, Hz and ohm (capacitive: negative imaginary part); shape (n,).
    arcs
        Number of arcs, 1 or 2.
    tail
        ``"CPE"``, ``"W"`` or ``""`` for none.
    number
        How many starts.

    Returns
    -------
    Parameters in the circuit's order (R0; R, Q, n of each arc by rising time constant; Q, n or
    A); shape (at most number, p), the best first.

    """
    omega = 2 * np.pi * frequency_hertz
    columns, matrix = _dictionary(omega, tail)
    weight = 1 / np.abs(impedance_ohm)
    design = np.concatenate([(matrix * weight).real, (matrix * weight).imag], axis=1)
    data = np.concatenate([(impedance_ohm * weight).real, (impedance_ohm * weight).imag])
    subsets = _subsets(columns, design, data, arcs)
    amounts, misfit = _solved(design, data, subsets)
    chosen = _apart(subsets, misfit, columns, number)
    floor = 1e-3 * float(np.median(np.abs(impedance_ohm)))
    return np.array(
        [_parameters(columns, subsets[i], np.maximum(amounts[i], floor), omega) for i in chosen]
    )


def _dictionary(omega: Floats, tail: str) -> tuple[list[_Column], Complexes]:
    times = np.geomspace(0.3 / omega.max(), 3 / omega.min(), _TIMES)
    columns = [_Column("R")]
    shapes: list[Complexes] = [np.ones(len(omega), np.complex128)]
    for exponent in _TAILS[tail]:
        columns.append(_Column(tail, exponent=exponent))
        shapes.append((1j * omega / omega.min()) ** -exponent)
    for time in times:
        for exponent in _EXPONENTS:
            columns.append(_Column("arc", float(time), exponent))
            shapes.append(1 / (1 + (1j * omega * time) ** exponent))
    return columns, np.array(shapes)


def _subsets(columns: list[_Column], design: Floats, data: Floats, arcs: int) -> Ints:
    """Choices of one tail and ``arcs`` arcs beside R0: all single ones, the best extended."""
    tails = [i for i, c in enumerate(columns) if c.kind in _TAILS]
    arc = np.array([i for i, c in enumerate(columns) if c.kind == "arc"])
    beside: list[tuple[int, ...]] = [(0, tail) for tail in tails] or [(0,)]
    width = len(beside[0])
    chosen = np.array([(*base, a) for base in beside for a in arc])
    for _ in range(arcs - 1):
        _, misfit = _solved(design, data, chosen)
        best = chosen[np.argsort(misfit)[:_BEAM]]
        longer = np.concatenate([np.repeat(best, len(arc), 0), np.tile(arc, len(best))[:, None]], 1)
        place = (longer[:, width:] - arc[0]) // len(_EXPONENTS)
        apart = (place[:, :-1] != place[:, -1:]).all(axis=1)
        chosen = longer[apart]
    return chosen


def _solved(design: Floats, data: Floats, subsets: Ints) -> tuple[Floats, Floats]:
    """Solve every subset's normal equations; negative amounts are punished."""
    scale = np.sqrt(np.sum(design**2, axis=1))
    unit = design / scale[:, None]
    gram, right = unit @ unit.T, unit @ data
    matrices = gram[subsets[:, :, None], subsets[:, None, :]]
    matrices = matrices + 1e-10 * np.eye(subsets.shape[1])
    vectors = right[subsets]
    amounts = np.linalg.solve(matrices, vectors[..., None])[..., 0]
    total = float(data @ data)
    misfit = np.maximum(total - np.sum(vectors * amounts, axis=1), 0)
    negative = np.minimum(amounts, 0)
    misfit += np.where((amounts < 0).any(axis=1), 5 * (negative**2).sum(axis=1) + 0.02 * total, 0)
    return amounts / scale[subsets], misfit


def _apart(subsets: Ints, misfit: Floats, columns: list[_Column], number: int) -> list[int]:
    """Choose the best subsets whose time constants are not neighbours of a better one's."""
    step = np.array([np.log(c.time) if c.time else 0.0 for c in columns])
    apart = 1.5 * float(np.diff(np.unique(step[step != 0])).min())
    times = np.sort(np.where(step[subsets] == 0, -np.inf, step[subsets]), axis=1)
    times[~np.isfinite(times)] = 0.0
    chosen: list[int] = []
    for i in np.argsort(misfit)[:400]:
        if all(np.abs(times[i] - times[j]).max() > apart for j in chosen):
            chosen.append(int(i))
        if len(chosen) == number:
            break
    return chosen


def _parameters(
    columns: list[_Column], subset: Ints, amounts: Floats, omega: Floats
) -> list[float]:
    values = [float(amounts[0])]
    arcs = sorted(
        (columns[i].time, columns[i].exponent, amount)
        for i, amount in zip(subset, amounts, strict=True)
        if columns[i].kind == "arc"
    )
    for time, exponent, resistance in arcs:
        values += [float(resistance), float(time**exponent / resistance), exponent]
    tail = columns[subset[1]]
    if tail.kind == "arc":
        return values
    if tail.kind == "W":
        return [*values, float(amounts[1] * np.sqrt(omega.min()))]
    return [*values, float(1 / (amounts[1] * omega.min() ** tail.exponent)), tail.exponent]
