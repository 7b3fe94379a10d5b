"""What a series is made of: its spectra, their times, and the distances between them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from cellpipe.core.errors import CellpipeError
from cellpipe.numerics.impedance.circuit_fit import Spectrum
from cellpipe.numerics.impedance.elements import Complexes, Floats
from cellpipe.numerics.impedance.spectra import CleanSpectrum, clean_spectrum, modulus

_SHORTEST_GAP, _LONGEST_GAP = 0.1, 10.0  # in steps, so that a long rest does not decouple a series


def parse_times(time_second: ArrayLike | None, count: int) -> Floats | None:
    """Return the times, s, shape (n,); None if none are given.

    Raises
    ------
    CellpipeError
        If there is not one for each spectrum, or they fall.

    """
    if time_second is None:
        return None
    time = np.asarray(time_second, np.float64)
    if time.shape != (count,) or not np.isfinite(time).all() or (np.diff(time) < 0).any():
        raise CellpipeError(
            f"times of shape {time.shape}",
            expected=f"{count} times in s that don't fall",
            remedy="put the spectra in the order of their times",
        )
    return time


def step_distances(count: int, time: Floats | None) -> Floats:
    """Return the distances between successive spectra, in steps; shape (n - 1,)."""
    if time is None or not time[-1] > time[0]:
        return np.ones(count - 1)
    intervals = np.diff(time)
    typical = float(np.median(intervals[intervals > 0]))
    return np.clip(intervals / typical, _SHORTEST_GAP, _LONGEST_GAP)


def clean_spectra(
    frequency: ArrayLike | Sequence[ArrayLike], impedance: object
) -> list[CleanSpectrum]:
    """Return every spectrum without its invalid points.

    Raises
    ------
    CellpipeError
        If they are no spectra, or one has too few usable points; the message names it.

    """
    rows = [np.asarray(row, np.complex128) for row in impedance]  # type: ignore[attr-defined]
    if not rows or any(row.ndim != 1 for row in rows):
        raise CellpipeError(
            "impedances that are not spectra",
            expected="an array of shape (n, f), or n arrays",
            remedy="give a list of spectra, or fit_impedance one",
        )
    shared = not len(frequency) or np.ndim(frequency[0]) == 0  # type: ignore[arg-type,index]
    frequencies = [frequency] * len(rows) if shared else list(frequency)  # type: ignore[arg-type]
    if len(frequencies) != len(rows):
        raise CellpipeError(
            f"{len(frequencies)} arrays of frequencies for {len(rows)} spectra",
            expected="one for all, or one for each",
            remedy="give a list of both that is as long",
        )
    cleaned = []
    for number, (f, z) in enumerate(zip(frequencies, rows, strict=True), start=1):
        try:
            cleaned.append(clean_spectrum(np.asarray(f, np.float64), z))
        except CellpipeError as error:
            raise CellpipeError(
                f"in spectrum {number}, {error.found}",
                expected=error.expected, remedy=error.remedy,
            ) from error  # fmt: skip
    return cleaned


def pad_spectra(spectra: Sequence[tuple[Floats, Complexes]]) -> Spectrum:
    """Pad spectra to one shape (n, f); padding has zero weight."""
    longest = max(len(frequency) for frequency, _ in spectra)
    frequency = np.stack([np.pad(f, (0, longest - len(f)), mode="edge") for f, _ in spectra])
    impedance = np.stack([np.pad(z, (0, longest - len(z)), mode="edge") for _, z in spectra])
    weight = np.stack([np.pad(1 / modulus(z), (0, longest - len(z))) for _, z in spectra])
    return Spectrum(frequency, impedance, weight)
