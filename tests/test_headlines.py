"""A number of a spectrum stands alone only if residual, own error and Kramers–Kronig let it."""

from __future__ import annotations

from types import SimpleNamespace

import polars as pl
import pytest

from cellpipe.analyses import cells, impedance_rows
from cellpipe.core import contracts
from cellpipe.core.model import Cell
from cellpipe.handoff.record import result_values
from cellpipe.report.excel.lab_workbook import cell_columns
from cellpipe.report.html.index import cell_row
from cellpipe.report.key_numbers import key_numbers
from cellpipe.report.wording import format_with_error, kind_words

PELLET = Cell("P", configuration="symmetric", area_cm2=0.785, electrolyte_thickness_um=700.0)
GOOD = {"relative_residual": 0.004, "valid": True, "violation": 0.001}


def remark(value: float, error: float | None, **doubt: object) -> str | None:
    """Ask the one rule, for a fit of which this is known."""
    known = GOOD | doubt
    test = SimpleNamespace(valid=known["valid"], violation=known["violation"])
    fit = SimpleNamespace(relative_residual=known["relative_residual"], kramers_kronig=test)
    return impedance_rows.headline_remark(fit, value, error)  # type: ignore[arg-type]


def test_each_of_the_three_witnesses_is_enough_to_take_a_number_back() -> None:
    assert remark(50.0, 1.0) is None
    assert "misses" in str(remark(50.0, 1.0, relative_residual=0.05))
    assert "determine" in str(remark(50.0, None))
    assert "determine" in str(remark(50.0, 40.0))
    assert "Kramers" in str(remark(50.0, 1.0, valid=False, violation=0.05))
    assert remark(50.0, 1.0, valid=False, violation=0.002) is None  # too little to matter


def spectra(*rows: dict[str, object]) -> pl.DataFrame:
    usual = {
        "cell_id": "P", "file_sha256": "0" * 64, "spectrum_in_file": 1, "series": 1, "state": 1,
        "circuit": "R0-p(R1,CPE1)", "frequencies": 50, "frequencies_left_out": 0,
        "identifiable": True,
    }  # fmt: skip
    made = [usual | {"spectrum": number} | row for number, row in enumerate(rows, 1)]
    frame = pl.DataFrame(made, schema_overrides=contracts.empty_table(_TABLE).schema)
    return contracts.validate(_TABLE, pl.concat([contracts.empty_table(_TABLE), frame],
                                                how="diagonal"))  # fmt: skip


_TABLE = "interfacial_resistance"


def resistance(ohm: float, error: float, why: str | None = None) -> dict[str, object]:
    return {
        "interfacial_resistance_ohm": ohm, "interfacial_resistance_standard_error_ohm": error,
        "areal_interfacial_resistance_ohm_cm2": 0.5 * ohm, "interfacial_resistance_remark": why,
    }  # fmt: skip


def conductivity(value: float | None, why: str | None = None) -> dict[str, object]:
    return {
        "interfacial_resistance_remark": "no arc of an interface",
        "identifiable": False,
        "ionic_conductivity_siemens_per_cm": value,
        "ionic_conductivity_standard_error_siemens_per_cm": None if value is None else 0.02 * value,
        "ionic_conductivity_remark": why,
    }


def summary(table: pl.DataFrame) -> pl.DataFrame:
    tables = {name: contracts.empty_table(name) for name in cells.ANALYSIS.needs}
    (result, *_) = cells.ANALYSIS.compute(PELLET, tables | {_TABLE: table})
    return contracts.validate("cells", result.table)


def head(table: pl.DataFrame) -> dict[str, tuple[str, str]]:
    numbers = key_numbers(table, kind_words(PELLET))
    return {number.name: (number.value, number.basis) for number in numbers}


def test_spectra_with_a_remark_are_passed_over_for_the_first_and_the_last() -> None:
    bad = resistance(9.0, 0.1, "the circuit misses the spectrum by 40.0% of |Z|")
    found = summary(spectra(bad, resistance(40.0, 2.0), resistance(60.0, 3.0), bad))
    row = found.row(0, named=True)
    assert (row["first_interfacial_resistance_ohm"], row["last_interfacial_resistance_ohm"]) == (
        40, 60,
    )  # fmt: skip
    assert row["last_areal_interfacial_resistance_standard_error_ohm_cm2"] == pytest.approx(1.5)
    assert head(found)["Interfacial resistance"][0] == "20.0 ± 1.0 → 30.0 ± 1.5 Ω cm²"
    assert cell_row(row, 0, None)["resistance"][0] == "20.0 ± 1.0 → 30.0 ± 1.5"


def test_where_no_spectrum_may_stand_there_is_a_dash_with_the_reason_everywhere() -> None:
    why = "the spectrum contradicts the Kramers–Kronig relations"
    found = summary(spectra(resistance(9.0, 0.1, why), resistance(8.0, 0.1, why)))
    assert head(found)["Interfacial resistance"] == ("–", why)
    assert cell_row(found.row(0, named=True), 0, None)["resistance"][0] == "–"
    stored = {value.identifier: value.value for value in result_values(found)}
    assert stored["result.interfacial_resistance_remark"] == why
    assert not [name for name in stored if "interfacial_resistance_ohm" in name]
    shown = {column.head: column.values for column in cell_columns(found)}
    assert shown["First interfacial resistance (Ω)"] == [None]
    assert shown["Why no interfacial resistance"] == [why]


def test_a_conductivity_stands_with_its_error_in_head_workbook_and_archive_or_says_why() -> None:
    found = summary(spectra(conductivity(2e-3), conductivity(None, "why not")))
    assert head(found)["Ionic conductivity"][0] == "0.00200 ± 4.0e−5 S/cm"
    stored = {value.identifier: value for value in result_values(found)}
    error = stored["result.ionic_conductivity_standard_error_siemens_per_cm"]
    assert error.value == pytest.approx(4e-5)
    assert error.unit == "S cm⁻¹"
    shown = {column.head: column.values for column in cell_columns(found)}
    assert shown["Ionic conductivity (S/cm)"] == [2e-3]
    none = summary(spectra(conductivity(None, "why not")))
    assert head(none)["Ionic conductivity"] == ("–", "why not")
    assert "Ionic conductivity" not in head(summary(spectra(resistance(9.0, 0.1))))


def test_a_resistance_is_shown_with_its_error_or_a_question_mark() -> None:
    assert format_with_error(50.0, 1.0) == "50.0 ± 1.0"
    assert format_with_error(50.0, 30.0) == "50.0 ± 30 ?"
    assert format_with_error(50.0, None) == "50.0 ?"
    assert format_with_error(None, None) == "–"
