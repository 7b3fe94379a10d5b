"""A fitted series is a sequence of fits, a table, and a few lines of text."""

from __future__ import annotations

import collections.abc
import re
from functools import cache

import numpy as np
import polars as pl
import pytest
from made_spectra import FREQUENCY, SERIES_CIRCUIT, series

import cellpipe
from cellpipe.core.errors import CellpipeError
from cellpipe.core.model import Cell
from cellpipe.numerics.impedance.parameter_table import wide_headers, widen_parameters


@cache
def fitted(*constraints: str) -> cellpipe.ImpedanceSeries:
    made = series("separated", 1, 5)
    return cellpipe.fit_impedance_series(
        FREQUENCY, made.impedance, SERIES_CIRCUIT, 1e5 * made.time,
        parameters=constraints or None, area_cm2=1.0,
    )  # fmt: skip


def test_a_series_is_a_sequence_of_its_fits() -> None:
    found = fitted()
    assert isinstance(found, collections.abc.Sequence)
    assert len(found) == 5
    assert list(found) == list(found.fits)
    assert found[0] is found.fits[0]
    assert found[-1] is found.fits[4]
    assert found.index(found[2]) == 2
    assert found[1] in found
    assert list(reversed(found)) == list(found.fits)[::-1]
    with pytest.raises(IndexError):
        found[5]


def test_a_slice_is_a_series_of_the_same_numbers() -> None:
    found, part = fitted(), fitted()[1:4]
    assert isinstance(part, cellpipe.ImpedanceSeries)
    assert part.fits == found.fits[1:4]
    assert part.values["R1"] == pytest.approx(found.values["R1"][1:4])
    assert part.time_second == pytest.approx(found.time_second[1:4])
    assert part.joint is not None
    assert part.joint.theta == pytest.approx(found.joint.theta[1:4])
    assert part.single.shape[0] == 3
    assert part.circuit == found.circuit


def test_backwards_there_are_no_times_and_of_nothing_nothing() -> None:
    assert fitted()[::-1].time_second is None
    assert fitted()[::-1].values["R1"] == pytest.approx(fitted().values["R1"][::-1])
    none = fitted()[5:]
    assert (len(none), none.values, none.precisions, none.flags, none.circuit) == (
        0,
        {},
        {},
        (),
        "",
    )
    assert none.to_frame().is_empty()
    assert repr(none) == "ImpedanceSeries of no spectra"


def test_precisions_are_those_of_the_fits() -> None:
    found = fitted()
    for name, precision in found.precisions.items():
        assert precision == pytest.approx([fit.precisions[name] for fit in found], nan_ok=True)
        whole = found.standard_errors[name]
        assert (precision <= whole * (1 + 1e-9)).all()


def test_the_frame_has_one_row_a_spectrum_with_values_errors_and_flags() -> None:
    found = fitted("R0=12.5")
    frame = found.to_frame()
    assert frame.height == 5
    assert frame["spectrum"].to_list() == [1, 2, 3, 4, 5]
    assert frame["time_second"].to_numpy() == pytest.approx(found.time_second)
    for name in found.values:
        assert frame[name].to_numpy() == pytest.approx(found.values[name])
        assert frame[f"{name}_identifiable"].to_list() == found.identifiable[name].tolist()
        for ending, errors in (("standard_error", found.standard_errors),
                               ("precision", found.precisions)):  # fmt: skip
            column = frame[f"{name}_{ending}"]
            assert column.fill_null(np.nan).to_numpy() == pytest.approx(errors[name], nan_ok=True)
    assert frame["R0_standard_error"].null_count() == 5  # fixed: no error
    assert not frame.select(pl.selectors.float().is_nan().any()).row(0).count(True)
    assert frame["flags"].to_list() == [list(flags) for flags in found.flags]
    assert "time_second" not in fitted()[::-1].to_frame().columns


def test_the_texts_are_short_and_have_no_arrays() -> None:
    found = fitted("R0=12.5", "n1<0.7")
    for thing in (found, found[0], found[0].fit, found[0].fit.spectrum):
        text = repr(thing)
        assert len(text.splitlines()) <= 10, text
        assert max(map(len, text.splitlines())) <= 120
        assert "array" not in text
    one = repr(fitted()[0])
    value, error = fitted()[0].values["R1"], fitted()[0].standard_errors["R1"]
    shown = re.search(r"R1 = (\S+) ± (\S+) Ω", one)
    assert shown is not None
    assert abs(float(shown[1]) - value) < 0.1 * error
    assert float(shown[2]) == pytest.approx(error, rel=0.06)
    assert "R0 = 12.5 Ω (fixed)" in repr(found)
    assert "CPE1_n = 0.7 (at its bound)" in repr(found[0])
    assert "residual" in one
    assert "see .flags" in repr(found[0])


def test_what_the_data_does_not_determine_has_its_mark() -> None:
    z = series("separated", 1, 2).impedance[0]
    fit = cellpipe.fit_impedance(FREQUENCY, z, SERIES_CIRCUIT.replace("-W1", "-p(R3,CPE3)-W1"))
    assert not all(fit.identifiable.values())
    assert " ?" in repr(fit)


def test_a_spectrum_is_told_by_its_ranges() -> None:
    z = series("separated", 1, 2).impedance[0]
    text = repr(cellpipe.fit_impedance(FREQUENCY, z, SERIES_CIRCUIT).fit.spectrum)
    assert text.startswith("Spectrum of 81 frequencies, 1e+06 to 0.01 Hz, |Z| ")
    assert text.endswith(" Ω")


def test_the_wide_table_holds_the_numbers_of_the_long_one() -> None:
    from cellpipe.analyses.impedance_rows import circuit_fit_rows

    found = fitted()
    rows = [row for k, fit in enumerate(found) for row in circuit_fit_rows(Cell("A"), k + 1, fit)]
    long = pl.DataFrame(rows)
    wide, frame = widen_parameters(long), found.to_frame()
    assert wide.height == 5
    assert wide.width == 3 + 4 * len(found.values)
    for name in found.values:
        assert wide[name].to_list() == frame[name].to_list()
        assert wide[f"{name}_identifiable"].to_list() == frame[f"{name}_identifiable"].to_list()
    heads = wide_headers(long)
    assert heads["R0"] == "R0 (Ω)"
    assert heads["CPE1_Q_standard_error"] == "CPE1_Q, standard error (Ω⁻¹ sⁿ)"
    assert heads["CPE1_n"] == "CPE1_n"
    assert heads["R0_identifiable"] == "R0, determined"


def test_circuits_with_other_elements_leave_their_columns_empty() -> None:
    from cellpipe.analyses.impedance_rows import circuit_fit_rows

    z = series("separated", 1, 2).impedance[0]
    fits = [cellpipe.fit_impedance(FREQUENCY, z, text) for text in (SERIES_CIRCUIT, "R0-p(R1,C1)")]
    rows = [row for k, fit in enumerate(fits) for row in circuit_fit_rows(Cell("A"), k + 1, fit)]
    wide = widen_parameters(pl.DataFrame(rows))
    assert wide["W1"].is_null().to_list() == [False, True]
    assert wide["C1"].is_null().to_list() == [True, False]
    assert wide["R1"].null_count() == 0


def test_what_is_no_table_of_fits_is_refused() -> None:
    with pytest.raises(CellpipeError, match="no column element"):
        widen_parameters(pl.DataFrame({"spectrum": [1]}))
