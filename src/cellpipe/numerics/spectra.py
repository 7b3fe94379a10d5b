"""Where one impedance spectrum ends and the next begins."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_TURN = 1.5  # a step back by more than this factor begins a new sweep; noise on f is far less


def spectrum_numbers(
    frequency_hertz: NDArray[np.float64], record_index: NDArray[np.integer]
) -> NDArray[np.int64]:
    """Number the spectra in a list of frequencies.

    A new spectrum begins where records that are no impedance stand between two frequencies, or
    where the frequency jumps back against the direction of the sweep.

    Parameters
    ----------
    frequency_hertz
        Frequencies > 0 in the order of measurement, Hz, shape (n,).
    record_index
        Numbers of these records in the file, shape (n,).

    Returns
    -------
    Spectrum numbers from 1, shape (n,).

    """
    count = len(frequency_hertz)
    if count == 0:
        return np.zeros(0, np.int64)
    ratio = frequency_hertz[1:] / frequency_hertz[:-1]
    falling = np.count_nonzero(ratio < 1) >= np.count_nonzero(ratio > 1)
    back = ratio > _TURN if falling else ratio < 1 / _TURN
    apart = np.diff(record_index.astype(np.int64)) > 1
    starts = np.concatenate([[True], back | apart])
    return np.cumsum(starts, dtype=np.int64)
