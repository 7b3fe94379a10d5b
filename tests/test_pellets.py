"""Spectra in tables: a pellet's conductivity, and why there is no interfacial resistance."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from cellpipe.analyses import circuit_fits
from cellpipe.core import contracts
from cellpipe.core.model import Cell
from cellpipe.numerics.impedance.circuits import evaluate_circuit, parse_circuit

PELLET = Cell("P", configuration="symmetric", area_cm2=0.785, electrolyte_thickness_um=700.0)
BLOCKING = ("R0-p(R1,CPE1)-CPE2", [20.0, 40.0, 3e-9, 0.95, 5e-6, 0.9])
INTERFACE = ("R0-p(R1,CPE1)-W1", [20.0, 60.0, 6e-6, 0.9, 4.0])


def fitted(
    circuit: tuple[str, list[float]], cell: Cell, *, sign: float = 1.0, points: int = 57,
    given: str | None = None,
) -> tuple[dict[str, object], set[str]]:  # fmt: skip
    """Fit one made spectrum; return the row of interfacial_resistance and the findings' codes."""
    frequency = np.geomspace(1e6, 0.1, points)
    z = evaluate_circuit(parse_circuit(circuit[0]), frequency, np.array(circuit[1]))[0]
    noise = np.random.default_rng(4).standard_normal((2, points))
    z = z + 0.003 * np.abs(z) * (noise[0] + 1j * noise[1])
    impedance = pl.DataFrame({
        "file_sha256": ["0" * 64] * points, "spectrum_in_file": 1, "spectrum": 1,
        "frequency_hertz": frequency, "real_impedance_ohm": z.real,
        "imaginary_impedance_ohm": sign * z.imag, "test_time_second": 0.0,
        "unix_time_second": 1.7e9, "voltage_volt": 3.0,
    })  # fmt: skip
    cycles = pl.DataFrame({"start_unix_time_second": []}, schema={"start_unix_time_second": float})
    results = circuit_fits.fit_spectra(cell, {"impedance": impedance, "cycles": cycles}, given)
    for result in results:
        contracts.validate(result.analysis, result.table)
    return results[-1].table.row(0, named=True), {f.code for f in results[-1].findings}


def test_an_ion_blocking_pellet_has_a_conductivity_and_no_interface() -> None:
    row, codes = fitted(BLOCKING, PELLET)
    assert row["interfacial_resistance_ohm"] is None
    assert "no arc of an interface" in str(row["interfacial_resistance_remark"])
    assert row["series_resistance_ohm"] == pytest.approx(60, rel=0.02)
    assert row["ionic_conductivity_siemens_per_cm"] == pytest.approx(0.07 / 0.785 / 60, rel=0.02)
    share = float(str(row["series_resistance_standard_error_ohm"])) / 60
    assert row["ionic_conductivity_standard_error_siemens_per_cm"] == pytest.approx(
        share * 0.07 / 0.785 / 60, rel=0.05
    )
    assert row["ionic_conductivity_remark"] is None
    assert "ion_blocking" in codes


def test_without_a_thickness_or_in_another_cell_there_is_no_conductivity() -> None:
    for cell in (
        Cell("P", configuration="symmetric", area_cm2=0.785),
        Cell("P", configuration="full", area_cm2=0.785, electrolyte_thickness_um=700.0),
    ):
        assert fitted(BLOCKING, cell)[0]["ionic_conductivity_siemens_per_cm"] is None  # fmt: skip


def test_a_resistance_that_holds_has_no_remark_and_a_reversed_sign_has_one() -> None:
    row, codes = fitted(INTERFACE, PELLET)
    assert row["interfacial_resistance_ohm"] == pytest.approx(60, rel=0.02)
    assert row["interfacial_resistance_remark"] is None
    turned, said = fitted(INTERFACE, PELLET, sign=-1.0)
    assert turned["interfacial_resistance_ohm"] == pytest.approx(60, rel=0.02)
    assert "sign" in str(turned["interfacial_resistance_remark"])
    assert "imaginary_sign_reversed" in said - codes


def test_a_circuit_that_misses_the_spectrum_gives_no_headline() -> None:
    row, _ = fitted(INTERFACE, PELLET, given="R0-p(R1,C1)")
    assert row["interfacial_resistance_remark"] is not None
    assert row["ionic_conductivity_siemens_per_cm"] is None
    assert "misses" in str(row["ionic_conductivity_remark"])


def test_six_frequencies_are_fitted_with_a_given_circuit_only() -> None:
    row, _ = fitted(INTERFACE, PELLET, points=6, given="R0-p(R1,CPE1)-W1")
    assert row["interfacial_resistance_ohm"] == pytest.approx(60, rel=0.05)
    short, codes = fitted(INTERFACE, PELLET, points=6)
    assert short["circuit"] is None
    assert "spectrum_too_short" in codes


def test_an_arc_of_an_interface_before_a_blocking_electrode_leaves_no_conductivity() -> None:
    row, _ = fitted(("R0-p(R1,CPE1)-CPE2", [2.0, 9.0, 2e-5, 0.9, 3e-3, 0.95]), PELLET)
    assert row["interfacial_resistance_ohm"] == pytest.approx(9, rel=0.1)
    assert row["ionic_conductivity_siemens_per_cm"] is None
    assert "may be the electrolyte's" in str(row["ionic_conductivity_remark"])
    through, _ = fitted(INTERFACE, PELLET)  # a cell whose ions cross the interface
    assert through["ionic_conductivity_siemens_per_cm"] == pytest.approx(
        0.07 / 0.785 / 20, rel=0.02
    )
