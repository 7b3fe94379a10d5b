"""Return whether a spectrum obeys the Kramers–Kronig relations, and how noisy it is.

The linear test: resistors and capacitors in parallel, in series with a resistor, an inductor and a
capacitor, at fixed time constants, obey the relations whatever their sizes, so a spectrum that
obeys them is fitted by such a chain down to its noise (B. A. Boukamp, J. Electrochem. Soc. 142,
1885 (1995), doi 10.1149/1.2044210; M. Schönleber, D. Klotz, E. Ivers-Tiffée, Electrochim. Acta 131,
20 (2014), doi 10.1016/j.electacta.2014.01.034). The chain is fitted to the impedance and, as its
admittance, to 1/Z; the better one counts. Its length is chosen by the corrected Akaike criterion.

What noise alone would leave is known from the spectrum itself: real and imaginary part, each fitted
alone by the same chain, are free of each other. Only where both together leave clearly more than
each alone do they contradict the relations.
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

VIOLATED = 0.01  # violation that matters
FEWEST = 8  # frequencies; below that nothing is tested
_CONTRADICTION = 1.5  # joint over separate residual: 0.95–1.15 in valid spectra, from 2.1 in others
_EXACT = 1e-4  # residual over |Z| that a chain leaves of an exact spectrum
_SMALLEST_CHAIN = 3
_PER_DECADE = 7
_LENGTHS = 14
_OUTLYING = 5.0  # robust standard deviations of a residual
_MORE_AT_ENDS = 1.6  # a model that misses something misses most there
_ROUNDS = 4
_MOST_OUTLYING = 0.15  # of the points; more than that is no matter of single points
_CLEARED = 1.3  # contradiction below which single points were all that was wrong
_LOWEST = 0.25  # of the frequencies; a drifting cell shows there


@dataclass(frozen=True)
class KramersKronig:
    """What the test found.

    ``valid``: real and imaginary part agree. ``noise``: standard deviation of each part over |Z|.
    ``contradiction``: residual of both parts together over that of each alone, 1 in a valid
    spectrum. ``residuals``: measured minus chain over |Z|, complex, shape (n,). ``outlying``:
    frequencies that stand alone against their neighbours, shape (n,). ``drift``: the
    contradiction is largest at the low end, as when a cell changes while it is measured.
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
        """Root mean square of the residuals: how far the spectrum is from obeying."""
        return float(np.sqrt(np.nanmean(np.abs(self.residuals) ** 2)))


def valid_frequencies(frequency_hertz: Floats, impedance_ohm: Complexes) -> NDArray[np.bool_]:
    """Tell which frequencies of a spectrum can be fitted; shape (n,).

    Where it contradicts the relations by more than a per cent, most at low frequencies, the lowest
    are left out until the rest obeys them, at most four tenths. All are kept where that does not
    help: then the contradiction is no matter of a cell that changed while it was measured.
    """
    kept = np.ones(len(frequency_hertz), bool)
    if len(frequency_hertz) < 2 * FEWEST or not _is_suspect(frequency_hertz, impedance_ohm):
        return kept
    found = kramers_kronig(frequency_hertz, impedance_ohm)
    if found is None or not found.drift or found.violation < VIOLATED:
        return kept
    order = np.argsort(frequency_hertz)
    for share in (0.1, 0.2, 0.3, 0.4):
        trial = kept.copy()
        trial[order[: math.ceil(share * len(order))]] = False
        again = kramers_kronig(frequency_hertz[trial], impedance_ohm[trial])
        if again is not None and (again.valid or again.violation < VIOLATED):
            return trial
    return kept


def _is_suspect(frequency: Floats, impedance: Complexes) -> bool:
    """Tell by one chain whether the low end may contradict: it leaves more than the whole test."""
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
    """Test a spectrum.

    Parameters
    ----------
    frequency_hertz, impedance_ohm
        The spectrum in the order of frequency, Hz and ohm; shape (n,). Every frequency once, no
        impedance zero.

    Returns
    -------
    The findings; None for fewer than eight frequencies, for which there is no test.

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
    """Return the better of the best chain for the impedance and that for the admittance."""
    return min(
        (_fit_chain(frequency, impedance, admittance=way) for way in (False, True)),
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
    tried: list[_Chain] = []
    for length in lengths:
        basis = _basis(omega.tobytes(), int(length), admittance=admittance) * weight
        residuals = _residuals(basis, data * weight)
        parameters = length + 4
        cost = max(float(np.sum(np.abs(residuals) ** 2)), 1e-300)
        correction = 2 * parameters * (parameters + 1) / max(2 * count - parameters - 1, 1)
        criterion = 2 * count * math.log(cost / (2 * count)) + 2 * parameters + correction
        tried.append(_Chain(admittance, criterion, int(length), residuals, basis, data * weight))
    return min(tried, key=lambda chain: chain.criterion)


@lru_cache(maxsize=128)  # the spectra of a series share their frequencies
def _basis(grid: bytes, length: int, *, admittance: bool) -> Complexes:
    """Columns of resistor, inductor, capacitor and the chain of this length; (length + 3, n)."""
    omega = np.frombuffer(grid)
    ladder = np.exp(np.linspace(-np.log(omega.max()), -np.log(omega.min()), length))
    x = omega * ladder[:, None]
    square = 1 / (1 + x * x)
    chain = x * square * (x + 1j) if admittance else square * (1 - 1j * x)
    others = [np.ones_like(omega) + 0j, 1j * omega / omega.max(), omega.min() / (1j * omega)]
    return np.concatenate([others, chain])


def _residuals(basis: Complexes, data: Complexes) -> Complexes:
    """Residuals of the least squares in both parts at once."""
    columns = np.ascontiguousarray(basis).view(np.float64)
    return (np.ascontiguousarray(data).view(np.float64) - _solve(columns, data)).view(np.complex128)


def _solve(columns: Floats, data: Complexes | Floats) -> Floats:
    target = np.ascontiguousarray(data).view(np.float64)
    scale = np.maximum(np.sqrt(np.einsum("mn,mn->m", columns, columns)), 1e-300)
    scaled = (columns / scale[:, None]).T
    amounts = lstsq(scaled, target, cond=1e-12, lapack_driver="gelsy", check_finite=False)[0]
    return np.asarray(scaled @ amounts, np.float64)


def find_isolated(residuals: Complexes, *, ends: bool = False) -> NDArray[np.bool_]:
    """Find residuals that are far off while their neighbours are not.

    Parameters
    ----------
    residuals
        Relative residuals in the order of frequency; shape (n,).
    ends
        Judge the first and the last as well, by their one neighbour. What is off there may be a
        cell that drifts, not a bad point.

    """
    size = np.abs(residuals)
    parts = np.concatenate([np.abs(residuals.real), np.abs(residuals.imag)])
    scale = np.full(len(residuals), _OUTLYING * max(1.4826 * float(np.median(parts)), 1e-12))
    scale[[0, -1]] *= _MORE_AT_ENDS
    padded = np.concatenate([residuals[1:2], residuals, residuals[-2:-1]])
    around = 0.5 * (padded[:-2] + padded[2:])
    found = np.minimum(size, np.abs(residuals - around)) > scale
    found &= size > 2 * np.abs(around)
    if not ends:
        found[[0, -1]] = False
    # one bad point pulls the model at its neighbours: the worst go first
    return np.asarray(found & (size >= 0.5 * size[found].max(initial=0.0)))


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
    """Noise as each part alone shows it: standard deviation of one part."""
    count = len(chain.data)
    freedom = max(2 * (count - min(chain.length + 2, count - 1)), 1)
    total = 0.0
    for part in (np.real, np.imag):
        columns, target = np.ascontiguousarray(part(chain.basis)), part(chain.data).copy()
        columns = columns[np.einsum("mn,mn->m", columns, columns) > 0]
        total += float(np.sum((target - _solve(columns, target)) ** 2))
    return math.sqrt(total / freedom)
