"""Spectra from plain tables: what a column is stands in its name, and nothing is guessed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import xlsxwriter

import cellpipe
from cellpipe.cli.main import main
from cellpipe.core.errors import CellpipeError, DamagedFileError, UnknownFormatError
from cellpipe.core.model import Measurement
from cellpipe.formats.tabular.impedance_headers import parse_impedance_header
from cellpipe.pipeline.single_file import fit_file

FREQUENCY = np.geomspace(1e6, 0.1, 43)
_JW = 2j * np.pi * FREQUENCY
Z = 10 + 50 / (1 + (_JW * 50 * 2e-6) ** 0.9) + 4 / np.sqrt(_JW)
PARTS = ("frequency_hertz", "real_impedance_ohm", "imaginary_impedance_ohm")
Columns = Sequence[np.ndarray]


def lines(names: Sequence[str], columns: Columns, separator: str = ",") -> list[str]:
    rows = [separator.join(f"{value:.10g}" for value in row) for row in zip(*columns, strict=True)]
    return [separator.join(names), *rows]


def write(path: Path, text: Sequence[str], encoding: str = "utf-8") -> Path:
    path.write_text("\n".join(text) + "\n", encoding=encoding)
    return path


def parts(measurement: Measurement) -> np.ndarray:
    return measurement.tables["impedance"].select(PARTS).to_numpy()


def same(found: np.ndarray, impedance: np.ndarray = Z, frequency: np.ndarray = FREQUENCY) -> bool:
    told = np.column_stack([frequency, impedance.real, impedance.imag])
    return found.shape == told.shape and bool(np.allclose(found, told, rtol=1e-8))


def codes(measurement: Measurement) -> set[str]:
    return {finding.code for finding in measurement.findings}


USUAL: list[tuple[Sequence[str], Columns]] = [
    (("Frequency (Hz)", "Z' (Ohm)", "-Z'' (Ohm)"), (FREQUENCY, Z.real, -Z.imag)),
    (("f/Hz", "Re(Z)/mOhm", "Im(Z)/mOhm"), (FREQUENCY, 1e3 * Z.real, 1e3 * Z.imag)),
    (("freq / kHz", "Z′ / kΩ", "−Z″ / kΩ"), (FREQUENCY / 1e3, Z.real / 1e3, -Z.imag / 1e3)),
    (("Freq. [MHz]", "Zreal [MΩ]", "Zimag [MΩ]"), (FREQUENCY / 1e6, Z.real / 1e6, Z.imag / 1e6)),
    (("frequency_hz", "z_real_ohm", "z_imag_ohm"), (FREQUENCY, Z.real, Z.imag)),
    (("ω (rad/s)", "Zre (ohm)", "-Zim (ohm)"), (2 * np.pi * FREQUENCY, Z.real, -Z.imag)),
    (("f [Hz]", "|Z| [Ω]", "Phase(Z)/deg"), (FREQUENCY, abs(Z), np.degrees(np.angle(Z)))),
    (("f [Hz]", "|Z| [kΩ]", "-phase / rad"), (FREQUENCY, abs(Z) / 1e3, -np.angle(Z))),
    (("f [Hz]", "Impedance/Ohm", "Phase"), (FREQUENCY, abs(Z), np.degrees(np.angle(Z)))),
    (("Freq/Hz", 'Z\'/ohm', 'Z"/ohm'), (FREQUENCY, Z.real, Z.imag)),
]  # fmt: skip


@pytest.mark.parametrize(("names", "columns"), USUAL, ids=lambda value: str(value[0])[:20])
@pytest.mark.parametrize("separator", [",", ";", "\t", "    "])
def test_every_usual_wording_unit_and_separator_gives_the_same_spectrum(
    tmp_path: Path, names: Sequence[str], columns: Columns, separator: str
) -> None:
    suffix = {",": ".csv", "\t": ".tsv"}.get(separator, ".txt")
    path = write(tmp_path / f"s{suffix}", lines(names, columns, separator))
    measurement = cellpipe.read(path)
    assert measurement.format == "plain_spectra"
    assert same(parts(measurement)), parts(measurement)[:2]
    assert codes(measurement) == {"no_clock"}


def test_decimal_commas_comments_and_a_line_of_units_are_read(tmp_path: Path) -> None:
    table = lines(("freq", "Zre", "Zim"), (FREQUENCY, Z.real / 1e3, Z.imag / 1e3), ";")
    table = [line.replace(".", ",") for line in table]
    head = ["# cell SSB-1; made 3.2.2026", "# 1; 2; 3", "operator: X", ""]
    path = write(tmp_path / "s.csv", [*head, table[0], "Hz;kOhm;kOhm", *table[1:]], "cp1252")
    measurement = cellpipe.read(path)
    assert same(parts(measurement))
    assert codes(measurement) == {"no_clock"}


def test_names_behind_a_comment_sign_and_utf_16_are_read(tmp_path: Path) -> None:
    table = lines(("# f/Hz", "Z'/Ohm", "Z''/Ohm"), (FREQUENCY, Z.real, Z.imag), "\t")
    assert same(parts(cellpipe.read(write(tmp_path / "s.txt", table, "utf-16"))))


def test_a_unit_that_is_not_named_is_said_to_be_taken_for_ohm(tmp_path: Path) -> None:
    path = write(tmp_path / "s.csv", lines(("f", "Z'", "Z''"), (FREQUENCY, Z.real, Z.imag)))
    measurement = cellpipe.read(path)
    assert same(parts(measurement))
    assert "impedance_unit_missing" in codes(measurement)


@pytest.mark.parametrize(
    ("names", "columns", "said"),
    [
        (("f/Hz", "Z'/furlong", "Z''/Ohm"), (FREQUENCY, Z.real, Z.imag), "furlong"),
        (("f/Hz", "Z'/Ohm m", "Z''/Ohm m"), (FREQUENCY, Z.real, Z.imag), "Ohm m"),
        (("f/rpm", "Z'/Ohm", "Z''/Ohm"), (FREQUENCY, Z.real, Z.imag), "rpm"),
        (("omega", "Z'/Ohm", "Z''/Ohm"), (FREQUENCY, Z.real, Z.imag), "rad/s"),
        (("f/Hz", "|Z|/Ohm", "Phase"), (FREQUENCY, abs(Z), np.angle(Z)), "deg or rad"),
        (("f/Hz", "|Z|/Ohm", "Phase/turns"), (FREQUENCY, abs(Z), np.angle(Z)), "turns"),
        (("f/Hz", "Z'/Ω cm²", "-Z''/Ω cm²"), (FREQUENCY, Z.real, -Z.imag), "Ω cm²"),
        (("f/Hz", "Z'/Ohm", "Z''/Ohm", "Z'/Ohm"), (FREQUENCY, Z.real, Z.imag, Z.real), "two"),
    ],
)  # fmt: skip
def test_what_is_not_known_is_refused_by_name_with_a_remedy(
    tmp_path: Path, names: Sequence[str], columns: Columns, said: str
) -> None:
    with pytest.raises(DamagedFileError) as caught:
        cellpipe.read(write(tmp_path / "s.csv", lines(names, columns)))
    assert said in str(caught.value)
    assert caught.value.expected
    assert caught.value.remedy


def test_commas_that_may_be_of_thousands_or_decimals_are_refused(tmp_path: Path) -> None:
    table = ["f/Hz;Z'/Ohm;Z''/Ohm", "100,000;1,234;-2,000", "10,000;2,345;-3,000", "100;3,456;-12"]
    with pytest.raises(DamagedFileError, match="thousands"):
        cellpipe.read(write(tmp_path / "s.csv", table))


def test_an_impedance_times_an_area_is_divided_by_the_area_that_is_stated(tmp_path: Path) -> None:
    table = lines(("f/Hz", "Z' / kΩ·cm²", "-Z'' / kΩ·cm²"),
                  (FREQUENCY, 0.785e-3 * Z.real, -0.785e-3 * Z.imag))  # fmt: skip
    path = write(tmp_path / "s.csv", table)
    measurement = cellpipe.read(path, stated=cellpipe.Statement(area_cm2=0.785))
    assert same(parts(measurement))
    assert "areal_impedance" in codes(measurement)
    fitted = fit_file(path, circuit="R0-p(R1,CPE1)-W1", area_cm2=0.785)
    row = fitted.tables["interfacial_resistance"].row(0, named=True)
    assert row["interfacial_resistance_ohm"] == pytest.approx(50, rel=1e-3)
    with pytest.raises(CellpipeError, match="--area"):
        fit_file(path)
    for title in ("Area (cm²): 0.785", "# electrode area / cm2 = 0,785", "Area [cm^2]\t0.785"):
        assert same(parts(cellpipe.read(write(path, [title, *table])))), title
    for title in ("Area: 0.785", "Area (mm²): 78.5", "Area (cm²): 0"):
        with pytest.raises(CellpipeError, match="Area"):
            cellpipe.read(write(path, [title, *table]))


def test_a_table_without_names_is_read_only_if_somebody_says_what_its_columns_are(
    tmp_path: Path,
) -> None:
    path = write(tmp_path / "s.csv", lines(("", "", ""), (FREQUENCY, -Z.imag, Z.real))[1:])
    with pytest.raises(UnknownFormatError, match="--columns"):
        cellpipe.read(path)
    measurement = cellpipe.read(path, stated=cellpipe.Statement("f/Hz, -Z''/Ohm, Z'/Ohm"))
    assert same(parts(measurement))
    assert "columns_stated" in codes(measurement)
    with pytest.raises(CellpipeError, match="real and the imaginary part"):
        cellpipe.read(path, stated=cellpipe.Statement("a, b, c"))


def test_spectra_below_one_another_and_side_by_side_are_several(tmp_path: Path) -> None:
    names = ("f/Hz", "Z'/Ohm", "Z''/Ohm")
    one, two = (lines(names, (FREQUENCY, k * Z.real, k * Z.imag)) for k in (1, 2))
    layouts = {
        "names again": [*one, "", *two],
        "frequency jumps back": [*one, *two[1:]],
        "a title between": [*one, "# second", *two],
        "side by side": lines((*names, *names), (
            FREQUENCY, Z.real, Z.imag, FREQUENCY, 2 * Z.real, 2 * Z.imag
        )),
    }  # fmt: skip
    for name, text in layouts.items():
        table = cellpipe.read(write(tmp_path / "s.csv", text)).tables["impedance"]
        for number, size in ((1, 1.0), (2, 2.0)):
            found = table.filter(pl.col("spectrum") == number).select(PARTS).to_numpy()
            assert same(found, size * Z), name


def test_a_column_that_numbers_the_spectra_tells_them_apart(tmp_path: Path) -> None:
    sweep = np.repeat([4.0, 5.0], [20, 23])
    table = lines(("Sweep", "f/Hz", "Z'/Ohm", "Z''/Ohm"), (sweep, FREQUENCY, Z.real, Z.imag))
    found = cellpipe.read(write(tmp_path / "s.csv", table)).tables["impedance"]
    assert found["spectrum"].to_list() == [1] * 20 + [2] * 23


def test_zero_missing_and_repeated_frequencies_do_not_split_a_sweep(tmp_path: Path) -> None:
    text = lines(("f/Hz", "Z'/Ohm", "Z''/Ohm"), (FREQUENCY, Z.real, Z.imag))
    odd = [*text[:9], "0,0,0", "NaN,1,2", ",1,2", "0,60,0", "1e4,NaN,NaN", text[9], *text[9:]]
    path = write(tmp_path / "s.csv", odd)
    measurement = cellpipe.read(path)
    table = measurement.tables["impedance"]
    assert table["spectrum"].unique().to_list() == [1]
    assert table["frequency_hertz"].n_unique() == FREQUENCY.size
    assert {"rows_rejected", "lines_without_frequency"} <= codes(measurement)
    row = fit_file(path).tables["interfacial_resistance"].row(0, named=True)
    assert row["interfacial_resistance_ohm"] == pytest.approx(50, rel=1e-3)


def test_damaged_lines_are_rejected_and_counted(tmp_path: Path) -> None:
    text = lines(("f/Hz", "Z'/Ohm", "Z''/Ohm"), (FREQUENCY, Z.real, Z.imag))
    text[5], text[7] = "12,overload,3", "5,6"
    measurement = cellpipe.read(write(tmp_path / "s.csv", text))
    assert measurement.tables["impedance"].height == FREQUENCY.size - 2
    said = [f.sentence for f in measurement.findings if f.code == "lines_left_out"]
    assert len(said) == 2
    assert any("Line 6" in sentence for sentence in said)


def test_a_workbook_with_titles_and_two_sheets_is_read(tmp_path: Path) -> None:
    path = tmp_path / "s.xlsx"
    with xlsxwriter.Workbook(path) as book:
        for sheet, size in (("first", 1.0), ("second", 2.0)):
            page = book.add_worksheet(sheet)
            page.write(0, 0, "measured by X")
            page.write_row(8, 1, ("Frequency (Hz)", "Z' (kOhm)", "-Z'' (kOhm)"))
            for at, (f, z) in enumerate(zip(FREQUENCY, size * Z, strict=True), 9):
                page.write_row(at, 1, (f, z.real / 1e3, -z.imag / 1e3))
        book.add_worksheet("notes").write(0, 0, "nothing")
    measurement = cellpipe.read(path)
    assert measurement.format == "plain_spectra_xlsx"
    for number, size in ((1, 1.0), (2, 2.0)):
        rows = measurement.tables["impedance"].filter(pl.col("spectrum") == number)
        assert same(rows.select(PARTS).to_numpy(), size * Z)


def test_a_cell_page_s_own_workbook_and_other_tables_are_none(tmp_path: Path) -> None:
    path = tmp_path / "s.xlsx"
    with xlsxwriter.Workbook(path) as book:
        book.add_worksheet("EIS").write_row(0, 0, ("Frequency (Hz)", "Z′ (Ω)", "−Z″ (Ω)"))
        book.add_worksheet("Provenance")
    others = [
        path,
        write(tmp_path / "a.csv", lines(("f/Hz", "Re(Y)/S", "Im(Y)/S"), (FREQUENCY,) * 3)),
        write(
            tmp_path / "b.txt", ["The frequency, Z' and Z'' follow.", "", "freq, Z', Z''", "."] * 4
        ),
        write(tmp_path / "c.csv", lines(("time/s", "E/V", "I/A"), (FREQUENCY,) * 3)),
    ]
    for other in others:
        with pytest.raises(UnknownFormatError):
            cellpipe.read(other)


def _real_spectra(real_data: Path) -> list[Path]:
    return sorted(path for path in (real_data / "spectra").glob("*.csv"))


def test_files_of_five_makers_hold_what_another_program_reads_from_them(real_data: Path) -> None:
    pairs = {
        "CHInstruments.txt": "chinstruments", "Parstat.txt": "parstat",
        "Powersuite.txt": "powersuite", "VersaStudio.par": "versastudio", "Autolab.txt": "autolab",
    }  # fmt: skip
    for name, other in pairs.items():
        found = parts(cellpipe.read(real_data / "eis-other" / f"impedancepy__exampleData{name}"))
        told = pl.read_csv(real_data / "spectra" / f"impy_{other}.csv").to_numpy()
        found, told = (each[np.argsort(each[:, 0], kind="stable")] for each in (found, told))
        assert np.array_equal(found, told), name


def test_no_real_spectrum_is_turned_and_most_are_if_their_sign_is(
    real_data: Path, tmp_path: Path
) -> None:
    turned, right = 0, 0
    for path in _real_spectra(real_data):
        frame = pl.read_csv(path)
        measurement = cellpipe.read(path)
        assert np.array_equal(parts(measurement), frame.select(pl.nth(0, 1, 2)).to_numpy()), path
        assert "imaginary_sign_turned" not in codes(measurement), path.name
        reversed_sign = frame.with_columns(-pl.col("Zim_Ohm"))
        if (frame["Zim_Ohm"] < 0).mean() < 0.8 or "invalid" in path.name:
            continue
        reversed_sign.write_csv(tmp_path / "s.csv")
        again = cellpipe.read(tmp_path / "s.csv")
        right += bool(np.allclose(parts(again)[:, 2], frame["Zim_Ohm"].to_numpy()))
        turned += 1
    print(f"\n{right} of {turned} reversed spectra are turned back")
    assert turned > 50
    assert right >= 0.9 * turned


@pytest.mark.parametrize("header", ["Z''", "Zimag (kOhm)", "Im(Z)/Ohm"])
def test_a_name_that_contradicts_the_real_part_is_overruled_and_said(
    tmp_path: Path, header: str
) -> None:
    parsed = parse_impedance_header(header)
    assert parsed is not None
    scale = 1 / parsed.factor
    table = lines(("f/Hz", "Z'/Ohm", header), (FREQUENCY, Z.real, -scale * Z.imag))
    path = write(tmp_path / "s.csv", table)
    measurement = cellpipe.read(path)
    assert same(parts(measurement))
    assert "imaginary_sign_turned" in codes(measurement)
    stored = fit_file(path).tables["impedance"]["imaginary_impedance_ohm"].to_numpy()
    assert np.allclose(stored, Z.imag)


def test_an_inductor_is_not_turned_and_a_short_spectrum_is_only_doubted(tmp_path: Path) -> None:
    coil = 10 + 1e-5 * _JW
    table = lines(("f/Hz", "Z'/Ohm", "Z''/Ohm"), (FREQUENCY, coil.real, coil.imag))
    measurement = cellpipe.read(write(tmp_path / "coil.csv", table))
    assert same(parts(measurement), coil)
    assert "imaginary_sign_turned" not in codes(measurement)
    few = slice(None, None, 7)
    table = lines(("f/Hz", "Z'/Ohm", "Z''/Ohm"), (FREQUENCY[few], Z.real[few], -Z.imag[few]))
    measurement = cellpipe.read(write(tmp_path / "few.csv", table))
    assert same(parts(measurement), Z[few].conj(), FREQUENCY[few])
    assert "imaginary_sign_doubtful" in codes(measurement)


def test_modulus_that_is_not_that_of_the_parts_is_said(tmp_path: Path) -> None:
    table = lines(("f/Hz", "Z'/Ohm", "Z''/Ohm", "|Z|/Ohm"),
                  (FREQUENCY, Z.real, Z.imag, abs(Z) / 1e3))  # fmt: skip
    measurement = cellpipe.read(write(tmp_path / "s.csv", table))
    assert "impedance_contradicts" in codes(measurement)


@pytest.fixture
def ten(real_data: Path) -> str:
    return (real_data.parent / "cases" / "eis" / "T_ten.mpt").read_text(encoding="cp1252")


def test_other_units_in_a_biologic_export_are_converted_or_refused(
    real_data: Path, ten: str, tmp_path: Path
) -> None:
    path = tmp_path / "s.mpt"
    path.write_text(ten, encoding="cp1252")
    usual = parts(cellpipe.read(path))
    for unit, factor in (("mOhm", 1e-3), ("kOhm", 1e3), ("MOhm", 1e6)):
        path.write_text(ten.replace(")/Ohm", f")/{unit}"), encoding="cp1252")
        found = parts(cellpipe.read(path))
        assert np.allclose(found[:, 1:], factor * usual[:, 1:], rtol=1e-12)
    path.write_text(ten.replace("-Im(Z)/Ohm", "Im(Z)/Ohm"), encoding="cp1252")
    assert np.allclose(parts(cellpipe.read(path)), usual)  # turned: the real part says so
    for unit in ("furlong", "Ohm.cm2"):
        path.write_text(ten.replace(")/Ohm", f")/{unit}"), encoding="cp1252")
        with pytest.raises(DamagedFileError) as caught:
            cellpipe.read(path)
        assert unit in caught.value.found
        assert caught.value.remedy


def test_other_units_of_ohm_in_a_gamry_file_are_converted(real_data: Path, tmp_path: Path) -> None:
    source = real_data / "gamry" / "nomadhzb__EISPOT.DTA"
    text = source.read_bytes().decode("cp1252")
    path = tmp_path / "s.dta"
    path.write_bytes(text.replace("\tohm\tohm\t", "\tkohm\tkohm\t").encode("cp1252"))
    assert np.allclose(parts(cellpipe.read(path))[:, 1:], 1e3 * parts(cellpipe.read(source))[:, 1:])


def test_exports_of_other_programs_are_read_as_they_are(tmp_path: Path) -> None:
    degree = np.degrees(np.angle(Z))
    count = np.arange(1.0, FREQUENCY.size + 1)
    exports = {
        "nova.txt": lines(
            ("Index", "Frequency (Hz)", "Z' (Ω)", "-Z'' (Ω)", "Z (Ω)", "-Phase (°)", "Time (s)"),
            (count, FREQUENCY, Z.real, -Z.imag, abs(Z), -degree, count), ";",
        ),
        "zahner.txt": ["Thales impedance spectrum", "", *lines(
            ("  Number", "Frequency/Hz", "Impedance/Ohm", "Phase/deg"),
            (count, FREQUENCY, abs(Z), degree), "   ",
        )],
        "palmsens.csv": lines(
            ("freq / Hz", "neg. Phase / °", "Idc / uA", "Z / Ohm", "Z' / Ohm", "-Z'' / Ohm"),
            (FREQUENCY, -degree, count, abs(Z), Z.real, -Z.imag),
        ),
        "quoted.csv": ["f/Hz,Z'/Ohm,Z''/Ohm", *(
            ",".join(f'"{value:.10g}"'.replace(".", ",") for value in row)
            for row in zip(FREQUENCY, Z.real, Z.imag, strict=True)
        )],
    }  # fmt: skip
    for name, text in exports.items():
        assert same(parts(cellpipe.read(write(tmp_path / name, text)))), name


def test_the_command_and_a_whole_run_read_plain_tables(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lab = tmp_path / "lab"
    lab.mkdir()
    named = lines(("f/Hz", "Z'/Ohm", "Z''/Ohm"), (FREQUENCY, Z.real, Z.imag), "\t")
    write(lab / "A1_eis.tsv", named)
    write(lab / "A2_eis.csv", [line.replace("\t", ",") for line in named[1:]])
    write(lab / "A3_eis.csv", ["f/Hz,Z'/Ω cm²,Z''/Ω cm²", "1,2,3"])
    write(lab / "notes.tsv", ["who\twhat", "X\tpressed the pellet"])
    stated = ["eis", str(lab / "A2_eis.csv"), "--columns", "f/Hz, Z'/Ohm, Z''/Ohm"]
    assert main(stated) == 0
    assert "50.00 ±" in capsys.readouterr().out
    summary = cellpipe.process(lab, tmp_path / "out", time_zone="Europe/Berlin")
    refused = {failure.path: failure.reason for failure in summary.failures}
    assert set(refused) == {"A2_eis.csv", "A3_eis.csv"}
    assert "--columns" in str(refused["A2_eis.csv"])
    assert "Ω cm²" in str(refused["A3_eis.csv"])
    (row,) = summary.cells.to_dicts()
    assert row["first_interfacial_resistance_ohm"] == pytest.approx(50, rel=1e-3)
    assert row["first_interfacial_resistance_standard_error_ohm"] < 1


@pytest.mark.parametrize("name", ["Temperature", "T"])
@pytest.mark.parametrize(
    ("unit", "to_unit"),
    [("°C", lambda c: c), ("K", lambda c: c + 273.15), ("°F", lambda c: 1.8 * c + 32)],
)
def test_a_temperature_is_read_in_the_unit_that_is_named(
    tmp_path: Path, unit: str, to_unit: Callable[[float], float], name: str
) -> None:
    file = tmp_path / "t.csv"
    frequency = np.geomspace(1e5, 0.1, 40)
    z = 10 + 50 / (1 + 2j * np.pi * frequency * 1e-3)
    rows = [f"{f},{p.real},{-p.imag},{to_unit(40.0)}" for f, p in zip(frequency, z, strict=True)]
    file.write_text("\n".join([f"f (Hz),Z' (Ohm),-Z'' (Ohm),{name} ({unit})", *rows]),
                    encoding="utf-8")  # fmt: skip
    table = cellpipe.read(file).tables["impedance"]
    assert table["ambient_temperature_celsius"].to_numpy() == pytest.approx(40.0)


def test_a_temperature_without_a_unit_is_named_and_not_read(tmp_path: Path) -> None:
    file = tmp_path / "t.csv"
    frequency = np.geomspace(1e5, 0.1, 40)
    z = 10 + 50 / (1 + 2j * np.pi * frequency * 1e-3)
    rows = [f"{f},{p.real},{-p.imag},313" for f, p in zip(frequency, z, strict=True)]
    file.write_text("\n".join(["f (Hz),Z' (Ohm),-Z'' (Ohm),Temperature", *rows]), encoding="utf-8")
    read = cellpipe.read(file)
    assert "ambient_temperature_celsius" not in read.tables["impedance"].columns
    (finding,) = [f for f in read.findings if f.code == "column_without_unit"]
    assert "Temperature" in finding.sentence


def test_the_area_by_which_a_file_was_made_goes_before_one_that_is_stated(tmp_path: Path) -> None:
    file = tmp_path / "t.csv"
    frequency = np.geomspace(1e5, 0.1, 40)
    z = 2.0 * (10 + 50 / (1 + 2j * np.pi * frequency * 1e-3))
    rows = [f"{f},{p.real},{-p.imag}" for f, p in zip(frequency, z, strict=True)]
    head = ["Area (cm²): 2", "f (Hz),Z' (Ohm cm2),-Z'' (Ohm cm2)"]
    file.write_text("\n".join([*head, *rows]), encoding="utf-8")
    read = cellpipe.read(file, stated=cellpipe.Statement(area_cm2=0.785))
    assert read.tables["impedance"]["real_impedance_ohm"].max() == pytest.approx(60, rel=1e-3)
    assert "two_areas" in {finding.code for finding in read.findings}
