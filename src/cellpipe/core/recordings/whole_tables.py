"""Which tables of a file are checked and put right as a whole, beside each of their rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

    from cellpipe.core.model import Finding
    from cellpipe.core.recordings.repairs import Repair


def repair_whole(name: str, table: pl.DataFrame) -> Repair | None:
    """Put a valid table right where the rest of it tells what is wrong; None for most tables."""
    if name != "timeseries":
        return None
    from cellpipe.core.recordings.repairs import repair_recording  # numpy: when needed

    return repair_recording(table)


def whole_findings(name: str, table: pl.DataFrame) -> list[Finding]:
    """Return what a valid table says against itself as a whole; nothing for most tables."""
    if name == "timeseries":
        from cellpipe.core.recordings.timeseries import recording_findings  # numpy: when needed

        return recording_findings(table)
    if name == "impedance":
        from cellpipe.core.recordings.spectra import spectrum_findings

        return spectrum_findings(table)
    return []
