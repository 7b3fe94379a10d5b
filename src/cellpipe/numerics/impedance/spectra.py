"""Preparation of impedance spectra: where one ends, and which of its points can be used."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cellpipe.core.errors import CellpipeError

_TINY, _HUGE = 1e-12, 1e15  # ohm
_LOST = 2  # records
_TURN = 1.5  # factor of a step back that begins a new sweep; noise on f is far smaller


def spectrum_numbers(
    frequency_hertz: NDArray[np.float64], record_index: NDArray[np.integer]
) -> NDArray[np.int64]:
    """Return the number of each record's spectrum.

    A new spectrum begins where other records lie between two frequencies, or where the frequency
    jumps back against the direction of the sweep. One or two records that lie between are only
    points without a frequency, or lost ones, if the sweep goes on behind them.

    Parameters
    ----------
    frequency_hertz
        Frequencies > 0 in the order of measurement, Hz, shape (n,).
    record_index
        Indices of these records in the file, shape (n,).

    Returns
    -------
    Spectrum numbers from 1, shape (n,).

    """
    count = len(frequency_hertz)
    if count == 0:
        return np.zeros(0, np.int64)
    ratio = frequency_hertz[1:] / frequency_hertz[:-1]
    falling = np.count_nonzero(ratio < 1) >= np.count_nonzero(ratio > 1)
    is_reversed = ratio > _TURN if falling else ratio < 1 / _TURN
    between = np.diff(record_index.astype(np.int64)) - 1
    goes_on = (ratio < 1) if falling else (ratio > 1)
    is_separate = (between > 0) & ~(goes_on & (between <= _LOST))
    starts = np.concatenate([[True], is_reversed | is_separate])
    return np.cumsum(starts, dtype=np.int64)


FEWEST_FREQUENCIES = 4
_MOST_FREQUENCIES = 1000  # longer spectra are thinned, evenly in the logarithm


@dataclass(frozen=True, eq=False, repr=False)
class CleanSpectrum:
    """A spectrum ready to be fitted, highest frequency first: Hz, ohm; shape (n,).

    ``places`` holds the indices in the input; ``left_out`` maps a reason to a number of points.
    """

    frequency: NDArray[np.float64]
    impedance: NDArray[np.complex128]
    places: NDArray[np.int64]
    left_out: dict[str, int]

    def __repr__(self) -> str:
        """Return the numbers of frequencies and the ranges of frequency and modulus."""
        return describe_spectrum(self.frequency, self.impedance)


def describe_spectrum(
    frequency_hertz: NDArray[np.float64], impedance_ohm: NDArray[np.complex128]
) -> str:
    """Return a spectrum, or several of shape (n, f), in a line without its points."""
    frequency, size = np.ravel(frequency_hertz), np.abs(np.ravel(impedance_ohm))
    if not size.size:
        return "Spectrum without a frequency"
    many = f"{len(impedance_ohm)} spectra" if np.ndim(impedance_ohm) > 1 else "Spectrum"
    return (
        f"{many} of {np.shape(impedance_ohm)[-1]} frequencies, {frequency.max():.4g} to "
        f"{frequency.min():.4g} Hz, |Z| {size.min():.4g} to {size.max():.4g} Ω"
    )


def clean_spectrum(
    frequency_hertz: NDArray[np.float64], impedance_ohm: NDArray[np.complex128]
) -> CleanSpectrum:
    """Remove invalid points from a spectrum and count them.

    Parameters
    ----------
    frequency_hertz, impedance_ohm
        A spectrum in any order, Hz and ohm; shape (n,).

    Returns
    -------
    The points with a finite non-zero impedance at a finite positive frequency, each frequency once
    (the first), highest first, at most a thousand.

    Raises
    ------
    CellpipeError
        If the shapes differ, or fewer than four points or less than a factor of two in frequency
        remain.

    """
    frequency = np.asarray(frequency_hertz, np.float64)
    impedance = np.asarray(impedance_ohm, np.complex128)
    if frequency.shape != impedance.shape or frequency.ndim != 1:
        raise CellpipeError(
            f"frequencies of shape {frequency.shape}, impedances of shape {impedance.shape}",
            expected="one impedance for each frequency, both of shape (n,)",
            remedy="give both from the same spectrum",
        )
    places = np.arange(len(frequency))
    left_out = {}
    for reason, valid in _validity_masks(frequency, impedance):
        left_out[reason] = int(np.count_nonzero(~valid[places]))
        places = places[valid[places]]
    order = places[np.argsort(-frequency[places], kind="stable")]
    is_new = np.ones(len(order), bool)
    is_new[1:] = np.diff(frequency[order]) != 0
    left_out["frequency measured twice"] = int(np.count_nonzero(~is_new))
    order = order[is_new]
    thinned = _thin_frequencies(frequency[order])
    left_out["more than a thousand frequencies"] = len(order) - len(thinned)
    order = order[thinned]
    _check_frequencies(frequency[order], left_out)
    counted = {reason: number for reason, number in left_out.items() if number}
    return CleanSpectrum(frequency[order], impedance[order], order, counted)


def modulus(impedance_ohm: NDArray[np.complex128]) -> NDArray[np.float64]:
    """Return |Z| for weighting, ohm, shape (n,), of a spectrum in the order of frequency.

    A glitch to almost zero would outweigh all other points together. Where |Z| is less than half
    of both neighbours, it is replaced by their geometric mean.
    """
    size = np.abs(impedance_ohm)
    padded = np.concatenate([size[1:2], size, size[-2:-1]])
    before, after = padded[:-2], padded[2:]
    dips = size < 0.5 * np.minimum(before, after)
    return np.where(dips, np.sqrt(before * after), size)


def _validity_masks(
    frequency: NDArray[np.float64], impedance: NDArray[np.complex128]
) -> list[tuple[str, NDArray[np.bool_]]]:
    with np.errstate(invalid="ignore", over="ignore"):
        return [
            ("frequency not above zero", np.isfinite(frequency) & (frequency > 0)),
            ("no number", np.isfinite(impedance.real) & np.isfinite(impedance.imag)),
            (
                "impedance zero or beyond all sizes",
                (abs(impedance) > _TINY) & (abs(impedance) < _HUGE),
            ),
        ]


def _thin_frequencies(frequency: NDArray[np.float64]) -> NDArray[np.int64]:
    if len(frequency) <= _MOST_FREQUENCIES:
        return np.arange(len(frequency))
    ladder = np.geomspace(frequency[0], frequency[-1], _MOST_FREQUENCIES)
    nearest = np.searchsorted(-frequency, -ladder)
    return np.unique(np.clip(nearest, 0, len(frequency) - 1))


def _check_frequencies(frequency: NDArray[np.float64], left_out: dict[str, int]) -> None:
    dropped = ", ".join(f"{number} left out ({why})" for why, number in left_out.items() if number)
    if len(frequency) < FEWEST_FREQUENCIES:
        raise CellpipeError(
            f"{len(frequency)} usable frequencies" + (f"; {dropped}" if dropped else ""),
            expected=f"at least {FEWEST_FREQUENCIES}, each with an impedance",
            remedy="export the whole spectrum",
        )
    if frequency[0] < 2 * frequency[-1]:
        raise CellpipeError(
            f"frequencies from {frequency[-1]:.6g} to {frequency[0]:.6g} Hz",
            expected="a spectrum over more than a factor of two in frequency",
            remedy="measure a wider range",
        )


def point_weights(
    points: CleanSpectrum, deviation_ohm: ArrayLike | None, size: int
) -> NDArray[np.float64]:
    """Return the weights of the points, 1/ohm, by their standard deviations or by |Z|; (n,).

    ``size`` is the number of points that were given.

    Raises
    ------
    CellpipeError
        If there is not one deviation above zero for each point.

    """
    if deviation_ohm is None:
        return 1 / modulus(points.impedance)
    deviations = np.asarray(deviation_ohm, np.float64)
    if deviations.shape != (size,):
        raise CellpipeError(
            f"deviations of shape {deviations.shape}",
            expected=f"shape ({size},)",
            remedy="give one for each point, or leave them out",
        )
    deviation = deviations[points.places]
    if not (np.isfinite(deviation) & (deviation > 0)).all():
        raise CellpipeError(
            "a standard deviation that is not above zero",
            expected="ohm, all > 0",
            remedy="leave out the points without one",
        )
    return np.asarray(1 / deviation, np.float64)
