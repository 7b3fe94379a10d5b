"""The cell sheet: what is wrong is named by row, column and remedy, and the other cells go on."""

from __future__ import annotations

import csv
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
     "cells.csv, row 2, column D: Electrode mass: 'about 3' is not a number"),
    ([*HEAD, "Electrode mass / mg"], ["A", "A*", "full", "32500"],
     "cells.csv, row 2, column D: Electrode mass = 32500 mg is outside 0.0001 to 500 mg; "
     "is the unit right?"),
    ([*HEAD, "Temperature / °C"], ["A", "A*", "full", "RT"],
     "cells.csv, row 2, column D: Temperature: 'RT' is not a number"),
    ([*HEAD, "Active fraction / %"], ["A", "A*", "full", "0.6"],
     "cells.csv, row 2, column D: Active fraction = 0.6 % is outside 1 to 100 %; "
     "is the unit right?"),
    ([*HEAD], ["A", "A*", "whole"],
     "cells.csv, row 2, column C: Configuration: 'whole' must be full, half or symmetric"),
    ([*HEAD], ["A", "A*", ""],
     "cells.csv, row 2, column C: Configuration: it is empty and must be full, half or symmetric"),
    ([*HEAD], ["A", "", "full"],
     "cells.csv, row 2, column B: Files is empty; files that name the cell, or in a folder that "
     "does, are taken. Write a file name or a pattern such as SSB-01*"),
    ([*HEAD], ["", "A*", "full"],
     "cells.csv, row 2, column A: Cell ID is empty; the row is left out"),
    ([*HEAD, "Working electrode"], ["A", "A*", "half", "unobtainium"],
     "cells.csv, row 2, column D: Working electrode: 'unobtainium' is not known; "
     "write anode or cathode before it"),
    ([*HEAD, "Active mass / mg"], ["A", "A*", "full", "3"],
     "cells.csv, row 2, column D: whose mass is it? write anode or cathode as Working electrode"),
    ([*HEAD, "Electrode mass / mg"], ["A", "A*", "full", "3.5 mg"],
     "cells.csv, row 2, column D: Electrode mass: '3.5 mg' is not a number; write the number "
     "alone, the unit stands in the header"),
    ([*HEAD, "Area / cm²"], ["A", "A*", "full", "#DIV/0!"],
     "cells.csv, row 2, column D: Area: '#DIV/0!' is not a number"),
    ([*HEAD, "Area / mm²"], ["A", "A*", "full", "0.785"],
     "cells.csv, row 2, column D: Area = 0.00785 cm² is outside 0.01 to 500 cm²; "
     "is the unit right?"),
    ([*HEAD, "Active mass / g", "Working electrode"], ["A", "A*", "full", "-0.01", "Si"],
     "cells.csv, row 2, column D: Active mass = -10 mg is outside 0.0001 to 500 mg; "
     "is the unit right?"),
    ([*HEAD, "Lower voltage / V", "Upper voltage / V"], ["A", "A*", "full", "4,2", "2,5"],
     "cells.csv, row 2, column D: Lower voltage = 4.2 V is not below Upper voltage = 2.5 V; "
     "are they swapped?"),
    ([*HEAD, "Working electrode", "Active mass / mg", "Electrode mass / mg"],
     ["A", "A*", "half", "Si", "5", "3"],
     "cells.csv, row 2, column E: Active mass = 5 mg is more than Electrode mass = 3 mg; "
     "neither is used"),
    ([*HEAD, "Reference offset / V"], ["A", "A*", "half", ""],
     "cells.csv, row 2, column D: Reference offset is empty (0.62 for In/InLi, 0 for Li metal)"),
    ([*HEAD, "N/P ratio"], ["A", "A*", "full", "120"],
     "cells.csv, row 2, column D: N/P ratio = 120 is outside 0.1 to 50; is the unit right?"),
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
    assert said in [f.sentence for f in found.findings]
    assert found.cells[-1].cell_id == "B"


def test_an_id_that_is_used_twice_keeps_its_first_row(tmp_path: Path) -> None:
    found = read_sheet_file(sheet(tmp_path, HEAD, ["A", "A*", "full"], ["A", "B*", "half"]))
    assert [cell.configuration for cell in found.cells] == ["full"]
    assert found.findings[0].sentence.startswith(
        "cells.csv, row 3, column A: cell ID A is used twice"
    )


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
