"""Claims: what is said of a cell's spectra as a series, on made cells and real files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from cellpipe.analyses import activation_energies, circuit_fits, resistance_growth
from cellpipe.analyses.spectrum_states import charge_since_full
from cellpipe.cli.main import main
from cellpipe.core import contracts
from cellpipe.core.model import Cell, Finding
from cellpipe.numerics.impedance.circuits import circuit_impedance
from cellpipe.pipeline.single_file import fit_file
from cellpipe.report.growth_sentences import law_sentence
from cellpipe.report.series_sentences import change_sentence, energy_sentence

FREQUENCY = np.geomspace(1e6, 1e-2, 57)
CIRCUIT = "R0-p(R1,CPE1)-p(R2,CPE2)-W1"
CELL = Cell("A", area_cm2=1.0, stack_pressure_mpa=5.0)
Values = dict[tuple[str, str], float]
START: Values = {
    ("R0", "R"): 10.0, ("R1", "R"): 40.0, ("CPE1", "Q"): 2e-6, ("CPE1", "n"): 0.95,
    ("R2", "R"): 60.0, ("CPE2", "Q"): 3e-4, ("CPE2", "n"): 0.95, ("W1", "sigma"): 3.0,
}  # fmt: skip


def made(
    changes: list[Values], voltage: float = 3.7, celsius: list[float] | None = None
) -> dict[str, pl.DataFrame]:
    """Make a cell's spectra, a day apart, each with the start values times these factors."""
    rng = np.random.default_rng(11)
    frames = []
    for k, change in enumerate(changes):
        values = {key: value * change.get(key, 1.0) for key, value in START.items()}
        z = circuit_impedance(CIRCUIT, values, FREQUENCY)
        draws = rng.standard_normal((2, len(z)))
        z = z + 0.003 * np.abs(z) * (draws[0] + 1j * draws[1])
        frames.append(pl.DataFrame({
            "spectrum": k + 1, "spectrum_in_file": k + 1, "file_sha256": "a" * 64,
            "test_time_second": 86400.0 * k, "unix_time_second": 1.7e9 + 86400.0 * k,
            "frequency_hertz": FREQUENCY, "real_impedance_ohm": z.real,
            "imaginary_impedance_ohm": z.imag, "voltage_volt": voltage,
            "ambient_temperature_celsius": None if celsius is None else celsius[k],
        }, schema_overrides={"ambient_temperature_celsius": pl.Float64}))  # fmt: skip
    return {"impedance": pl.concat(frames), "cycles": contracts.empty_table("cycles")}


def analysed(tables: dict[str, pl.DataFrame]) -> tuple[dict[str, pl.DataFrame], list[Finding]]:
    results = list(circuit_fits.fit_spectra(CELL, tables, CIRCUIT))
    found = {r.analysis: contracts.validate(r.analysis, r.table) for r in results}
    for analysis in (resistance_growth.ANALYSIS, activation_energies.ANALYSIS):
        more = analysis.compute(CELL, {**tables, **found})
        found |= {r.analysis: contracts.validate(r.analysis, r.table) for r in more}
        results += more
    return found, [finding for result in results for finding in result.findings]


def scaled(arcs: tuple[int, ...], factor: float) -> Values:
    """Return arcs with R times a factor and C divided by it."""
    out: Values = {}
    for arc in arcs:
        out |= {(f"R{arc}", "R"): factor, (f"CPE{arc}", "Q"): 1 / factor}
    return out


@pytest.mark.parametrize(
    ("last", "explanation", "said"),
    [
        (scaled((1, 2), 1.8), "contact", "contact was lost: the area is 0.55"),
        (scaled((1,), 1.8), "film", "the film of arc 1 changed its thickness"),
        ({("R0", "R"): 1.8}, "leads", "only the series resistance changed"),
        ({("R1", "R"): 1.8}, "none of these", "neither contact, a thicker film nor leads"),
        (scaled((1,), 2.4) | scaled((2,), 1.5), "contact and film", "the film of arc 1 grew"),
        ({}, "unchanged", "nothing changed beyond the errors"),
    ],
)
def test_what_changed_an_interface_is_said_with_its_odds(
    last: Values, explanation: str, said: str
) -> None:
    steps = np.linspace(0, 1, 6)
    courses = [{key: float(value**step) for key, value in last.items()} for step in steps]
    found, _ = analysed(made(courses))
    row = found["interface_changes"].row(0, named=True)
    assert row["explanation"] == explanation
    assert row["arcs"] == 2
    assert row["stack_pressure_mpa"] == 5.0
    sentence = change_sentence(row)
    assert said in sentence
    assert "at 5 MPa of stack pressure" in sentence


def test_a_spectrum_that_stands_apart_is_named_and_weighs_nothing() -> None:
    growing: list[Values] = [scaled((1,), 1 + 0.1 * k) for k in range(8)]
    spoilt = list(growing)
    spoilt[0] = spoilt[0] | {("R0", "R"): 6.0}
    found, findings = analysed(made(spoilt))
    whole, _ = analysed(made(growing))
    table = found["interfacial_resistance"]
    assert "60 Ω" not in (said := str(table["left_out_of_series"][0]))
    assert "more in series" in said
    assert table["left_out_of_series"].null_count() == 7
    assert any(f.code == "spectrum_odd" and "Spectrum 1" in f.sentence for f in findings)
    laws = [one["resistance_growth"].filter(arc="all").row(0, named=True) for one in (found, whole)]
    assert laws[0]["spectra"] == 7
    assert laws[0]["first_resistance_ohm"] == pytest.approx(
        whole["interfacial_resistance"]["interfacial_resistance_ohm"][1], rel=0.01
    )
    assert laws[0]["law"] in {laws[1]["law"], "no simple law"}


def test_steps_of_the_temperature_are_no_growth_and_give_activation_energies() -> None:
    celsius = [25.0] * 3 + [40.0] * 3 + [60.0] * 3
    inverse = 1 / (8.617333262e-5 * (np.array(celsius) + 273.15))
    courses: list[Values] = [
        {("R1", "R"): float(np.exp(0.45 * (x - inverse[0]))),
         ("R2", "R"): float(np.exp(0.60 * (x - inverse[0]))),
         ("R0", "R"): float(np.exp(0.30 * (x - inverse[0])) * (t + 273.15) / 298.15)}
        for x, t in zip(inverse, celsius, strict=True)
    ]  # fmt: skip
    found, findings = analysed(made(courses, celsius=celsius))
    assert found["interfacial_resistance"]["state"].to_list() == [1, 1, 1, 2, 2, 2, 3, 3, 3]
    assert found["interfacial_resistance"]["series"].unique().to_list() == [1]
    assert any(f.code == "temperature_steps" and "25, 40, 60 °C" in f.sentence for f in findings)
    whole = found["resistance_growth"].filter(arc="all")
    ratio = whole["last_resistance_ohm"] / whole["first_resistance_ohm"]
    assert ratio.to_list() == pytest.approx([1, 1, 1], rel=0.01)
    rows = {row["arc"]: row for row in found["activation_energies"].to_dicts()}
    for arc, energy, line in (("1", 0.45, "ln(1/R)"), ("2", 0.60, "ln(1/R)"),
                              ("series", 0.30, "ln(T/R)")):  # fmt: skip
        row = rows[arc]
        assert row["straight_line_of"] == line
        assert row["activation_energy_ev"] == pytest.approx(energy, abs=0.01)
        assert row["activation_energy_low_ev"] < energy < row["activation_energy_high_ev"]
        assert "kJ/mol" in energy_sentence(row)
        assert "doi 10." in energy_sentence(row)


def test_a_ramp_of_the_temperature_is_said_and_has_no_law() -> None:
    celsius = np.linspace(20, 60, 8).tolist()
    courses: list[Values] = [{("R1", "R"): 0.9**k, ("R2", "R"): 0.85**k} for k in range(8)]
    found, findings = analysed(made(courses, celsius=celsius))
    law = found["resistance_growth"].filter(arc="all").row(0, named=True)
    assert law["law"] is None
    assert law["trend"] is None
    assert "while the temperature runs from 20.0 to 60.0 °C: that is no growth" in law_sentence(law)
    assert "state_varies" in {finding.code for finding in findings}
    assert found["interface_changes"].is_empty()


def test_the_charge_since_full_is_counted_from_the_end_of_the_charge_before() -> None:
    """Charge and discharge by turns, 1 h each, of 1 mAh: half way down is half of the capacity."""
    halves = pl.DataFrame({
        "direction": ["charge", "discharge"] * 3, "capacity_ah": [1e-3] * 6,
        "start_unix_time_second": [7200.0 * k for k in range(6)], "duration_second": [3600.0] * 6,
        "end_voltage_volt": [4.2, 3.0] * 3,
    })  # fmt: skip
    times = np.array([0.0, 3600, 7200 + 1800, 7200 + 3600, 14400 + 900, 4 * 7200 + 3600])
    found = charge_since_full(times, halves)
    assert found.tolist() == pytest.approx([1.0, 0.0, 0.5, 1.0, 0.75, 0.0])
    assert np.isnan(charge_since_full(times, halves.clear())).all()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("mpr/cellpy__biol.mpr", "while the voltage runs from 0.31 to 0.58 V: that is no growth"),
        ("mpr/yadg__geis.mpr", "Over 61 spectra the voltage runs from 0.07 to 1.10 V"),
        (
            "mpr/yadg__vsp_peis_with.mpr",
            "Spectrum 27 stands apart from those beside it: it has 5.59 Ω more",
        ),
    ],
)
def test_real_series_are_said_to_be_what_they_are(
    real_data: Path, capsys: pytest.CaptureFixture[str], name: str, said: str
) -> None:
    assert main(["eis", str(real_data / name), "--age", "1"]) == 0
    assert said in " ".join(capsys.readouterr().out.split())


def test_three_potentials_of_a_dummy_cell_are_three_states_that_stay(real_data: Path) -> None:
    fitted = fit_file(real_data / "mpr" / "nomadhzb__PEIS_nesd.mpr")
    assert fitted.tables["interfacial_resistance"]["state"].to_list() == [1] * 4 + [2] * 4 + [3] * 4
    assert fitted.tables["interfacial_resistance"]["technique"].unique().to_list() == ["PEIS"]
    assert fitted.tables["interface_changes"]["explanation"].to_list() == ["unchanged"] * 3


def test_the_page_and_the_files_have_changes_and_energies(
    cases: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = cases / "eis" / "S_sgrow.mpt"
    assert main(["eis", str(file), "--area", "0.785", "--out", str(tmp_path)]) == 0
    page = next(tmp_path.glob("*.html")).read_text(encoding="utf-8")
    for shown in (page, " ".join(capsys.readouterr().out.split())):
        assert "neither contact, a thicker film nor leads explain the change" in shown
    assert "Changes of the interfaces" in page
    assert "Activation energies" not in page
    for table in ("interface_changes", "activation_energies"):
        assert (tmp_path / f"{file.name}.{table}.csv").exists()


def drifting(growth: float) -> dict[str, pl.DataFrame]:
    """Make a spectrum whose arc 2 grows by this share while the frequency falls."""
    frequency = np.geomspace(1e5, 1e-2, 57)
    passed = np.cumsum(1 / frequency) / np.sum(1 / frequency)
    grown = np.array([
        circuit_impedance(
            CIRCUIT, START | {("R2", "R"): START["R2", "R"] * (1 + growth * share)},
            np.array([one]),
        )[0]
        for one, share in zip(frequency, passed**0.2, strict=True)
    ])  # fmt: skip
    tables = made([{}])
    noise = np.random.default_rng(2).standard_normal((2, len(frequency)))
    z = grown + 0.001 * np.abs(grown) * (noise[0] + 1j * noise[1])
    return tables | {"impedance": tables["impedance"].with_columns(
        frequency_hertz=frequency, real_impedance_ohm=z.real, imaginary_impedance_ohm=z.imag
    )}  # fmt: skip


def test_drift_is_said_where_it_changes_an_arc_and_nowhere_else() -> None:
    _, of_drifting = analysed(drifting(0.5))
    _, of_still = analysed(drifting(0.0))
    said = [f.sentence for f in of_drifting if f.code == "drift_changes_arc"]
    assert len(said) == 1
    assert "without the lowest quarter of the frequencies" in said[0]
    assert "drift_changes_arc" not in {f.code for f in of_still}


def leaving(resistances: list[float]) -> dict[str, pl.DataFrame]:
    """Make spectra whose slow arc has these resistances, so that it leaves or enters the window."""
    return made([{("R2", "R"): ohm / START["R2", "R"]} for ohm in resistances])


def test_an_arc_that_leaves_the_window_takes_the_resistance_of_the_rest_with_it() -> None:
    """What is left of an interface is no number for it, and no change of the rest is told."""
    tables, _ = analysed(leaving([100, 300, 1e3, 3e4, 1e6]))
    rows = tables["interfacial_resistance"]
    assert rows["interfacial_resistance_ohm"][0] == pytest.approx(140, rel=0.02)
    assert rows["interfacial_resistance_ohm"][-1] is None
    assert "does not close" in rows["interfacial_resistance_remark"][-1]
    assert tables["interface_changes"].is_empty()


def test_an_arc_that_closes_in_the_last_spectrum_only_is_an_interface_there() -> None:
    tables, _ = analysed(leaving([3e6, 1e6, 5e5, 200]))
    rows = tables["interfacial_resistance"]
    assert rows["interfacial_resistance_ohm"][:3].null_count() == 3
    assert rows["interfacial_resistance_ohm"][-1] == pytest.approx(240, rel=0.02)
