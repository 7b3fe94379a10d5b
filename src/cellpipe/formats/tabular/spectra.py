"""Number the spectra of a table whose points stand one below the other."""

from __future__ import annotations

import numpy as np
import polars as pl

from cellpipe.numerics.impedance.spectra import spectrum_numbers

POINT = ("frequency_hertz", "real_impedance_ohm", "imaginary_impedance_ohm")
IS_POINT = pl.all_horizontal(
    pl.col(POINT).is_not_null(), pl.col(POINT[0]).is_between(0, 1e300, closed="right")
)


def number_spectra(frame: pl.DataFrame) -> pl.DataFrame:
    """Return points with the numbers of their spectra; what is no point counts to that before.

    ``frame`` has ``record_index`` and the three columns of a point; an own number of the spectrum
    in ``sweep`` goes before what the frequencies say.
    """
    is_point = frame.select(IS_POINT.fill_null(value=False)).to_series()
    points = frame.filter(is_point)
    others = (~is_point).cum_sum().cast(pl.Int64).filter(is_point)
    index = points["record_index"] - others  # what can't be used does not end a spectrum
    sweeps = points.get_column("sweep", default=pl.Series(dtype=pl.Float64))
    if sweeps.null_count() == 0 and sweeps.n_unique() > 1:
        numbers = np.asarray((sweeps.diff() != 0).fill_null(value=False).cum_sum()) + 1
    else:
        numbers = spectrum_numbers(points["frequency_hertz"].to_numpy(), index.to_numpy())
    places = pl.Series(is_point.arg_true(), dtype=pl.UInt32)
    spectrum = pl.Series([None] * frame.height, dtype=pl.Int64).scatter(
        places, pl.Series(numbers, dtype=pl.Int64)
    )
    filled = spectrum.fill_null(strategy="forward").fill_null(1)
    return frame.drop("sweep", strict=False).with_columns(spectrum=filled)
