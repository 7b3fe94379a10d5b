"""``cellpipe eis``: one file in, a table on the terminal, a page and tables in a folder."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from cellpipe.analyses import (
    activation_energies,
    circuit_fits,
    relaxation_times,
    resistance_growth,
)
from cellpipe.cli.main import main
from cellpipe.core import contracts
from cellpipe.core.errors import CellpipeError, NoDataError
from cellpipe.core.model import Cell
from cellpipe.numerics.impedance.circuits import circuit_impedance
from cellpipe.pipeline.single_file import fit_file
from cellpipe.report.html.eis_page import eis_page

SAMPLE = Path(__file__).parents[1] / "sample_data"
FREQUENCY = np.geomspace(1e6, 0.1, 57)


def made_cell(
    resistances: list[float], *, voltage: list[float] | None = None, clock: bool = True
) -> dict[str, pl.DataFrame]:
    """Make a cell whose interphase has these resistances in turn, a day apart."""
    rng = np.random.default_rng(3)
    frames = []
    for k, r in enumerate(resistances):
        values = {
            ("R0", "R"): 10.0, ("R1", "R"): 20.0, ("CPE1", "Q"): 4e-9, ("CPE1", "n"): 0.95,
            ("R2", "R"): r, ("CPE2", "Q"): 5e-6, ("CPE2", "n"): 0.9, ("W1", "sigma"): 3.0,
        }  # fmt: skip
        z = circuit_impedance("R0-p(R1,CPE1)-p(R2,CPE2)-W1", values, FREQUENCY)
        draws = rng.standard_normal((2, len(z)))
        z = z + 0.003 * np.abs(z) * (draws[0] + 1j * draws[1])
        frames.append(pl.DataFrame({
            "spectrum": k + 1, "spectrum_in_file": k + 1, "file_sha256": "a" * 64,
            "test_time_second": 86400.0 * k,
            "unix_time_second": 1.7e9 + 86400.0 * k if clock else None,
            "frequency_hertz": FREQUENCY, "real_impedance_ohm": z.real,
            "imaginary_impedance_ohm": z.imag, "voltage_volt": (voltage or [3.7] * 99)[k],
        }, schema_overrides={"unix_time_second": pl.Float64}))  # fmt: skip
    return {"impedance": pl.concat(frames), "cycles": contracts.empty_table("cycles")}


def analysed(cell: Cell, tables: dict[str, pl.DataFrame]) -> dict[str, pl.DataFrame]:
    """Fit and follow; give all tables, held against their contracts, and the findings' codes."""
    fitted = circuit_fits.fit_spectra(cell, tables)
    found = {r.analysis: contracts.validate(r.analysis, r.table) for r in fitted}
    growth = resistance_growth.ANALYSIS.compute(cell, {**tables, **found})
    found |= {r.analysis: contracts.validate(r.analysis, r.table) for r in growth}
    codes = [finding.code for result in (*fitted, *growth) for finding in result.findings]
    return {**found, "codes": pl.DataFrame({"code": codes}, schema={"code": pl.String})}


def test_a_file_is_fitted_and_its_page_and_tables_are_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = SAMPLE / "biologic_mpr" / "SSB-01_05_PEIS_C01.mpr"
    assert main(["eis", str(file), "--area", "0.785", "--out", str(tmp_path)]) == 0
    shown = capsys.readouterr().out
    assert "12 spectra, R0-p(R1,CPE1)-p(R2,CPE2)-CPE3" in shown.replace("\n", "")
    page = (tmp_path / f"{file.name}.eis.html").read_text(encoding="utf-8")
    for title in ("Impedance spectra", "Arcs and relaxation times", "Bode plot", "Waterfall",
                  "Interfacial resistance", "Parameters"):  # fmt: skip
        assert f"<h2>{title}</h2>" in page
    assert page.count("<svg") == 5
    with (tmp_path / f"{file.name}.interfacial_resistance.csv").open(encoding="utf-8-sig") as rows:
        table = list(csv.DictReader(rows))
    with (SAMPLE / "truth.tsv").open(encoding="utf-8") as rows:
        stated = {
            row[1].split()[-1]: float(row[2])
            for row in csv.reader(rows)
            if row[0] == "SSB-01" and row[1].startswith(f"interphase_resistance {file.name}")
        }
    assert len(stated) == 12
    for row in table:
        expected = stated[row["spectrum"]]
        assert float(row["interfacial_resistance_ohm"]) == pytest.approx(expected, rel=0.01)


def test_a_circuit_of_ones_own_is_taken() -> None:
    file = SAMPLE / "biologic_mpr" / "SSB-01_03_PEIS_C01.mpr"
    fitted = fit_file(file, circuit="R0-ZARC1-p(R2,CPE2)-W3")
    assert set(fitted.tables["circuit_fits"]["circuit"]) == {"R0-ZARC1-p(R2,CPE2)-W3"}
    assert set(fitted.tables["impedance_arcs"]["arc"]) == {"1", "2"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--circuit", "R0-X1"], "'X1' in the circuit"),
        (["--area", "-1"], "expected a number above zero"),
    ],
)
def test_what_can_not_be_asked_for_is_an_error(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = SAMPLE / "biologic_mpr" / "SSB-01_03_PEIS_C01.mpr"
    assert main(["eis", str(file), *arguments]) == 2
    assert message in capsys.readouterr().err


def test_a_file_without_a_spectrum_says_so() -> None:
    with pytest.raises(NoDataError, match="no impedance spectrum"):
        fit_file(SAMPLE / "biologic_mpr" / "SSB-01_04_GCPL_C01.mpr")


def test_a_folder_is_no_file(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["eis", str(SAMPLE)]) == 2
    assert str(SAMPLE) in capsys.readouterr().err


def test_the_interface_of_a_symmetric_cell_is_one_of_two() -> None:
    tables = made_cell([30.0, 33.0])
    full = analysed(Cell("A", "full", area_cm2=2.0), tables)["interfacial_resistance"]
    symmetric = analysed(Cell("A", "symmetric", area_cm2=2.0), tables)["interfacial_resistance"]
    column = "areal_interfacial_resistance_ohm_cm2"
    assert full[column].to_list() == pytest.approx([60, 66], rel=0.02)
    assert symmetric[column].to_list() == pytest.approx([30, 33], rel=0.02)
    unknown = analysed(Cell("A"), tables)["interfacial_resistance"]
    assert unknown[column].null_count() == 2
    assert unknown["interfacial_resistance_ohm"].to_list() == pytest.approx([30, 33], rel=0.02)


def test_arcs_are_named_and_the_growth_has_its_law() -> None:
    days = np.arange(12)
    found = analysed(Cell("A", area_cm2=1.0), made_cell([30 + 8 * np.sqrt(d) for d in days]))
    arcs = found["impedance_arcs"]
    names = dict(arcs.group_by("arc").agg(pl.col("process").first()).iter_rows())
    assert names == {"1": "grain boundary", "2": "interphase"}
    law = found["resistance_growth"].filter(arc="all").row(0, named=True)
    assert law["law"] == "square root"
    assert law["rate_ohm_per_hour_to_the_m"] == pytest.approx(8 / np.sqrt(24), rel=0.05)
    assert law["jumps"] == 0


def test_a_lost_contact_is_reported_as_a_jump() -> None:
    days = np.arange(14)
    made = made_cell([30 + 5 * np.sqrt(d) + 25 * (d >= 8) for d in days])
    found = analysed(Cell("A", area_cm2=1.0), made)
    law = found["resistance_growth"].filter(arc="all").row(0, named=True)
    assert law["first_jump_spectrum"] == 9
    assert law["first_jump_ohm"] == pytest.approx(25, rel=0.15)
    assert "resistance_jumped" in found["codes"]["code"].to_list()


def test_states_of_charge_are_followed_apart() -> None:
    made = made_cell([30.0, 60, 32, 64, 34, 68], voltage=[3.0, 4.2] * 3)
    found = analysed(Cell("A", area_cm2=1.0), made)
    assert found["interfacial_resistance"]["state"].to_list() == [1, 2, 1, 2, 1, 2]
    whole = found["resistance_growth"].filter(arc="all")
    assert whole["first_resistance_ohm"].to_list() == pytest.approx([30, 60], rel=0.03)
    assert whole["last_resistance_ohm"].to_list() == pytest.approx([34, 68], rel=0.03)


@pytest.mark.parametrize(
    ("name", "law", "first", "last"),
    [
        ("S_sgrow", "exponential", 20, 905),
        ("sat_8", "saturating", 103, 300),
        ("decexp_20", "saturating", 297, 100),
    ],
)
def test_a_change_has_its_law_and_is_never_said_to_be_none(
    cases: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    name: str, law: str, first: float, last: float,
) -> None:  # fmt: skip
    file = cases / "eis" / f"{name}.mpt"
    options = ["--area", "0.785", "--age", "0.5", "--out", str(tmp_path)]
    assert main(["eis", str(file), *options]) == 0
    page = next(tmp_path.glob("*.html")).read_text(encoding="utf-8")
    shown = " ".join(capsys.readouterr().out.split())
    text = (tmp_path / f"{file.name}.resistance_growth.csv").read_text(encoding="utf-8-sig")
    row = next(csv.DictReader(text.splitlines()))
    assert row["law"] == law
    assert row["trend"] == ("rising" if last > first else "falling")
    assert float(row["first_resistance_ohm"]) == pytest.approx(first, rel=0.02)
    assert float(row["last_resistance_ohm"]) == pytest.approx(last, rel=0.01)
    for said in (page, shown):
        assert "does not change" not in said
        assert ("It grows" if last > first else "It falls and levels off") in said


def test_one_odd_spectrum_is_said_and_is_no_growth(
    cases: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = cases / "eis" / "S_one_out.mpt"
    options = ["--area", "0.785", "--age", "0.5", "--out", str(tmp_path)]
    assert main(["eis", str(file), *options]) == 0
    page = next(tmp_path.glob("*.html")).read_text(encoding="utf-8")
    for said in (page, " ".join(capsys.readouterr().out.split())):
        assert "does not change beyond its errors, but for spectrum 7." in said
        assert "The interfacial resistance of spectrum 7 is 180 Ω" in said


def test_a_resistance_that_grows_with_cycles_is_told_from_one_that_grows_with_time() -> None:
    random = np.random.default_rng(4)
    begun = np.cumsum(random.integers(0, 4, 14)) + 1
    made = made_cell([30 + 1.5 * float(count) for count in begun])
    starts = [1.7e9 - 3600 + 86400 * float(np.argmax(begun >= k)) - 50 * k
              for k in range(1, int(begun[-1]) + 1)]  # fmt: skip
    cycles = contracts.empty_table("cycles")
    started = pl.DataFrame({"start_unix_time_second": sorted(starts)})
    made["cycles"] = pl.concat([cycles, started], how="diagonal")
    found = analysed(Cell("A", area_cm2=1.0), made)
    law = found["resistance_growth"].filter(arc="all").row(0, named=True)
    assert law["trend"] == "rising"
    assert law["clock"] == "cycles"
    assert law["clock_probability"] >= 0.95


def test_without_a_clock_there_is_no_law() -> None:
    found = analysed(Cell("A"), made_cell([30 + k for k in range(7)], clock=False))
    law = found["resistance_growth"].filter(arc="all").row(0, named=True)
    assert law["law"] is None
    assert law["last_resistance_ohm"] == pytest.approx(36, rel=0.03)


def test_a_spectrum_that_is_too_short_does_not_stop_the_others() -> None:
    tables = made_cell([30.0, 31, 32])
    short = tables["impedance"].filter(
        (pl.col("spectrum") != 2) | (pl.col("frequency_hertz") > 3e5)
    )
    found = analysed(Cell("A"), {**tables, "impedance": short})
    known = found["interfacial_resistance"]["interfacial_resistance_ohm"]
    assert [value is None for value in known] == [False, True, False]
    assert "spectrum_too_short" in found["codes"]["code"].to_list()


def test_points_that_were_left_out_are_counted_and_said() -> None:
    tables = made_cell([30.0, 31, 32])
    spoilt = tables["impedance"].with_columns(
        pl.when((pl.col("spectrum") == 2) & (pl.int_range(pl.len()) == 57 + 20))
        .then(3 * pl.col("real_impedance_ohm"))
        .otherwise("real_impedance_ohm")
        .alias("real_impedance_ohm")
    )
    found = analysed(Cell("A"), {**tables, "impedance": spoilt})
    assert found["interfacial_resistance"]["frequencies_left_out"].to_list() == [0, 1, 0]
    assert "impedance_points_left_out" in found["codes"]["code"].to_list()


def test_a_resistor_inside_a_group_is_said_to_be_in_no_sum() -> None:
    tables = made_cell([30.0, 31])
    (*_, result) = circuit_fits.fit_spectra(Cell("A"), tables, "R0-p(R1-p(R2,CPE2),CPE1)-W1")
    assert "resistor_not_summed" in [finding.code for finding in result.findings]
    (*_, randles) = circuit_fits.fit_spectra(Cell("A"), tables, "R0-p(R1-W1,CPE1)")
    assert "no_interface_arc" in [finding.code for finding in randles.findings]


def test_a_cell_without_a_spectrum_has_empty_tables() -> None:
    tables = made_cell([30.0])
    found = analysed(Cell("A"), {**tables, "impedance": tables["impedance"].clear()})
    assert all(frame.is_empty() for frame in found.values())


@pytest.mark.slow
def test_every_real_file_with_spectra_is_fitted(real_data: Path) -> None:
    """No file of the corpus raises but with a clear reason."""
    fitted = 0
    for folder in ("mpr", "gamry", "zview"):
        for path in sorted((real_data / folder).iterdir()):
            if path.stat().st_size > 3_000_000:
                continue
            try:
                tables = fit_file(path).tables
            except CellpipeError:
                continue
            fitted += 1
            assert tables["interfacial_resistance"].height
    assert fitted >= 15


def test_a_law_of_growth_is_named_only_where_the_cells_age_is_known(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = SAMPLE / "biologic_mpr" / "SSB-01_05_PEIS_C01.mpr"
    unknown, known = fit_file(file), fit_file(file, age_hour=1.0)
    assert not unknown.tables["resistance_growth"]["law"].drop_nulls().len()
    assert not unknown.tables["resistance_growth"]["growth_per_root_hour_ohm"].drop_nulls().len()
    assert "age_unknown" in {finding.code for finding in unknown.findings}
    assert known.tables["resistance_growth"]["law"].drop_nulls().len()
    assert main(["eis", str(file), "--out", str(tmp_path)]) == 0
    assert "law of growth free" not in capsys.readouterr().out
    page = next(tmp_path.glob("*.html")).read_text(encoding="utf-8")
    assert "Time runs from the file" in page
    assert "Time runs from the cell" not in page


def test_the_age_moves_the_origin_of_time() -> None:
    file = SAMPLE / "biologic_mpr" / "SSB-01_05_PEIS_C01.mpr"
    rates = [
        fit_file(file, age_hour=age).tables["resistance_growth"]["growth_per_root_hour_ohm"][0]
        for age in (0.0, 100.0, 400.0)
    ]
    assert rates == sorted(rates)  # the same growth in a smaller difference of roots
    assert rates[0] < rates[2]


SINGLE = SAMPLE / "biologic_mpr" / "SSB-01_03_PEIS_C01.mpr"


def words(capsys: pytest.CaptureFixture[str]) -> str:
    return " ".join(capsys.readouterr().out.split())


def rows_of(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text(encoding="utf-8-sig").splitlines()))


def test_a_circuit_may_be_written_as_others_write_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["eis", str(SINGLE), "--circuit", "R(RQ)(RQ)Q"]) == 0
    assert "1 spectrum, R0-p(R1,CPE1)-p(R2,CPE2)-CPE3" in words(capsys)
    assert main(["eis", str(SINGLE), "--circuit", "R0-R1/C1"]) == 2
    assert "either may bind first" in capsys.readouterr().err


def test_a_parameter_is_fixed_on_the_command_line_and_has_no_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--circuit", "R(RQ)(RQ)Q", "--parameter", "R0=15.9", "--parameter", "0.5<n1<0.9"]
    assert main(["eis", str(SINGLE), *options, "--out", str(tmp_path)]) == 0
    shown = words(capsys)
    assert "│ R0 │ R │ 15.9 │ – │ – │ ohm │ fixed │" in shown
    assert "0.5 to 0.9" in shown
    table = rows_of(tmp_path / f"{SINGLE.name}.circuit_fits.csv")
    fixed = next(row for row in table if row["element"] == "R0")
    assert fixed["constraint"] == "fixed"
    assert fixed["standard_error"] == fixed["precision"] == ""
    assert fixed["identifiable"] == "false"
    page = (tmp_path / f"{SINGLE.name}.eis.html").read_text(encoding="utf-8")
    assert "Prescribed" in page


def test_an_interface_that_was_fixed_is_no_measurement_and_does_not_grow(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = SAMPLE / "biologic_mpr" / "SSB-01_05_PEIS_C01.mpr"
    options = ["--circuit", "R(RQ)(RQ)Q", "--parameter", "R2=30", "--age", "1"]
    assert main(["eis", str(file), *options, "--out", str(tmp_path)]) == 0
    shown = words(capsys)
    assert "30.00 fixed" in shown
    assert "the resistance of arc 2 was fixed and not measured" in shown
    assert "Arc 2, for a cell" not in shown
    assert "Interfacial resistance, for a cell" not in shown
    for row in rows_of(tmp_path / f"{file.name}.interfacial_resistance.csv"):
        assert row["interfacial_resistance_standard_error_ohm"] == ""
        assert row["identifiable"] == "false"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--circuit", "R(RQ)Q", "--parameter", "R9=5"], "one of R0 (ohm), R1 (ohm), CPE1_Q"),
        (["--circuit", "R(RQ)Q", "--parameter", "R0"], "a value (R0=5), bounds"),
        (["--parameter", "R0=5"], "--parameter without --circuit"),
        (["--circuit", "R(RQ)Q", "--circuit", "R0-p(R1,CPE1)-CPE2"], "two circuits or more"),
        (["--circuit", "R(RQ)Q", "--circuit", "RC", "--parameter", "R0=5"], "R1 (ohm), C1 (F)"),
    ],
)
def test_what_can_not_be_prescribed_or_compared_says_what_can(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["eis", str(SINGLE), *arguments]) == 2
    assert message in capsys.readouterr().err


def test_two_circuits_are_compared_and_a_sentence_says_which_describes_the_data(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--circuit", "R(RQ)Q", "--circuit", "R(RQ)(RQ)Q", "--out", str(tmp_path)]
    assert main(["eis", str(SINGLE), *options]) == 0
    shown = words(capsys)
    assert "R0-p(R1,CPE1)-p(R2,CPE2)-CPE3 describes the data better than" in shown
    assert "R0-p(R1,CPE1)-CPE2 does not describe the data." in shown
    table = rows_of(tmp_path / f"{SINGLE.name}.circuit_comparison.csv")
    assert [row["circuit"] for row in table] == [
        "R0-p(R1,CPE1)-p(R2,CPE2)-CPE3", "R0-p(R1,CPE1)-CPE2"
    ]  # fmt: skip
    assert float(table[0]["chi_square"]) < float(table[1]["chi_square"])
    for number, circuit in ((1, "R0-p(R1,CPE1)-CPE2"), (2, "R0-p(R1,CPE1)-p(R2,CPE2)-CPE3")):
        fits = rows_of(tmp_path / f"circuit_{number}" / f"{SINGLE.name}.circuit_fits.csv")
        assert {row["circuit"] for row in fits} == {circuit}


def test_the_parameters_are_written_wide_as_well(tmp_path: Path) -> None:
    file = SAMPLE / "biologic_mpr" / "SSB-01_05_PEIS_C01.mpr"
    assert main(["eis", str(file), "--out", str(tmp_path)]) == 0
    long = rows_of(tmp_path / f"{file.name}.circuit_fits.csv")
    wide = rows_of(tmp_path / f"{file.name}.circuit_fits_wide.csv")
    assert len(wide) == 12
    for row in long:
        several = row["element"].startswith("CPE")
        name = f"{row['element']}_{row['parameter']}" if several else row["element"]
        unit = {"ohm": " (Ω)", "ohm^-1 s^n": " (Ω⁻¹ sⁿ)", "1": ""}[row["unit"]]
        of = wide[int(row["spectrum"]) - 1]
        assert of[f"{name}{unit}"] == row["value"]
        assert of[f"{name}, standard error{unit}"] == row["standard_error"]
        assert of[f"{name}, determined"] == row["identifiable"]


def test_a_symmetric_cell_gives_half_of_each_interface_and_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--area", "0.5", "--out", str(tmp_path)]
    assert main(["eis", str(SINGLE), *options, "--symmetric"]) == 0
    assert "two equal electrodes in series" in words(capsys)
    half = rows_of(tmp_path / f"{SINGLE.name}.impedance_arcs.csv")
    total = rows_of(tmp_path / f"{SINGLE.name}.interfacial_resistance.csv")[0]
    assert main(["eis", str(SINGLE), *options]) == 0
    assert "One electrode" not in words(capsys)
    whole = rows_of(tmp_path / f"{SINGLE.name}.impedance_arcs.csv")
    for one, cell in zip(half, whole, strict=True):
        assert one["resistance_ohm"] == cell["resistance_ohm"]  # the cell's is what was measured
        assert cell["electrode_resistance_ohm"] == ""
        r, c = float(cell["resistance_ohm"]), float(cell["capacitance_farad"])
        if cell["process"] != "interphase":
            assert one["electrode_resistance_ohm"] == ""
            assert float(one["areal_resistance_ohm_cm2"]) == pytest.approx(0.5 * r)
            continue
        assert float(one["electrode_resistance_ohm"]) == pytest.approx(r / 2)
        assert float(one["areal_resistance_ohm_cm2"]) == pytest.approx(0.5 * r / 2)
        assert float(one["electrode_capacitance_farad"]) == pytest.approx(2 * c)
        assert float(one["capacitance_farad_per_cm2"]) == pytest.approx(2 * c / 0.5)
    assert float(total["electrode_interfacial_resistance_ohm"]) == pytest.approx(
        float(total["interfacial_resistance_ohm"]) / 2
    )


def test_the_relaxation_times_are_tables_beside_the_page_and_their_peaks_on_it(
    tmp_path: Path,
) -> None:
    assert main(["eis", str(SINGLE), "--out", str(tmp_path)]) == 0
    page = (tmp_path / f"{SINGLE.name}.eis.html").read_text(encoding="utf-8")
    assert "<h2>Peaks of the relaxation times</h2>" in page
    times = rows_of(tmp_path / f"{SINGLE.name}.relaxation_times.csv")
    peaks = rows_of(tmp_path / f"{SINGLE.name}.relaxation_peaks.csv")
    arcs = rows_of(tmp_path / f"{SINGLE.name}.impedance_arcs.csv")
    assert len(times) > 50
    interphase = next(arc for arc in arcs if arc["process"] == "interphase")
    nearest = min(
        peaks,
        key=lambda peak: abs(
            np.log(float(peak["time_constant_second"]) / float(interphase["time_constant_second"]))
        ),
    )
    error = float(nearest["resistance_standard_error_ohm"])
    difference = float(nearest["resistance_ohm"]) - float(interphase["resistance_ohm"])
    assert abs(difference) < 3 * error


def test_a_spectrum_with_a_reversed_sign_has_the_relaxation_times_of_the_right_one() -> None:
    tables = made_cell([30.0])
    turned = tables["impedance"].with_columns(-pl.col("imaginary_impedance_ohm"))
    right, reversed_sign = (
        relaxation_times.ANALYSIS.compute(Cell("A"), {"impedance": impedance})[0].table
        for impedance in (tables["impedance"], turned)
    )
    assert right.equals(reversed_sign)
    assert contracts.validate("relaxation_times", right).height > 50


def test_a_spectrum_of_too_few_points_has_no_relaxation_times() -> None:
    short = made_cell([30.0])["impedance"].head(9)
    results = relaxation_times.ANALYSIS.compute(Cell("A"), {"impedance": short})
    assert [result.table.height for result in results] == [0, 0]


def test_a_spectrum_with_a_tail_among_its_arcs_has_a_page() -> None:
    tables = made_cell([30.0])
    cell = Cell("A", area_cm2=1.0)
    fitted = circuit_fits.fit_spectra(cell, tables, "R(RQ)(RQ)(RQ)")
    found = tables | {result.analysis: result.table for result in fitted}
    for analysis in (relaxation_times, activation_energies, resistance_growth):
        for result in analysis.ANALYSIS.compute(cell, found):
            found[result.analysis] = result.table
    assert "tail" in found["impedance_arcs"]["process"].to_list()
    assert "<h2>Arcs and relaxation times</h2>" in eis_page("x", found, [])
