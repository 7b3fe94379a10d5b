"""Distribution of relaxation times of a spectrum, without a circuit model.

Z = R + jωL + 1/(jωC) + ∫ γ(ln τ) / (1 + jωτ) d ln τ, with γ ≥ 0 on a grid of time constants, by
least squares with a penalty on the second difference of γ (A. N. Tikhonov; for spectra: T.
H. Wan, M. Saccoccio, C. Chen, F. Ciucci, Electrochim. Acta 184, 483 (2015), doi
10.1016/j.electacta.2015.09.097). The penalty is the strongest that still describes the spectrum
down to its noise. A CPE or Warburg element appears as a series of peaks at long time constants.

A peak's resistance is the integral between the valleys beside it. Its standard error holds the
noise, by linear propagation on the time constants that are not zero, what the integral changes with
the next weaker penalty, and what is in doubt between neighbours: the tails of two peaks beyond the
valley between them, and small peaks beside a large one, which may be its wings, for a depressed arc
has wings without end. It is never below 5 %. The distribution knows no circuit: a depressed arc is
a broad peak, and one that the penalty broadens is no sign of one.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import nnls

from cellpipe.numerics.impedance.circuit_fit import WORST_ERROR
from cellpipe.numerics.impedance.elements import Complexes, Floats
from cellpipe.numerics.impedance.kramers_kronig import kramers_kronig
from cellpipe.numerics.impedance.processes import CLOSED
from cellpipe.numerics.impedance.spectra import clean_spectrum, modulus

_PER_DECADE = 8
_BEYOND = 3.0  # factor beyond the measured window
_PENALTIES = np.geomspace(1e2, 1e-5, 15)
_ABOVE_NOISE = 1.15
_FEW = 10
_WING = 0.1  # of the peak beside it, below which one's resistance may be that one's
_WING_SLOPE = 0.7  # power of the time constant with which the wings of a depressed arc fall
_TAIL_DECADES = 0.5  # by which the tails of two peaks may reach across the valley between them
_LEAST_ERROR = 0.05  # of a resistance: the grid, and wings that are lost in the noise
_SMALLEST = 0.005  # of all resistance in the distribution, below which a bump is no peak


@dataclass(frozen=True)
class RelaxationPeak:
    """A peak of the distribution: its top's time constant, s, and the resistance below it, ohm.

    ``resistance_error`` is a standard error. ``stands_alone``: the peak closes within the measured
    window, the distribution falls to less than half of its top on both sides, the error is below
    35 % of the resistance, and the peak is larger than the wings of any other can be there.
    """

    time_constant: float
    resistance: float
    resistance_error: float
    stands_alone: bool

    @property
    def frequency(self) -> float:
        """Frequency of the top, Hz: 1 / (2πτ)."""
        return float(1 / (2 * np.pi * self.time_constant))

    @property
    def capacitance(self) -> float:
        """Capacitance τ / R of the peak, F."""
        return self.time_constant / self.resistance


@dataclass(frozen=True, eq=False, repr=False)
class RelaxationTimes:
    """Distribution γ, ohm per unit of ln τ, at ``time_constant_second``; shape (m,).

    ``residual`` is the root mean square of ``|residual| / |Z|``; ``peaks`` go by rising time
    constant.
    """

    time_constant_second: Floats
    distribution: Floats
    residual: float
    peaks: tuple[RelaxationPeak, ...] = ()

    def __repr__(self) -> str:
        """Return the residual and the peaks with their resistances."""
        lines = [f"RelaxationTimes: residual {self.residual:.2%} of |Z|, {len(self.peaks)} peaks"]
        lines += [
            f"  {peak.time_constant:.3g} s ({peak.frequency:.3g} Hz): {peak.resistance:.4g} ± "
            f"{peak.resistance_error:.2g} Ω, {peak.capacitance:.3g} F"
            + ("" if peak.stands_alone else " ?")
            for peak in self.peaks
        ]
        return "\n".join(lines)


def relaxation_times(
    frequency_hertz: ArrayLike, impedance_ohm: ArrayLike
) -> RelaxationTimes | None:
    """Return the distribution of relaxation times of a spectrum.

    Parameters
    ----------
    frequency_hertz, impedance_ohm
        The spectrum in any order, Hz and complex ohm; shape (n,).

    Returns
    -------
    The distribution with its peaks; None for fewer than ten usable frequencies.

    Raises
    ------
    CellpipeError
        If the shapes differ, or hardly a point is usable.

    """
    if np.size(frequency_hertz) < _FEW:
        return None
    points = clean_spectrum(np.asarray(frequency_hertz), np.asarray(impedance_ohm))
    if len(points.frequency) < _FEW:
        return None
    return _distribute(points.frequency, points.impedance)


def _distribute(frequency_hertz: Floats, impedance_ohm: Complexes) -> RelaxationTimes:
    """Return the distribution of a spectrum in the order of frequency."""
    omega = 2 * np.pi * frequency_hertz
    decades = np.log10(omega.max() / omega.min()) + 2 * np.log10(_BEYOND)
    tau = np.geomspace(
        1 / _BEYOND / omega.max(), _BEYOND / omega.min(), int(_PER_DECADE * decades) + 1
    )
    step = float(np.log(tau[1] / tau[0]))
    scale = float(np.median(np.abs(impedance_ohm)))
    weight = scale / modulus(impedance_ohm)
    lumped = [np.ones_like(omega), 1j * omega / omega.max(), omega.min() / (1j * omega)]
    columns = np.concatenate([lumped, step / (1 + 1j * omega * tau[:, None])]) * weight
    target = impedance_ohm / scale * weight
    design = np.concatenate([columns.real, columns.imag], axis=1).T
    data = np.concatenate([target.real, target.imag])
    test = kramers_kronig(frequency_hertz, impedance_ohm)
    noise = 0.01 if test is None else max(test.noise, test.violation / np.sqrt(2), 1e-4)
    system = _System(design, data, len(lumped))
    amplitudes, weaker, penalty = _fit_smoothest(system, noise)
    residual = system.residual(amplitudes)
    gamma = amplitudes[len(lumped) :] * scale
    window = (1 / omega.max(), CLOSED / omega.min())
    covariance = scale**2 * system.covariance(amplitudes, penalty, residual)
    peaks = _find_peaks(tau, gamma, weaker[len(lumped) :] * scale, covariance, window)
    return RelaxationTimes(tau, gamma, float(np.sqrt(2) * residual), peaks)


@dataclass(frozen=True)
class _System:
    """Least squares of weighted data (n,) in columns (n, m), of which the first are free."""

    design: Floats
    data: Floats
    unpenalised: int

    @property
    def curvature(self) -> Floats:
        """Second differences of the distribution, zero beyond its ends."""
        size, free = self.design.shape[1], self.unpenalised
        rows = np.zeros((size - free, size))
        rows[:, free:] = np.diff(np.eye(size - free + 2), 2, axis=0)[:, 1:-1]
        return rows

    def solve(self, penalty: float) -> Floats:
        """Return the amplitudes, none below zero, at a penalty."""
        curvature = self.curvature
        stacked = np.concatenate([self.design, np.sqrt(penalty) * curvature])
        wanted = np.concatenate([self.data, np.zeros(len(curvature))])
        amplitudes, _ = nnls(stacked, wanted, maxiter=20 * self.design.shape[1])
        return np.asarray(amplitudes)

    def residual(self, amplitudes: Floats) -> float:
        """Return the root mean square of the residuals."""
        return float(np.sqrt(np.mean((self.design @ amplitudes - self.data) ** 2)))

    def covariance(self, amplitudes: Floats, penalty: float, deviation: float) -> Floats:
        """Return the covariance of the distribution from noise of a standard deviation."""
        on = np.flatnonzero(amplitudes > 0)
        design, curvature = self.design[:, on], self.curvature[:, on]
        information = design.T @ design
        inverse = np.linalg.pinv(information + penalty * curvature.T @ curvature)
        out = np.zeros((len(amplitudes), len(amplitudes)))
        out[np.ix_(on, on)] = deviation**2 * inverse @ information @ inverse
        return np.asarray(out[self.unpenalised :, self.unpenalised :])


def _fit_smoothest(system: _System, noise: float) -> tuple[Floats, Floats, float]:
    """Return the solution with the strongest penalty that leaves the noise, the next, and it."""
    best, chosen = np.zeros(system.design.shape[1]), 0
    lowest = np.inf
    for number, penalty in enumerate(_PENALTIES):
        amplitudes = system.solve(penalty)
        residual = system.residual(amplitudes)
        if residual < 0.98 * lowest:
            best, lowest, chosen = amplitudes, residual, number
        if residual < _ABOVE_NOISE * noise:
            break
    ratio = _PENALTIES[1] / _PENALTIES[0]
    return best, system.solve(_PENALTIES[chosen] * ratio), float(_PENALTIES[chosen])


def _find_peaks(
    tau: Floats, gamma: Floats, weaker: Floats, covariance: Floats, window: tuple[float, float]
) -> tuple[RelaxationPeak, ...]:
    """Return the peaks that hold a share of the resistance, by rising time constant."""
    step = float(np.log(tau[1] / tau[0]))
    shares, tops, sides = _divide(gamma)
    sizes = step * shares @ gamma
    kept = np.flatnonzero(sizes >= _SMALLEST * step * gamma.sum())
    shares, tops, sides, sizes = shares[kept], tops[kept], sides[kept], sizes[kept]
    padded = np.concatenate([[0.0], sizes, [0.0]])
    beside = np.stack([padded[:-2], padded[2:]])
    wings = np.where(beside < _WING * sizes, beside, 0.0)
    square = (
        np.maximum(step**2 * np.einsum("kp,pq,kq->k", shares, covariance, shares), 0.0)
        + (sizes - step * shares @ weaker) ** 2
        + (_LEAST_ERROR * sizes) ** 2
        + np.sum(wings**2, axis=0)
        + np.sum((_TAIL_DECADES * np.log(10) * sides) ** 2, axis=1)
    )
    errors = np.sqrt(square)
    alone = (
        (tau[tops] >= window[0])
        & (tau[tops] <= window[1])
        & (sides.max(axis=1, initial=0.0) < 0.5 * gamma[tops])
        & (errors < WORST_ERROR * sizes)
        & ~_may_be_wings(tau[tops], sizes)
    )
    return tuple(
        RelaxationPeak(_top(tau, gamma, int(top)), float(size), float(error), bool(is_alone))
        for top, size, error, is_alone in zip(tops, sizes, errors, alone, strict=True)
    )


def _may_be_wings(tau: Floats, sizes: Floats) -> NDArray[np.bool_]:
    """Return which peaks are as small as the wings of another one, (k,), so far from it, can be."""
    apart = np.abs(np.log10(tau[:, None] / tau))
    wings = sizes * 10 ** (-_WING_SLOPE * apart)
    np.fill_diagonal(wings, 0.0)
    return np.asarray((sizes[:, None] < wings).any(axis=1))


def _divide(gamma: Floats) -> tuple[Floats, NDArray[np.int64], Floats]:
    """Return the share of each point in each peak (k, m), their tops, and the valleys beside them.

    A distribution is divided at its valleys; the valleys' heights have the shape (k, 2), zero at
    its ends.
    """
    padded = np.concatenate([[0.0], gamma, [0.0]])
    tops = np.flatnonzero((padded[1:-1] > padded[:-2]) & (padded[1:-1] >= padded[2:]))
    valleys = [int(one + np.argmin(gamma[one : other + 1])) for one, other in pairwise(tops)]
    begins, ends = [0, *valleys], [*valleys, len(gamma) - 1]
    shares = np.zeros((len(tops), len(gamma)))
    sides = np.zeros((len(tops), 2))
    for row, (begin, end) in enumerate(zip(begins, ends, strict=bool(len(tops)))):
        if row == len(tops):
            break
        shares[row, begin : end + 1] = 1.0
        if row:
            shares[row, begin], sides[row, 0] = 0.5, gamma[begin]
        if row + 1 < len(tops):
            shares[row, end], sides[row, 1] = 0.5, gamma[end]
    return shares, tops, sides


def _top(tau: Floats, gamma: Floats, place: int) -> float:
    """Return the time constant of a peak's top between grid points, by a parabola."""
    if not 0 < place < len(tau) - 1:
        return float(tau[place])
    before, at, after = gamma[place - 1 : place + 2]
    bend = before - 2 * at + after
    shift = 0.5 * (before - after) / bend if bend < 0 else 0.0
    return float(tau[place] * (tau[1] / tau[0]) ** shift)
