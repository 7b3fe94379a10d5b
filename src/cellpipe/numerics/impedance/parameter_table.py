"""Tables of fitted parameters, one row a spectrum, with a column for each value and its errors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from cellpipe.core.errors import CellpipeError
from cellpipe.numerics.impedance.short_text import unit_sign

if TYPE_CHECKING:
    from cellpipe.numerics.impedance.fit import ImpedanceFit

# Of each parameter: column of the long table, ending of the wide one's, and what a header says.
_PARTS = (
    ("value", "", ""),
    ("standard_error", "_standard_error", ", standard error"),
    ("precision", "_precision", ", of that noise"),
    ("identifiable", "_identifiable", ", determined"),
)


def fits_frame(fits: Sequence[ImpedanceFit], time_second: np.ndarray | None) -> pl.DataFrame:
    """Return one row a spectrum: number, time, circuit, parameters with errors, and flags.

    A parameter ``R0`` has the columns ``R0``, ``R0_standard_error``, ``R0_precision`` and
    ``R0_identifiable``, in its unit; an error that the data does not give is null.
    """
    columns: dict[str, object] = {"spectrum": np.arange(1, len(fits) + 1)}
    if time_second is not None:
        columns["time_second"] = time_second
    columns["circuit"] = [fit.circuit for fit in fits]
    for name in fits[0].names if fits else []:
        for part, ending, _ in _PARTS:
            source = {"value": "values"}.get(part, f"{part}s" if part != "identifiable" else part)
            columns[name + ending] = [getattr(fit, source)[name] for fit in fits]
    columns["relative_residual"] = [fit.relative_residual for fit in fits]
    columns["frequencies"] = [int(np.count_nonzero(fit.used)) for fit in fits]
    columns["flags"] = pl.Series([list(fit.flags) for fit in fits], dtype=pl.List(pl.String))
    types = {"circuit": pl.String, "relative_residual": pl.Float64, "frequencies": pl.Int64}
    frame = pl.DataFrame(columns, schema_overrides=types)
    return frame.with_columns(pl.selectors.float().fill_nan(None))


def widen_parameters(fits: pl.DataFrame) -> pl.DataFrame:
    """Return the table ``circuit_fits`` wide: one row a spectrum, a column for each parameter.

    Parameters
    ----------
    fits
        A ``circuit_fits``, of one cell or of several, as ``results["circuit_fits"].collect()``.

    Returns
    -------
    Cell, spectrum, circuit, and for each parameter its value, ``_standard_error``, ``_precision``
    and ``_identifiable``, in the parameter's unit; null where a circuit does not have it.

    Raises
    ------
    CellpipeError
        If columns of ``circuit_fits`` are missing.

    """
    missing = {"spectrum", "element", "parameter", *(part for part, *_ in _PARTS)} - {*fits.columns}
    if missing:
        raise CellpipeError(
            f"no column {', '.join(sorted(missing))}", expected="the table circuit_fits",
            remedy='take results["circuit_fits"].collect()',
        )  # fmt: skip
    keys = [name for name in ("cell_id", "spectrum", "circuit") if name in fits.columns]
    table = _with_names(fits)
    wide = table.select(keys).unique(maintain_order=True)
    for name in table["name"].unique(maintain_order=True):
        parts = [pl.col(part).alias(name + ending) for part, ending, _ in _PARTS]
        rows = table.filter(pl.col("name") == name).select(*keys, *parts)
        wide = wide.join(rows, on=keys, how="left", nulls_equal=True, maintain_order="left")
    return wide


def wide_headers(fits: pl.DataFrame) -> dict[str, str]:
    """Return the headers of the columns of :func:`widen_parameters`, with their units."""
    return dict(_headers(_with_names(fits)))


def _with_names(fits: pl.DataFrame) -> pl.DataFrame:
    """Return the long table with the name of each parameter: R0, CPE1_Q, CPE1_n."""
    several = pl.col("parameter").n_unique().over("element") > 1
    joined = pl.col("element") + "_" + pl.col("parameter")
    return fits.with_columns(name=pl.when(several).then(joined).otherwise("element"))


def _headers(table: pl.DataFrame) -> Iterator[tuple[str, str]]:
    for name, unit in (
        table.unique("name", keep="first", maintain_order=True).select("name", "unit").iter_rows()
    ):
        of = "" if unit == "1" else f" ({unit_sign(unit)})"
        for part, ending, words in _PARTS:
            yield name + ending, f"{name}{words}{of if part != 'identifiable' else ''}"
