"""A lab's own baselines: held to the contract, row by row, and beside every cell."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

import cellpipe
from cellpipe.baselines import table1
from cellpipe.cell_sheet.lab_baselines import read_lab_baselines
from cellpipe.core.errors import CellSheetError
from cellpipe.pipeline.run import process
from made_files import neware_csv

pytestmark = pytest.mark.usefixtures("no_pages")  # tables, files and the ledger are asked about

HEADS = ("first_author_year,anode_composition,solid_electrolyte,cathode_composition,"
         "temperature_c,initial_value,initial_unit,later_value_low,later_value_high,later_unit,"
         "later_cycle,cell_kind_inferred,capacity_basis_inferred")  # fmt: skip
OURS = "Ours 2025,Si,Li6PS5Cl,NCM811,25,2.0,mAh/cm2,1.8,1.8,mAh/cm2,3,full,area"


def written(folder: Path, *lines: str, heads: str = HEADS) -> Path:
    path = folder / "baselines.csv"
    path.write_text("\n".join((heads, *lines)) + "\n", encoding="utf-8")
    return path


def test_rows_that_keep_the_contract_are_used_and_the_others_are_named(tmp_path: Path) -> None:
    rows, findings = read_lab_baselines(
        written(
            tmp_path, OURS, "# Theirs,a remark", OURS.replace("2.0", "two"),
            OURS.replace("full,area", "full,moon"), OURS.replace("Ours 2025", "Ours 2026"), "",
        )
    )  # fmt: skip
    assert rows["first_author_year"].to_list() == ["Ours 2025", "Ours 2026"]
    assert rows["source"].unique().to_list() == ["baselines.csv"]
    assert rows["row"].to_list() == [1, 5]
    said = [finding.sentence for finding in findings]
    assert said[0].startswith("baselines.csv, row 4: column initial_value: found 'two', expected")
    assert "row 5" in said[1]
    assert "capacity_basis_inferred" in said[1]
    for wrong in ("1.5", "1e400", "1e30", "-1", "x"):
        path = written(tmp_path, f"{wrong},{OURS}", heads=f"row,{HEADS}")
        assert read_lab_baselines(path)[0].is_empty(), wrong


def test_a_semicolon_and_a_decimal_comma_are_understood(tmp_path: Path) -> None:
    path = written(tmp_path, OURS.replace(",", ";").replace("2.0", "2,0"),
                   heads=HEADS.replace(",", ";"))  # fmt: skip
    rows, findings = read_lab_baselines(path)
    assert rows["initial_value"].to_list() == [2.0]
    assert not findings


@pytest.mark.parametrize(
    ("old", "new"),
    [("full,area", "full,cathode active material"), (",2.0,", ",0,"), ("1.8,1.8", "1.9,1.8"),
     ("1.8,mAh/cm2", "1.8,mAh/g"), (",2.0,", ',"1,606",')],
)  # fmt: skip
def test_a_row_that_contradicts_itself_is_left_out(tmp_path: Path, old: str, new: str) -> None:
    rows, findings = read_lab_baselines(written(tmp_path, OURS.replace(old, new), OURS))
    assert rows.height == 1
    assert "row 2: " in findings[0].sentence
    assert "left out" in findings[0].sentence


def test_a_retention_as_a_fraction_is_asked_about(tmp_path: Path) -> None:
    path = written(tmp_path, f"{OURS},0.82", f"{OURS},82", heads=f"{HEADS},retention_percent")
    rows, findings = read_lab_baselines(path)
    assert rows["retention_percent"].to_list() == [82.0]
    assert "row 2: found a retention_percent of 0.82; expected per cent, such as 82" in (
        findings[0].sentence
    )


def test_a_column_that_is_there_twice_counts_once(tmp_path: Path) -> None:
    path = written(tmp_path, f"{OURS},9", heads=f"{HEADS},initial_value")
    rows, findings = read_lab_baselines(path)
    assert rows["initial_value"].to_list() == [2.0]
    assert "is there twice" in findings[0].sentence


def test_a_misspelt_column_is_named(tmp_path: Path) -> None:
    path = written(tmp_path, OURS, heads=HEADS.replace("temperature_c", "temperature_C"))
    _, findings = read_lab_baselines(path)
    assert "did you mean 'temperature_c'?" in findings[0].sentence
    with pytest.raises(CellSheetError, match="no column 'initial_unit'"):
        read_lab_baselines(written(tmp_path, OURS, heads=HEADS.replace("initial_unit", "unit")))


def lab(folder: Path) -> Path:
    folder.mkdir()
    neware_csv(folder / "C1.csv", "2026-03-01 10:00:00", factor=2e-3)
    (folder / "cells.csv").write_text("Cell ID,Files,Configuration,Area / cm²\nC1,C1*,full,1\n")
    return folder


def comparison(out: Path) -> pl.DataFrame:
    return cellpipe.open_results(out)["baseline_comparison"].collect().sort("source", "row")


def test_a_labs_own_rows_stand_beside_every_cell_and_a_change_is_followed(tmp_path: Path) -> None:
    folder, out = lab(tmp_path / "lab"), tmp_path / "out"
    written(folder, OURS)
    summary = process(folder, out)
    assert "baselines.csv" not in summary.files["path"]
    own = comparison(out).filter(source="baselines.csv")
    assert own["comparable"].to_list() == [True]
    assert own["baseline_initial_capacity"].to_list() == [2.0]
    assert comparison(out).height == table1().height + 1
    assert process(folder, out).cells_updated == 0
    written(folder, OURS.replace("2.0", "2.5"))
    assert process(folder, out).cells_updated == 1
    assert comparison(out).filter(source="baselines.csv")["baseline_initial_capacity"][0] == 2.5
    (folder / "baselines.csv").unlink()
    assert process(folder, out).cells_updated == 1
    assert comparison(out).height == table1().height


def test_a_file_of_baselines_that_breaks_keeps_those_from_before_and_says_so(
    tmp_path: Path,
) -> None:
    folder, out = lab(tmp_path / "lab"), tmp_path / "out"
    written(folder, OURS)
    process(folder, out)
    (folder / "baselines.csv").write_text("nothing,of,the,kind\n")
    summary = process(folder, out)
    assert comparison(out).height == table1().height + 1
    assert [failure.path for failure in summary.failures] == ["baselines.csv"]
    assert "Those from before are used" in summary.failures[0].reason
    assert process(folder, out).cells_updated == 0


def test_a_file_of_thousands_of_rows_is_refused_by_their_number(tmp_path: Path) -> None:
    path = written(tmp_path, *(OURS.replace("Ours", f"Ours {n}") for n in range(2_000)))
    with pytest.raises(CellSheetError, match="2,001 rows"):
        read_lab_baselines(path)
