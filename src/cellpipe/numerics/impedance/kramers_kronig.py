"""Test of a spectrum for the Kramers–Kronig relations, and estimate of its noise.

The linear test: a chain of parallel resistor–capacitor pairs of fixed time constants, in series
with a resistor, an inductor and a capacitor, obeys the relations for all amplitudes, so a spectrum
that obeys them is fitted by such a chain down to its noise (B. A. Boukamp, J. Electrochem. Soc.
142, 1885 (1995), doi 10.1149/1.2044210; M. Schönleber, D. Klotz, E. Ivers-Tiffée, Electrochim. Acta
131, 20 (2014), doi 10.1016/j.electacta.2014.01.034). The chain is fitted to the impedance and, as
an admittance, to 1/Z; the better fit counts. Its length is chosen by the corrected Akaike
criterion.

The residual of noise alone is estimated from the spectrum itself: separate fits of the same chain
to the real and the imaginary part do not constrain each other. The relations are violated only if
the residual of the joint fit is clearly larger than that of the separate fits.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lstsq

from cellpipe.numerics.impedance.elements import Complexes, Floats
from cellpipe.numerics.impedance.spectra import modulus

VIOLATED = 0.01  # lowest relevant violation
FEWEST = 8  # frequencies needed for the test
_CONTRADICTION = 1.5  # joint over separate residual: 0.95–1.15 in valid spectra, from 2.1 in others
_EXACT = 1e-4  # residual over |Z| of a chain fitted to an exact spectrum
_SMALLEST_CHAIN = 3
_PER_DECADE = 7
_LENGTHS = 14
_OUTLYING = 5.0  # robust standard deviations of a residual
_MORE_AT_ENDS = 1.6  # an incomplete model has its largest residuals there
_ROUNDS = 4
_MOST_OUTLYING = 0.15  # of the points; more are not single outliers
_CLEARED = 1.3  # contradiction below which outliers explain the violation
_MOSTLY, _FAR_WORSE = 0.7, 5.0  # share of points; ratio of two violations
_LOWEST = 0.25  # of the frequencies; a drifting cell is seen at these lowest ones


@dataclass(frozen=True)
class KramersKronig:
    """Result of the Kramers–Kronig test.

    ``valid``: real and imaginary part agree. ``noise``: standard deviation of each part over |Z|.
    ``contradiction``: residual of the joint fit over that of the separate fits, 1 in a valid
    spectrum. ``residuals``: (measured minus chain) / |Z|, complex, shape (n,). ``outlying``:
    frequencies that are outliers among their neighbours, shape (n,). ``drift``: the violation is
    largest at low frequencies, as when a cell changes during the measurement.
    """

    valid: bool
    drift: bool
    noise: float
    contradiction: float
    residuals: Complexes
    outlying: NDArray[np.bool_]
    length: int

    @property
    def violation(self) -> float:
        """Root mean square of the residuals, as the size of the violation."""
        return float(np.sqrt(np.nanmean(np.abs(self.residuals) ** 2)))


def valid_frequencies(frequency_hertz: Floats, impedance_ohm: Complexes) -> NDArray[np.bool_]:
    """Return which frequencies of a spectrum can be fitted; shape (n,).

    If the relations are violated by more than 1 %, and most at low frequencies, the lowest are
    excluded until the rest obeys them, at most 40 %. If that does not help, all are kept: the
    violation is then not due to a cell that changed during the measurement.
    """
    kept = np.ones(len(frequency_hertz), bool)
    if len(frequency_hertz) < 2 * FEWEST or not _is_suspect(frequency_hertz, impedance_ohm):
        return kept
    test = kramers_kronig(frequency_hertz, impedance_ohm)
    if test is None or not test.drift or test.violation < VIOLATED:
        return kept
    order = np.argsort(frequency_hertz)
    for share in (0.1, 0.2, 0.3, 0.4):
        trial = kept.copy()
        trial[order[: math.ceil(share * len(order))]] = False
        retry = kramers_kronig(frequency_hertz[trial], impedance_ohm[trial])
        if retry is not None and (retry.valid or retry.violation < VIOLATED):
            return trial
    return kept


def has_reversed_sign(frequency_hertz: Floats, impedance_ohm: Complexes) -> bool:
    """Return whether the sign of a spectrum's imaginary part is reversed.

    Most of it is then positive, and its conjugate obeys the relations far better; an inductor obeys
    them. Their violation tells it, and not whether the test holds: that is lenient where a spectrum
    is far from all that is passive, as a reversed one is.
    """
    if float(np.mean(impedance_ohm.imag > 0)) < _MOSTLY:
        return False
    given = kramers_kronig(frequency_hertz, impedance_ohm)
    turned = kramers_kronig(frequency_hertz, impedance_ohm.conj())
    if given is None or turned is None:
        return False
    return given.violation > max(VIOLATED, _FAR_WORSE * turned.violation)


def _is_suspect(frequency: Floats, impedance: Complexes) -> bool:
    """Return whether low frequencies may violate the relations.

    One chain is enough to exclude it, because its residual is larger than that of the full test.
    """
    omega = 2 * np.pi * frequency
    length = max(3, min(int(5 * math.log10(omega.max() / omega.min())), len(omega) - 4))
    weight = 1 / modulus(impedance)
    basis = _basis(omega.tobytes(), length, admittance=False) * weight
    size = np.abs(_residuals(basis, impedance * weight))
    order = np.argsort(frequency)
    lowest = max(3, int(_LOWEST * len(order)))
    low, rest = size[order[:lowest]].mean(), size[order[lowest:]].mean()
    return bool(np.sqrt(np.mean(size**2)) > VIOLATED and low > rest)


class _Chain(NamedTuple):
    admittance: bool
    criterion: float
    length: int
    residuals: Complexes
    basis: Complexes
    data: Complexes


def kramers_kronig(frequency_hertz: Floats, impedance_ohm: Complexes) -> KramersKronig | None:
    """Test whether a spectrum obeys the Kramers–Kronig relations.

    Parameters
    ----------
    frequency_hertz, impedance_ohm
        The spectrum in the order of frequency, Hz and ohm; shape (n,). No repeated frequency, no
        zero impedance.

    Returns
    -------
    The result; None for fewer than eight frequencies.

    """
    if len(frequency_hertz) < FEWEST:
        return None
    none = np.zeros(len(frequency_hertz), bool)
    chain = _best_chain(frequency_hertz, impedance_ohm)
    whole = _evaluate_chain(frequency_hertz, none, chain)
    outlying = none.copy()
    for _ in range(_ROUNDS):
        more = find_isolated(chain.residuals)
        if not more.any() or outlying.sum() + more.sum() > _MOST_OUTLYING * len(outlying):
            break
        outlying[np.flatnonzero(~outlying)[more]] = True
        kept = ~outlying
        chain = _fit_chain(frequency_hertz[kept], impedance_ohm[kept], admittance=chain.admittance)
    if not outlying.any():
        return whole
    without = _evaluate_chain(frequency_hertz, outlying, chain)
    return without if without.contradiction < _CLEARED else whole


def _best_chain(frequency: Floats, impedance: Complexes) -> _Chain:
    """Return the better of the best impedance chain and the best admittance chain."""
    return min(
        (_fit_chain(frequency, impedance, admittance=admittance) for admittance in (False, True)),
        key=lambda chain: float(np.sum(np.abs(chain.residuals) ** 2)),
    )


def _fit_chain(frequency: Floats, impedance: Complexes, *, admittance: bool) -> _Chain:
    omega = 2 * np.pi * frequency
    count = len(omega)
    decades = math.log10(omega.max() / omega.min())
    longest = max(_SMALLEST_CHAIN + 1, min(int(_PER_DECADE * decades), count - 3))
    lengths = np.unique(np.geomspace(_SMALLEST_CHAIN, longest, _LENGTHS).astype(int))
    data = 1 / impedance if admittance else impedance
    weight = np.abs(impedance) if admittance else 1 / modulus(impedance)
    chains: list[_Chain] = []
    for length in lengths:
        basis = _basis(omega.tobytes(), int(length), admittance=admittance) * weight
        residuals = _residuals(basis, data * weight)
        parameters = length + 4
        cost = max(float(np.sum(np.abs(residuals) ** 2)), 1e-300)
        correction = 2 * parameters * (parameters + 1) / max(2 * count - parameters - 1, 1)
        criterion = 2 * count * math.log(cost / (2 * count)) + 2 * parameters + correction
        chains.append(_Chain(admittance, criterion, int(length), residuals, basis, data * weight))
    return min(chains, key=lambda chain: chain.criterion)


@lru_cache(maxsize=128)  # the spectra of a series share their frequencies
def _basis(grid: bytes, length: int, *, admittance: bool) -> Complexes:
    """Return columns of resistor, inductor, capacitor and chain; shape (length + 3, n)."""
    omega = np.frombuffer(grid)
    ladder = np.exp(np.linspace(-np.log(omega.max()), -np.log(omega.min()), length))
    x = omega * ladder[:, None]
    square = 1 / (1 + x * x)
    chain = x * square * (x + 1j) if admittance else square * (1 - 1j * x)
    lumped = [np.ones_like(omega) + 0j, 1j * omega / omega.max(), omega.min() / (1j * omega)]
    return np.concatenate([lumped, chain])


def _residuals(basis: Complexes, data: Complexes) -> Complexes:
    """Return the residuals of a least-squares fit to both parts at once."""
    columns = np.ascontiguousarray(basis).view(np.float64)
    return (np.ascontiguousarray(data).view(np.float64) - _solve(columns, data)).view(np.complex128)


def _solve(columns: Floats, data: Complexes | Floats) -> Floats:
    target = np.ascontiguousarray(data).view(np.float64)
    scale = np.maximum(np.sqrt(np.einsum("mn,mn->m", columns, columns)), 1e-300)
    scaled = (columns / scale[:, None]).T
    amounts = lstsq(scaled, target, cond=1e-12, lapack_driver="gelsy", check_finite=False)[0]
    return np.asarray(scaled @ amounts, np.float64)


def find_isolated(residuals: Complexes, *, ends: bool = False) -> NDArray[np.bool_]:
    """Return which residuals are large while those of their neighbours are not; shape (n,).

    Parameters
    ----------
    residuals
        Relative residuals in the order of frequency; shape (n,).
    ends
        Include the first and the last point, compared with their one neighbour. A large residual
        there may be due to a drifting cell, not a bad point.

    """
    size = np.abs(residuals)
    parts = np.concatenate([np.abs(residuals.real), np.abs(residuals.imag)])
    scale = np.full(len(residuals), _OUTLYING * max(1.4826 * float(np.median(parts)), 1e-12))
    scale[[0, -1]] *= _MORE_AT_ENDS
    padded = np.concatenate([residuals[1:2], residuals, residuals[-2:-1]])
    neighbours = 0.5 * (padded[:-2] + padded[2:])
    isolated = np.minimum(size, np.abs(residuals - neighbours)) > scale
    isolated &= size > 2 * np.abs(neighbours)
    if not ends:
        isolated[[0, -1]] = False
    # a bad point shifts the model at its neighbours: remove the worst first
    return np.asarray(isolated & (size >= 0.5 * size[isolated].max(initial=0.0)))


def _evaluate_chain(frequency: Floats, outlying: NDArray[np.bool_], chain: _Chain) -> KramersKronig:
    count = len(chain.residuals)
    freedom = max(2 * count - chain.length - 3, 1)
    size = np.abs(chain.residuals)
    joint = math.sqrt(float(size @ size) / freedom)
    separate = _separate_noise(chain)
    contradiction = joint / max(separate, 1e-12)
    exact = float(np.sqrt(np.mean(size**2))) < _EXACT
    valid = exact or contradiction < _CONTRADICTION
    residuals = np.full(len(frequency), np.nan, np.complex128)
    residuals[~outlying] = chain.residuals
    order = np.argsort(frequency[~outlying])
    lowest = max(3, int(_LOWEST * count))
    drift = not valid and bool(size[order[:lowest]].mean() > size[order[lowest:]].mean())
    noise = joint if valid else separate
    return KramersKronig(valid, drift, noise, contradiction, residuals, outlying, chain.length)


def _separate_noise(chain: _Chain) -> float:
    """Return the noise from separate fits, as the standard deviation of one part."""
    count = len(chain.data)
    freedom = max(2 * (count - min(chain.length + 2, count - 1)), 1)
    total = 0.0
    for part in (np.real, np.imag):
        columns, target = np.ascontiguousarray(part(chain.basis)), part(chain.data).copy()
        columns = columns[np.einsum("mn,mn->m", columns, columns) > 0]
        total += float(np.sum((target - _solve(columns, target)) ** 2))
    return math.sqrt(total / freedom)
