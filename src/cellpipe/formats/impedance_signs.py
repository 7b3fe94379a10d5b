"""Give the imaginary part of impedance spectra the sign that the real part tells, and say so.

An export may hold −Z″ under a name for Z″, or turn the sign twice. The real part is the witness:
only one of a spectrum and its conjugate obeys the Kramers–Kronig relations, and a passive cell's
obeys them with the imaginary part negative where it is not inductive.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from cellpipe.core.errors import CellpipeError
from cellpipe.core.model import Finding
from cellpipe.numerics.impedance.kramers_kronig import FEWEST, has_reversed_sign
from cellpipe.numerics.impedance.spectra import clean_spectrum

_IMAGINARY = "imaginary_impedance_ohm"
_MOSTLY = 0.5


def turn_reversed_spectra(table: pl.DataFrame) -> tuple[pl.DataFrame, tuple[Finding, ...]]:
    """Return an ``impedance`` with the sign of its imaginary part right, and a finding if turned.

    A spectrum is turned if it contradicts the relations and its conjugate does not; one that is too
    short for the test and mostly positive is turned with the others, where all of those are.
    """
    positive = pl.col(_IMAGINARY) > 0
    shares = table.group_by("spectrum", maintain_order=True).agg(positive.mean().alias("share"))
    suspects = shares.filter(pl.col("share") > _MOSTLY)["spectrum"].to_list()
    if not suspects:
        return table, ()
    told = [number for number in suspects if _is_reversed(table, number)]
    if len(suspects) == shares.height and len(told) > _MOSTLY * len(suspects):
        told = suspects
    if not told:
        return table, _doubts(table, suspects)
    is_turned = pl.col("spectrum").is_in(told)
    turned = table.with_columns(
        pl.when(is_turned).then(-pl.col(_IMAGINARY)).otherwise(pl.col(_IMAGINARY))
        .alias(_IMAGINARY)
    )  # fmt: skip
    some = f"In {len(told):,} of {shares.height:,} spectra"
    which = "In the spectrum" if shares.height == 1 else some
    sentence = (
        f"{which} the sign of the imaginary part is reversed: it is positive where a cell's is "
        "negative, and only turned round it agrees with the real part (Kramers–Kronig). It is "
        "turned in all tables and figures; check which of Im(Z) and -Im(Z) was exported."
    )
    return turned, (Finding("warning", "imaginary_sign_turned", sentence, len(told)),)


def _doubts(table: pl.DataFrame, suspects: list[int]) -> tuple[Finding, ...]:
    """Return a finding about spectra too short for the test whose real part speaks against it."""
    short = [
        number for number in suspects
        if (points := table.filter(pl.col("spectrum") == number)).height < FEWEST
        and float(points.select(pl.corr("frequency_hertz", "real_impedance_ohm", method="spearman"))
                  .item() or 0.0) < -_MOSTLY
    ]  # fmt: skip
    if not short:
        return ()
    sentence = (
        f"The imaginary part of {len(short):,} spectra is positive where the real part falls with "
        f"the frequency; with fewer than {FEWEST} frequencies that is no proof, and nothing is "
        "turned. Is the column -Im(Z)?"
    )
    return (Finding("warning", "imaginary_sign_doubtful", sentence, len(short)),)


def _is_reversed(table: pl.DataFrame, number: int) -> bool:
    points = table.filter(pl.col("spectrum") == number)
    real, imaginary = points["real_impedance_ohm"].to_numpy(), points[_IMAGINARY].to_numpy()
    try:
        usable = clean_spectrum(points["frequency_hertz"].to_numpy(), real + 1j * imaginary)
    except CellpipeError:
        return False
    return has_reversed_sign(np.asarray(usable.frequency), np.asarray(usable.impedance))
