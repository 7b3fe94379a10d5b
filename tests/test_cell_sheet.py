"""The cell sheet: what is wrong is named by cell, column and remedy, and the other cells go on."""

from __future__ import annotations

import csv
import re
from datetime import datetime
from pathlib import Path

import fastexcel
import pytest
import xlsxwriter

from cellpipe.cell_sheet.fields import FIELDS
from cellpipe.cell_sheet.row import column_letter
from cellpipe.cell_sheet.sheet import (
    cell_id_from_name,
    find_cells,
    read_cell_sheet,
    read_sheet_file,
)
from cellpipe.cell_sheet.template import patterns_by_cell, write_template
from cellpipe.core.contracts import load_schema
from cellpipe.core.errors import CellpipeError, CellSheetError
from cellpipe.core.model import Cell

HEAD = ["Cell ID", "Files", "Configuration"]


def sheet(tmp_path: Path, *rows: list[object], name: str = "cells.csv") -> Path:
    path = tmp_path / name
    if name.endswith(".csv"):
        with path.open("w", newline="", encoding="utf-8") as stream:
            csv.writer(stream, delimiter=";").writerows(rows)
        return path
    with xlsxwriter.Workbook(path) as book:
        page = book.add_worksheet("cells")
        for number, row in enumerate(rows):
            page.write_row(number, 0, row)
    return path


def test_three_columns_are_enough(tmp_path: Path) -> None:
    found = read_sheet_file(sheet(tmp_path, HEAD, ["A", "A*.mpr; a2*.mpr", "full"]))
    assert found.findings == ()
    assert found.cells[0].patterns == ("A*.mpr", "a2*.mpr")
    assert found.cells[0].configuration == "full"
    assert found.cells[0].cathode_active_mass_mg is None


@pytest.mark.parametrize("name", ["cells.csv", "cells.xlsx"])
@pytest.mark.parametrize(
    ("header", "value", "field", "expected"),
    [
        ("Area / cm²", "0,785", "area_cm2", 0.785),
        ("Area (mm2)", "78.5", "area_cm2", 0.785),
        ("Area [cm2]", "0.785", "area_cm2", 0.785),
        ("Cathode active mass / g", "0.0157", "cathode_active_mass_mg", 15.7),
        ("stack PRESSURE / bar", "750", "stack_pressure_mpa", 75.0),
        ("Reference offset / mV", "620", "reference_offset_volt", 0.62),
        ("Temperature / °C", "−20", "temperature_celsius", -20.0),
        ("1C capacity / mAh/g", "3579", "nominal_capacity_mah_per_g", 3579.0),
        ("Diameter / mm", "10", "area_cm2", 0.785398),
    ],
)
def test_units_in_the_header_and_decimal_commas_are_understood(
    tmp_path: Path, name: str, header: str, value: str, field: str, expected: float
) -> None:
    found = read_sheet_file(sheet(tmp_path, [*HEAD, header], ["A", "A*", "full", value], name=name))
    assert found.findings == ()
    assert getattr(found.cells[0], field) == pytest.approx(expected, rel=1e-5)


WRONG = [
    ([*HEAD, "Stack presure / MPa"], ["A", "A*", "full", "5"],
     "cells.csv, row 1, column D: column 'Stack presure / MPa' is not known; "
     "did you mean 'Stack pressure'?"),
    ([*HEAD, "Area"], ["A", "A*", "full", "1"],
     "cells.csv, row 1, column D: column 'Area': the unit is missing; write 'Area / cm²'"),
    ([*HEAD, "Area / acre"], ["A", "A*", "full", "1"],
     "cells.csv, row 1, column D: column 'Area / acre': unit 'acre' is not known; "
     "write 'Area / cm²'"),
    ([*HEAD, "Area / cm²", "Area / mm²"], ["A", "A*", "full", "1", "100"],
     "cells.csv, row 1, column E: column 'Area / mm²' is there twice; the first counts"),
    ([*HEAD, "Electrode mass / mg"], ["A", "A*", "full", "about 3"],
     "Cell sheet, Electrode mass: 'about 3' is refused: it is not a number."),
    ([*HEAD, "Electrode mass / mg"], ["A", "A*", "full", "32500"],
     "Cell sheet, Electrode mass: '32500' is refused: 32500 mg is outside 0.0001 to 500 mg."),
    ([*HEAD, "Temperature / °C"], ["A", "A*", "full", "RT"],
     "Cell sheet, Temperature: 'RT' is refused: it is not a number."),
    ([*HEAD, "Active fraction / %"], ["A", "A*", "full", "0.6"],
     "Cell sheet, Active fraction: '0.6' is refused: 0.6 % is outside 1 to 100 %."),
    ([*HEAD], ["A", "A*", "whole"],
     "Cell sheet, Configuration: 'whole' is refused: it is not one of full, half and symmetric."),
    ([*HEAD], ["A", "A*", ""],
     "Cell sheet, Configuration is empty: the kind of the cell is not known."),
    ([*HEAD], ["A", "", "full"],
     "Cell sheet, Files is empty; files that name the cell, or in a folder that does, are taken."),
    ([*HEAD], ["", "A*", "full"],
     "cells.csv, row 2, column Cell ID (A): it is empty (in the row of the Files 'A*'); the row is "
     "left out."),
    ([*HEAD, "Working electrode"], ["A", "A*", "half", "unobtainium"],
     "Cell sheet, Working electrode: 'unobtainium' is not known to be an anode or a cathode."),
    ([*HEAD, "Active mass / mg"], ["A", "A*", "full", "3"],
     "Cell sheet, Active mass: '3' is refused: it is not known whose mass it is."),
    ([*HEAD, "Electrode mass / mg"], ["A", "A*", "full", "3.5 mg"],
     "Cell sheet, Electrode mass: '3.5 mg' is refused: it is not a number."),
    ([*HEAD, "Area / cm²"], ["A", "A*", "full", "#DIV/0!"],
     "Cell sheet, Area: '#DIV/0!' is refused: it is not a number."),
    ([*HEAD, "Area / mm²"], ["A", "A*", "full", "0.785"],
     "Cell sheet, Area: '0.785' is refused: 0.00785 cm² is outside 0.01 to 500 cm²."),
    ([*HEAD, "Active mass / g", "Working electrode"], ["A", "A*", "full", "-0.01", "Si"],
     "Cell sheet, Active mass: '-0.01' is refused: -10 mg is outside 0.0001 to 500 mg."),
    ([*HEAD, "Lower voltage / V", "Upper voltage / V"], ["A", "A*", "full", "4,2", "2,5"],
     "Cell sheet, Lower voltage: '4,2' is refused: the lower voltage, 4.2 V, is not below the "
     "upper one, 2.5 V."),
    ([*HEAD, "Working electrode", "Active mass / mg", "Electrode mass / mg"],
     ["A", "A*", "half", "Si", "5", "3"],
     "Cell sheet, Active mass: '5' is refused: the active mass, 5 mg, is more than the "
     "electrode's, 3 mg."),
    ([*HEAD, "Reference offset / V"], ["A", "A*", "half", ""],
     "Cell sheet, Reference offset is empty."),
    ([*HEAD, "N/P ratio"], ["A", "A*", "full", "120"],
     "Cell sheet, N/P ratio: '120' is refused: 120 is outside 0.1 to 50."),
    ([*HEAD, "Temperature / K"], ["A", "A*", "full", "298"],
     "cells.csv, row 1, column D: column 'Temperature / K': unit 'K' is not known; "
     "write 'Temperature / °C'"),
]  # fmt: skip


@pytest.mark.parametrize(("header", "row", "said"), WRONG, ids=range(len(WRONG)))
def test_a_wrong_cell_is_named_with_its_remedy_and_the_next_row_is_read(
    tmp_path: Path, header: list[object], row: list[object], said: str
) -> None:
    good = ["B", "B*", "full", *[""] * (len(header) - 3)]
    found = read_sheet_file(sheet(tmp_path, header, row, good))
    (finding,) = [f for f in found.findings if f.sentence == said]
    assert found.cells[-1].cell_id == "B"
    if said.startswith("Cell sheet, "):  # its subject is the cell, and a remedy stands beside it
        assert finding.cell_id == "A"
        assert finding.remedy.endswith(".")
    refused = re.match(r"Cell sheet, (.*): '(.*)' is refused", said)
    if refused:
        assert found.cells[0].refused[refused[1]] == refused[2]


@pytest.mark.parametrize(("mass", "area"), [("1600", "100"), ("900", "50"), ("25000", "490")])
def test_the_bound_of_a_mass_follows_the_area(tmp_path: Path, mass: str, area: str) -> None:
    header = [*HEAD, "Cathode active mass / mg", "Area / cm²"]
    large = read_sheet_file(sheet(tmp_path, header, ["A", "A*", "full", mass, area]))
    assert large.cells[0].cathode_active_mass_mg == float(mass)
    assert not large.findings
    small = read_sheet_file(sheet(tmp_path, header, ["A", "A*", "full", mass, "0.785"]))
    assert small.cells[0].cathode_active_mass_mg is None
    assert f"{mass} mg is outside" in small.findings[0].sentence
    in_grams = [*HEAD, "Cathode active mass / g", "Area / cm²"]
    found = read_sheet_file(sheet(tmp_path, in_grams, ["A", "A*", "full", mass, area]))
    assert found.cells[0].cathode_active_mass_mg is None


def test_an_id_that_is_used_twice_keeps_its_first_row(tmp_path: Path) -> None:
    found = read_sheet_file(sheet(tmp_path, HEAD, ["A", "A*", "full"], ["A", "B*", "half"]))
    assert [cell.configuration for cell in found.cells] == ["full"]
    assert found.findings[0].sentence.startswith(
        "Cell sheet, Cell ID: A is there twice; the first row is used, and the one with the Files "
        "'B*' is left out."
    )
    assert found.findings[0].cell_id == "A"


def test_a_title_above_the_headers_is_said_with_the_row_that_they_are_in(tmp_path: Path) -> None:
    title = ["Project X, as of 12 March"]
    for rows, where in (([title], "row 2"), ([title, [], []], "row 4"), ([title, ["a"]], "row 3")):
        path = sheet(tmp_path, *rows, HEAD, ["A", "A*", "full"])
        with pytest.raises(CellSheetError, match=f"'Project X.*, and the headers in {where}"):
            read_sheet_file(path)
    empty_rows_above = sheet(tmp_path, [], [], HEAD, ["A", "A*", "whole"], name="cells.xlsx")
    found = read_sheet_file(empty_rows_above)
    assert [cell.cell_id for cell in found.cells] == ["A"]


def test_a_date_that_excel_made_of_a_name_is_no_cell_id(tmp_path: Path) -> None:
    path = tmp_path / "cells.xlsx"
    with xlsxwriter.Workbook(path) as book:
        page = book.add_worksheet()
        page.write_row(0, 0, HEAD)
        page.write_datetime(1, 0, datetime(2026, 3, 12), book.add_format({"num_format": "d-mmm"}))
        page.write_row(1, 1, ["C12*", "half"])
        page.write_row(2, 0, ["B", "B*", "full"])
    found = read_sheet_file(path)
    assert [cell.cell_id for cell in found.cells] == ["B"]
    (finding,) = found.findings
    assert finding.cell_id is None
    assert "row 2, column Cell ID (A): Excel has made the date 2026-03-12" in finding.sentence
    assert "'C12*'" in finding.sentence
    assert "as text" in finding.remedy
    for text in ("12-Mar", "12. Mrz", "Mai 26"):
        found = read_sheet_file(sheet(tmp_path, HEAD, [text, "A*", "full"]))
        assert not found.cells, text
    for text in ("2026-03-12", "12-3", "Mara-01", "SSB 12-Mar", "mai"):
        found = read_sheet_file(sheet(tmp_path, HEAD, [text, "A*", "full"]))
        assert [cell.cell_id for cell in found.cells] == [text]


def test_a_value_that_excel_made_a_date_of_is_refused_as_such(tmp_path: Path) -> None:
    row = ["A", "A*", "full", "2026-02-01 00:00:00"]
    found = read_sheet_file(sheet(tmp_path, [*HEAD, "Area / cm²"], row))
    assert "Excel has made a date of what was typed" in found.findings[0].sentence


def test_merged_fields_are_said_of_each_cell_that_has_none_for_it(tmp_path: Path) -> None:
    path = tmp_path / "cells.xlsx"
    with xlsxwriter.Workbook(path) as book:
        page = book.add_worksheet()
        page.write_row(0, 0, [*HEAD, "Group", "Area / cm²"])
        for number, name in enumerate("ABC", 1):
            page.write_row(number, 0, [name, f"{name}*", "full", "", 0.785])
        page.merge_range(1, 3, 3, 3, "G1")
        page.merge_range(6, 0, 6, 2, "# remarks")
    found = read_sheet_file(path)
    assert [cell.group for cell in found.cells] == ["G1", None, None]
    assert [(f.cell_id, f.code) for f in found.findings if f.code == "merged_cells"] == [
        ("B", "merged_cells"), ("C", "merged_cells"),
    ]  # fmt: skip
    assert "Group: it is merged with the field that holds 'G1'" in found.findings[0].sentence


def test_the_three_columns_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(CellSheetError, match="no column 'Files' and no column 'Configuration'"):
        read_sheet_file(sheet(tmp_path, ["Cell ID"], ["A"]))
    with pytest.raises(CellSheetError, match="Cell ID"):
        read_sheet_file(sheet(tmp_path, []))


def test_the_active_mass_follows_from_mass_and_fraction_and_is_marked(tmp_path: Path) -> None:
    head = [*HEAD, "Working electrode", "Electrode mass / mg", "Active fraction / %"]
    cell = read_sheet_file(sheet(tmp_path, head, ["A", "A*", "half", "Si", "1.5", "60"])).cells[0]
    assert cell.anode_active_mass_mg == pytest.approx(0.9)
    assert cell.inferred == {"anode_active_mass_mg": "Electrode mass × Active fraction"}


@pytest.mark.parametrize(
    ("text", "role"),
    [("Si", "anode"), ("Si/C", "anode"), ("cathode: NCM811", "cathode"), ("NCM90", "cathode"),
     ("LiCoO2", "cathode"),
     ("LiNi0.8Co0.1Mn0.1O2", "cathode"), ("Si/Li6PS5Cl/C", "anode"),
     ("Li4Ti5O12", "anode"), ("cathode S", "cathode"), ("Li[NiCoMn]O2", "cathode"),
     ("graphite", "anode"), ("Si | Li6PS5Cl", "anode"), ("LFP", "cathode")],
)  # fmt: skip
def test_the_working_electrodes_name_says_which_electrode_it_is(
    tmp_path: Path, text: str, role: str
) -> None:
    row = ["A", "A*", "half", text]
    cell = read_sheet_file(sheet(tmp_path, [*HEAD, "Working electrode"], row)).cells[0]
    assert cell.working_electrode_role == role


def test_a_folder_without_a_sheet_has_no_cells_and_says_what_to_write(tmp_path: Path) -> None:
    found = read_cell_sheet(tmp_path)
    assert found.cells == ()
    assert [finding.code for finding in found.findings] == ["no_cell_sheet"]


def test_of_two_sheets_the_workbook_counts_and_the_other_is_named(tmp_path: Path) -> None:
    sheet(tmp_path, HEAD, ["A", "A*", "full"])
    sheet(tmp_path, HEAD, ["B", "B*", "half"], name="cells.xlsx")
    found = read_cell_sheet(tmp_path)
    assert [cell.cell_id for cell in found.cells] == ["B"]
    assert "cells.csv is not used" in found.findings[0].sentence


def test_a_workbook_that_is_none_says_so(tmp_path: Path) -> None:
    (tmp_path / "cells.xlsx").write_bytes(b"PK not a workbook")
    with pytest.raises(CellSheetError, match="save it again from Excel"):
        read_cell_sheet(tmp_path)


def test_patterns_match_names_and_paths_without_regard_to_case() -> None:
    cells = [Cell("A", patterns=("ssb-1_*",)), Cell("B", patterns=("run2/*.csv",))]
    assert find_cells("SSB-1_02.mpr", "x/SSB-1_02.mpr", cells) == [cells[0]]
    assert find_cells("z.csv", "run2/z.csv", cells) == [cells[1]]
    assert find_cells("other.csv", "other.csv", cells) == []


@pytest.mark.parametrize(
    ("stem", "cell_id", "channel"),
    [
        ("SSB-01_02_GCPL_C01", "SSB-01", "C01"),
        ("250116_kigr_gen6_01_02_GCPL_CD8", "250116_kigr_gen6_01", "CD8"),
        ("LFP80_Channel_25_Wb_1", "LFP80", "Channel_25"),
        ("SSB-07_record", "SSB-07", None),
        ("SSB-07_part2", "SSB-07", None),
        ("20160805_test001_45_cc_01", "20160805_test001_45_cc_01", None),
    ],
)
def test_a_cells_id_is_concluded_from_what_instruments_append(
    stem: str, cell_id: str, channel: str | None
) -> None:
    assert cell_id_from_name(stem) == (cell_id, channel)


def test_a_half_cell_without_a_working_electrode_is_a_silicon_anodes_and_marked(
    tmp_path: Path,
) -> None:
    cell = read_sheet_file(sheet(tmp_path, HEAD, ["A", "A*", "half"])).cells[0]
    assert cell.working_electrode_role == "anode"
    assert "working_electrode_role" in cell.inferred


def test_a_sheet_is_found_whatever_the_case_of_its_name(tmp_path: Path) -> None:
    sheet(tmp_path, HEAD, ["A", "A*", "half"]).rename(tmp_path / "Cells.CSV")
    assert [cell.cell_id for cell in read_cell_sheet(tmp_path).cells] == ["A"]


def test_a_sheet_with_the_line_ends_of_an_old_mac_is_read(tmp_path: Path) -> None:
    path = tmp_path / "cells.csv"
    path.write_bytes(b"Cell ID;Files;Configuration\rA;A*;full\r")
    assert read_sheet_file(path).cells[0].configuration == "full"


def test_columns_are_lettered_as_in_excel() -> None:
    assert [column_letter(n) for n in (0, 25, 26, 701, 702)] == ["A", "Z", "AA", "ZZ", "AAA"]


def test_remarks_are_no_cells(tmp_path: Path) -> None:
    found = read_sheet_file(sheet(tmp_path, HEAD, ["# the first batch"], ["A", "A*", "full"]))
    assert [cell.cell_id for cell in found.cells] == ["A"]
    assert found.findings == ()


def test_a_template_reads_without_a_finding_and_holds_no_cell(tmp_path: Path) -> None:
    found = read_sheet_file(write_template(tmp_path, {}))
    assert found.findings == ()
    assert found.cells == ()


def test_the_examples_of_a_template_are_cells_that_read_without_a_finding(tmp_path: Path) -> None:
    rows = fastexcel.read_excel(write_template(tmp_path, {})).load_sheet(
        0, header_row=None, dtypes="string"
    )
    lines = [[value or "" for value in row] for row in rows.to_polars().rows()]
    examples = [[row[0].removeprefix("# example: "), *row[1:]] for row in lines[2:4]]
    found = read_sheet_file(sheet(tmp_path / "..", lines[0], *examples, name="examples.csv"))
    assert found.findings == ()
    assert [cell.configuration for cell in found.cells] == ["half", "full"]
    assert found.cells[0].anode_active_mass_mg == pytest.approx(0.9)


def test_a_template_has_a_row_for_each_cell_that_the_file_names_point_to(tmp_path: Path) -> None:
    names = ["SSB-01_02_GCPL_C01.mpr", "SSB-01_03_PEIS_C01.mpr", "other.csv", "odd_record.csv",
             "odd.res"]  # fmt: skip
    cells = patterns_by_cell(names)
    assert cells == {"SSB-01": "SSB-01_*", "odd": "odd.res; odd_record.csv", "other": "other.*"}
    found = read_sheet_file(write_template(tmp_path, cells))
    assert [cell.cell_id for cell in found.cells] == ["SSB-01", "odd", "other"]
    matched = {name: find_cells(name, name, found.cells)[0].cell_id for name in names}
    assert list(matched.values()) == ["SSB-01", "SSB-01", "other", "odd", "odd"]


def test_a_template_is_never_written_over_a_sheet(tmp_path: Path) -> None:
    sheet(tmp_path, HEAD, ["A", "A*", "full"], name="Cells.csv")
    with pytest.raises(CellpipeError, match=r"a cell sheet \(Cells.csv\)"):
        write_template(tmp_path, {})


def test_a_decimal_comma_between_commas_costs_its_row_and_never_moves_a_value(
    tmp_path: Path,
) -> None:
    path = tmp_path / "cells.csv"
    path.write_text(
        "Cell ID,Files,Configuration,Working electrode,Active mass / mg,Area / cm²\n"
        "A,A*,full,NCM811,12,5,0,785\nB,B*,full,NCM811,12.5,0.785\n"
        'C,C*,full,NCM811,"12,5","0,785",\n',
        encoding="utf-8",
    )
    found = read_sheet_file(path)
    assert [cell.cell_id for cell in found.cells] == ["B", "C"]
    assert {cell.cathode_active_mass_mg for cell in found.cells} == {12.5}
    assert {cell.area_cm2 for cell in found.cells} == {0.785}
    assert found.findings[0].sentence.startswith("cells.csv, row 2: found 8 values, expected 6")


def test_remarks_beside_the_table_of_a_workbook_do_not_matter(tmp_path: Path) -> None:
    found = read_sheet_file(
        sheet(tmp_path, HEAD, ["A", "A*", "full", "", "ask Kim"], name="cells.xlsx")
    )
    assert [cell.cell_id for cell in found.cells] == ["A"]


def test_no_value_that_the_sheet_takes_is_beyond_what_the_table_of_it_can_hold() -> None:
    """Else one cell's mistyped value would stop the table of all."""
    columns = load_schema("cell_sheet").columns
    looked_at = 0
    for field in FIELDS:
        name = next((c for c in columns if c.startswith(field.name)), None)
        if name is None or not field.is_number:  # masses of the composite, and shares of it
            continue
        spec = columns[name]
        bounds = [spec.min, field.low, field.high, spec.max]
        assert bounds == sorted(bounds, key=float), name
        looked_at += 1
    assert looked_at >= 10


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be", "utf-8-sig", "cp1252"])
@pytest.mark.parametrize("separator", [";", "\t", ","])
def test_a_sheet_in_any_of_excels_encodings_is_read(
    tmp_path: Path, encoding: str, separator: str
) -> None:
    text = separator.join(["Cell ID", "Files", "Configuration", "Area / cm²"]) + "\r\n"
    text += separator.join(["Zürich-1", "Z*", "full", "0.785"]) + "\r\n"
    mark = "\ufeff" if encoding == "utf-16-be" else ""
    path = tmp_path / "cells.csv"
    path.write_bytes((mark + text).encode(encoding))
    sheet = read_cell_sheet(tmp_path)
    assert [cell.cell_id for cell in sheet.cells] == ["Zürich-1"]
    assert sheet.cells[0].area_cm2 == 0.785
