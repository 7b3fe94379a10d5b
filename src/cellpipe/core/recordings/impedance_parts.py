"""Whether the real and the imaginary part of impedance spectra fit each other.

The two parts of what is linear, causal and stable determine each other (Kramers and Kronig). Of
that holds here what needs no fit: where the real part falls with rising frequency, the imaginary
part is negative, and as large as the slope. So a turned sign and two columns swapped are told by
the spectrum itself, and an inductive one is not taken for it.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cellpipe.core.model import Finding
from cellpipe.core.recordings.records import Floats

_FEWEST = 8  # frequencies
_INDUCTIVE = 1e4  # Hz; above, leads may make the imaginary part positive
_MOST = 0.5
_FITS, _CONTRADICTS = 0.9, -0.5  # of 1: the correlation of slope and part
_SLIPS = {
    "real_part_negative": "most real parts are negative, as in no cell. Are the two columns "
    "swapped, or is a sign turned?",
    "imaginary_sign_turned": "the imaginary part is positive where the real part falls with the "
    "frequency, as in no cell. Is the column -Im(Z)?",
    "impedance_columns_swapped": "the real and the imaginary part fit each other only the other "
    "way round. Are the two columns swapped?",
}


def part_findings(
    frequency: Floats, real: Floats, imaginary: Floats, begins: npt.NDArray[np.intp]
) -> list[Finding]:
    """Return a finding if the two parts don't fit each other in most spectra of a file.

    Parameters
    ----------
    frequency, real, imaginary
        Hz and Ω, shape (n,), in the order of the file.
    begins
        Where each spectrum begins, shape (m,).

    """
    sizes = np.diff(np.append(begins, frequency.size))
    sweep = np.repeat(np.arange(begins.size), sizes)
    order = np.lexsort((frequency, sweep))
    frequency, real, imaginary = frequency[order], real[order], imaginary[order]

    def share(flags: npt.NDArray[np.bool_]) -> Floats:
        shares: Floats = np.add.reduceat(flags.astype(np.float64), begins) / sizes
        return shares

    change = np.diff(np.log(frequency)) * (sweep[1:] == sweep[:-1])
    fit = _correlation(change, real, imaginary, begins)
    other = _correlation(change, imaginary, real, begins)
    is_low = frequency < _INDUCTIVE
    is_negative, is_positive = share(real < 0) > _MOST, share(imaginary > 0) > _MOST
    is_positive &= share((imaginary > 0) & is_low) > _MOST * share(is_low)
    is_swapped = np.where(
        is_negative, is_positive & (other > np.maximum(fit, 0)), (other > _FITS) & (fit < _MOST)
    )
    shown = {
        "impedance_columns_swapped": is_swapped,
        "real_part_negative": is_negative & ~is_swapped,
        "imaginary_sign_turned": ~is_negative & is_positive & (fit < _CONTRADICTS),
    }
    checked = sizes >= _FEWEST
    number = int(checked.sum())
    for code, flags in shown.items():
        count = int((flags & checked).sum())
        if count > _MOST * number:
            which = "the spectrum" if number == 1 else f"{count:,} of {number:,} spectra"
            return [Finding("warning", code, f"In {which} {_SLIPS[code]}", count)]
    return []


def _correlation(
    change: Floats, one: Floats, other: Floats, begins: npt.NDArray[np.intp]
) -> Floats:
    """Return how one part's slope goes with the other part, for each spectrum: 1 as it must."""
    slope = np.diff(one) * (change > 0)
    mean = (other[1:] + other[:-1]) / 2 * change
    both, first, second = (
        np.add.reduceat(np.append(values, 0.0), begins)
        for values in (slope * mean, slope**2, mean**2)
    )
    size = np.sqrt(first * second)
    found: Floats = np.divide(both, size, out=np.zeros(begins.size), where=size > 0)
    return found
