"""Short circuits that only spectra show: those after a symmetric cell's last half cycle."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from cellpipe.analyses.symmetric_cells import Life
from cellpipe.numerics.cycling.symmetric import Stretches

_COLLAPSE = 0.3  # of the spectrum before, and of the last polarisation
_SAME_WARMTH = 3.0  # K between spectra, so that warmth does not explain it
_AS_LOW = 2.0  # times the lowest frequency of the spectrum before


def spectrum_shorts(
    life: Life, stretches: Stretches, impedance: pl.DataFrame
) -> list[dict[str, Any]]:
    """Return one short at most: the last spectrum's resistance has collapsed.

    Its largest real part is below 30 % of that of the spectrum before, down to the same frequency
    and at the same temperature, and of the polarisation of the last half cycle, which ended before
    it. Where a half cycle follows, its voltage tells.
    """
    spectra = _spectra(impedance)
    last = int(stretches.last[-1])
    if spectra.height < 2 or not np.isfinite(life.unix[last]):
        return []
    before, after = spectra.tail(2).to_dicts()
    ohm = after["real_impedance_ohm"]
    polarisation = abs(float(np.median(life.volt[last - 2 : last + 1]))) / stretches.ampere[-1]
    warmer = (
        None not in {before["celsius"], after["celsius"]}
        and abs(after["celsius"] - before["celsius"]) > _SAME_WARMTH
    )
    as_low = after["frequency_hertz"] <= _AS_LOW * before["frequency_hertz"]
    least = _COLLAPSE * min(before["real_impedance_ohm"], polarisation)
    if warmer or not as_low or after["unix_time_second"] < life.unix[last] or not 0 < ohm < least:
        return []
    return [{
        "kind": "open", "sign": "spectra", "end_hour": None, "stretch": len(stretches.first),
        "start_hour": float(after["unix_time_second"] - life.unix[0]) / 3600,
        "start_unix_time_second": after["unix_time_second"],
        "current_ampere": float(stretches.ampere[-1]),
        "before_ohm": before["real_impedance_ohm"], "after_ohm": ohm,
    }]  # fmt: skip


def _spectra(impedance: pl.DataFrame) -> pl.DataFrame:
    """Return time, largest real part, lowest frequency and temperature of each spectrum."""
    if impedance.is_empty() or "unix_time_second" not in impedance.columns:
        return pl.DataFrame()
    keys = [name for name in ("file_sha256", "spectrum") if name in impedance.columns]
    warmth = [name for name in impedance.columns if name.endswith("_celsius")]
    celsius = pl.col(warmth[0]).mean() if warmth else pl.lit(None, pl.Float64).first()
    spectra = impedance.group_by(keys, maintain_order=True).agg(
        pl.col("unix_time_second").min(), pl.col("real_impedance_ohm").max(),
        pl.col("frequency_hertz").min(), celsius=celsius,
    )  # fmt: skip
    return spectra.drop_nulls("unix_time_second").sort("unix_time_second")
