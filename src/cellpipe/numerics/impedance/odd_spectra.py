"""Spectra of a series that stand apart from all beside them: a bad contact, an open circuit, noise.

Such a spectrum must not weigh in what is common to a series: the circuit, the identity of its arcs,
their growth. It is found without any circuit, by ln Z over frequency: it resembles none of the two
spectra before and behind it, while these resemble each other. A step that stays resembles what
follows, a growth the steps before; neither stands apart.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cellpipe.numerics.impedance.elements import Complexes, Floats

FEWEST_OF_SERIES = 4  # spectra; of three, none can be told to be the odd one
_GRID = 40
_FAST = 28  # from here on the highest frequencies, where growth changes little and leads much
_SMALLEST_OVERLAP = 1.0  # decades of frequency
_REACH = 2  # spectra to either side
_TYPICAL, _AT_ENDS = 6.0, 8.0  # deviations of the others from those beside them
_LIKE_NONE = 0.6  # distance to the most similar one, over the deviation
_FARTHEST = 8.0  # steps of growth that an end may lie beyond the others
_SMALLEST = 0.05  # of ln Z, root mean square
_MOST_SHARE = 5  # at most one in so many
_NOISY, _SMALLEST_NOISE = 4.0, 0.01
_OPEN = 100.0  # ratio of moduli
_ALIKE = 0.2  # spread of a difference beside its size, where it is the same at all frequencies


def find_odd_spectra(
    frequency_hertz: Sequence[Floats], impedance_ohm: Sequence[Complexes], *, steady: bool = True
) -> dict[int, str]:
    """Return the places of the spectra that stand apart, and how each does, in words.

    Parameters
    ----------
    frequency_hertz, impedance_ohm
        The n spectra in the order of time, Hz and ohm, each of shape (f,), highest frequency first.
    steady
        Whether they are of one state; else only noise and an open circuit are told.

    Returns
    -------
    The reason by place; empty for fewer than four spectra, or if their frequencies hardly overlap.

    """
    if len(frequency_hertz) < FEWEST_OF_SERIES:
        return {}
    curves = _common_curves(frequency_hertz, impedance_ohm)
    if curves is None:
        return {}
    noise = np.array([_roughness(z) for z in impedance_ohm])
    kept = list(range(len(curves)))
    found: dict[int, str] = {}
    while len(found) < max(1, len(curves) // _MOST_SHARE) and len(kept) >= FEWEST_OF_SERIES:
        limit = max(_NOISY * float(np.median(noise[kept])), _SMALLEST_NOISE)
        scores = [
            max(
                noise[kept[at]] / limit,
                max(_oddness(curves[kept], at), _oddness(curves[kept][:, _FAST:], at))
                if steady
                else _openness(curves[kept], at),
            )
            for at in range(len(kept))
        ]
        worst = int(np.argmax(scores))
        if scores[worst] <= 1:
            break
        place = kept.pop(worst)
        beside = curves[kept[max(worst - 1, 0) : worst + 1]].mean(axis=0)
        found[place] = _reason(curves[place], beside, noisy=bool(noise[place] > limit))
    return dict(sorted(found.items()))


def _common_curves(frequency: Sequence[Floats], impedance: Sequence[Complexes]) -> Complexes | None:
    """Return ln Z of all spectra at common frequencies, (n, f); None without enough of them."""
    low = max(float(f.min()) for f in frequency)
    high = min(float(f.max()) for f in frequency)
    if high < low * 10**_SMALLEST_OVERLAP:
        return None
    grid = np.linspace(np.log(low), np.log(high), _GRID)
    rows = []
    for f, z in zip(frequency, impedance, strict=True):
        place = np.argsort(f)
        log_f, size, phase = np.log(f[place]), np.log(np.abs(z[place])), np.angle(z[place])
        rows.append(np.interp(grid, log_f, size) + 1j * np.interp(grid, log_f, phase))
    return np.array(rows)


def _size(curve: Complexes) -> float:
    return float(np.sqrt(np.mean(np.abs(curve) ** 2)))


def _oddness(curves: Complexes, at: int) -> float:
    """Return how far a spectrum is from what those beside it tell, over what is far; > 1 is odd."""
    others, off = np.delete(curves, at, axis=0), _size(curves[at] - _expected(curves, at))
    usual = [_size(others[k - 1] - 2 * others[k] + others[k + 1]) / 2
             for k in range(1, len(others) - 1)]  # fmt: skip
    if at in {0, len(curves) - 1}:
        local, factor = usual[:_REACH] if at == 0 else usual[-_REACH:], _AT_ENDS
    else:
        near = [curves[k] for k in range(at - _REACH, at + _REACH + 1)
                if 0 <= k < len(curves) and k != at]  # fmt: skip
        if min(_size(curves[at] - curve) for curve in near) < _LIKE_NONE * off:
            return 0.0  # a step that stays, or a state that comes back
        local, factor = usual[max(at - _REACH, 0) : at + 1], _TYPICAL
    typical = max([float(np.median(usual)), *(0.5 * value for value in local)])
    return off / max(factor * typical, _SMALLEST)


def _openness(curves: Complexes, at: int) -> float:
    """Return the logarithm of |Z| over that of the other spectra, over that of an open circuit."""
    above = float(np.median((curves[at] - np.delete(curves, at, axis=0)).real))
    return above / float(np.log(_OPEN))


def _expected(curves: Complexes, at: int) -> Complexes:
    """Return what the others let one expect of a curve: their mean, or where their change leads."""
    if 0 < at < len(curves) - 1:
        return np.asarray(0.5 * (curves[at - 1] + curves[at + 1]))
    nearest, second = (curves[1], curves[2]) if at == 0 else (curves[-2], curves[-3])
    step = nearest - second
    along = float(np.sum((curves[at] - nearest) * step.conj()).real)
    times = np.clip(along / max(float(np.sum(np.abs(step) ** 2)), 1e-300), 0, _FARTHEST)
    return np.asarray(nearest + times * step)


def _roughness(impedance: Complexes) -> float:
    """Return the typical second difference of ln Z from frequency to frequency."""
    if len(impedance) < FEWEST_OF_SERIES:
        return 0.0
    curve = np.log(np.abs(impedance)) + 1j * np.angle(impedance)
    return float(np.median(np.abs(np.diff(curve, 2))) / np.sqrt(6))


def _reason(curve: Complexes, beside: Complexes, *, noisy: bool) -> str:
    """Say how a spectrum differs from the mean of those beside it."""
    factor, shift = curve - beside, np.exp(curve) - np.exp(beside)
    ratio = float(np.exp(np.median(factor.real)))
    if ratio > _OPEN:
        return f"its |Z| is {ratio:.0f} times that of those beside it, as of an open circuit"
    along = float(np.median(shift[_FAST:].real))
    if noisy:
        return "it is far noisier than those beside it"
    alike = float(np.median(np.abs(shift[_FAST:] - along))) < _ALIKE * abs(along)
    if alike and float(np.median(np.abs(shift - along))) < abs(along):
        more = "more" if along > 0 else "less"
        return (
            f"it has {abs(along):.3g} Ω {more} in series than those beside it (leads or contacts)"
        )
    if float(np.median(np.abs(factor - np.log(ratio)))) < _ALIKE * abs(np.log(ratio)):
        return f"all of it is {ratio:.2f} times that of those beside it (contact or area)"
    most = float(factor.real[np.argmax(np.abs(factor.real))])
    return f"its |Z| is up to {np.exp(most):.3g} times that of those beside it"
