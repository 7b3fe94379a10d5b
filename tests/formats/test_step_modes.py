"""The mode of each step is what the file says: by its maker's word, or by EC-Lab's mode."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

import cellpipe
from cellpipe.core.contracts.schema import load_schema
from cellpipe.core.recordings.step_types import find_step_mode, find_step_sign

WORDS = {  # of Neware, LAND, Novonix, Maccor, BaSyTec, PEC and of the Battery Data Format
    "CC_Chg": ("CC", 1), "CC Chg": ("CC", 1), "CC_DChg": ("CC", -1), "CC DChg": ("CC", -1),
    "CV_Chg": ("CV", 1), "CV_DChg": ("CV", -1), "CCCV_Chg": ("CCCV", 1), "CCCV DChg": ("CCCV", -1),
    "CP_DChg": ("CP", -1), "CP_Chg": ("CP", 1), "CR_DChg": ("CR", -1), "Ramp": ("ramp", None),
    "CPCV_Chg": ("driven", 1), "Pulse": ("pulse", None), "SIM": ("profile", None),
    "CyclicVoltammetry": ("ramp", None), "Rest": ("rest", None), "OCV": ("rest", None),
    "Pause": ("rest", None), "恒流充电": ("CC", 1), "恒流放电": ("CC", -1), "恒压充电": ("CV", 1),
    "恒流恒压充电": ("CCCV", 1), "恒功率放电": ("CP", -1), "恒阻放电": ("CR", -1),
    "静置": ("rest", None), "搁置": ("rest", None), "脉冲": ("pulse", None), "CC放电": ("CC", -1),
    "C_CC": ("CC", 1), "D_CC": ("CC", -1), "C_CCCV": ("CCCV", 1), "D_Rate": ("driven", -1),
    "CCCV_Chg (CC)": ("CC", 1), "CCCV_DChg (CV)": ("CV", -1),
    "C": ("driven", 1), "D": ("driven", -1), "R": ("rest", None), "P": ("rest", None),
    "S": ("rest", None), "Charge": ("driven", 1), "Discharge": ("driven", -1),
    "Entladen": ("driven", -1), "Laden": ("driven", 1), "Idle": ("rest", None),
    "constant current charge": ("CC", 1), "Constant Voltage Discharge": ("CV", -1),
    "cc_dchg": ("CC", -1), "CC-CV charge": ("CCCV", 1), "PEIS": ("impedance", None),
}  # fmt: skip
UNKNOWN = (
    "Control",
    "Cycle",
    "End",
    "Undefined",
    "Set",
    "IR",
    "Characterisation",
    "change",
    "",
    "?",
)


@pytest.mark.parametrize("word", WORDS)
def test_a_makers_word_tells_the_mode_and_the_direction(word: str) -> None:
    assert (find_step_mode(word), find_step_sign(word)) == WORDS[word]


@pytest.mark.parametrize("word", UNKNOWN)
def test_a_word_that_tells_nothing_is_not_guessed_at(word: str) -> None:
    assert find_step_mode(word) is None
    assert find_step_sign(word) is None


def test_every_mode_of_the_schema_is_a_word_for_itself() -> None:
    modes = load_schema("timeseries").columns["step_mode"].isin
    assert modes
    assert [find_step_mode(mode) for mode in modes] == [*modes]
    assert {mode for mode, _ in WORDS.values()} <= {*modes}


def mode_bits(path: Path) -> dict[float, int]:
    """Read EC-Lab's mode of each record, by its time, from a text export, with no reader."""
    lines = path.read_text(encoding="cp1252").splitlines()
    top = next((n for n, line in enumerate(lines) if line.startswith("mode\t")), None)
    if top is None:
        return {}
    names = lines[top].split("\t")
    place = names.index("time/s") if "time/s" in names else -1
    rows = [line.split("\t") for line in lines[top + 1 :] if line.strip()]
    if place < 0 or not rows or ":" in rows[0][place]:
        return {}
    return {float(row[place].replace(",", ".")): int(row[0]) for row in rows}


@pytest.mark.slow
def test_the_modes_of_real_biologic_files_are_their_bits(real_data: Path) -> None:
    """A potentiostatic record is CV, or part of a ramp; a galvanostatic one CC; 3 is a rest."""
    allowed = {1: {"CC", "impedance"}, 2: {"CV", "ramp", "impedance"}, 3: {"rest", "impedance"}}
    seen = 0
    for path in sorted(real_data.glob("mpt/*.mpt")):
        bits = mode_bits(path)
        if not bits or "cp.issue_61" in path.name:  # its bits contradict its technique
            continue
        table = cellpipe.read(path).tables["timeseries"]
        for time, mode in table.select("test_time_second", "step_mode").iter_rows():
            assert mode in allowed[bits[time]], (path.name, time)
            seen += 1
    assert seen > 50_000


@pytest.mark.slow
def test_an_mpr_has_the_modes_of_the_mpt_exported_from_it(real_data: Path) -> None:
    pairs = 0
    for path in sorted(real_data.glob("mpr/*.mpr")):
        text = real_data / "mpt" / f"{path.stem}.mpt"
        if not text.is_file() or path.stem == "yadg-old__lsv":  # an export without its technique
            continue
        tables = [cellpipe.read(each).tables for each in (path, text)]
        modes = [each["timeseries"]["step_mode"] for each in tables
                 if "step_mode" in each.get("timeseries", pl.DataFrame()).columns]  # fmt: skip
        if len(modes) == 2 and modes[0].len():
            assert modes[0].equals(modes[1]), path.name
            pairs += 1
    assert pairs >= 15


def test_a_technique_that_controls_the_current_holds_no_voltage(real_data: Path) -> None:
    """Bits of an old file say potentiostatic, its control column is in mA: it is not told."""
    table = cellpipe.read(real_data / "mpt" / "yadg__cp.issue_61.mpt").tables["timeseries"]
    assert table["step_mode"].null_count() == table.height


@pytest.mark.slow
def test_real_neware_and_maccor_steps_that_are_rests_pass_nothing_and_others_do(
    real_data: Path,
) -> None:
    words: set[str] = set()
    for folder in ("neware-csv", "neware-xlsx", "derived", "nda", "ndax", "maccor", "landt"):
        for path in sorted((real_data / folder).glob("*")):
            try:
                table = cellpipe.read(path).tables["timeseries"]
            except (cellpipe.CellpipeError, KeyError):
                continue
            if "step_type" not in table.columns:
                continue
            steps = table.group_by("step_type", "step_mode").agg(
                flows=(pl.col("current_ampere") != 0).mean()
            )
            for word, mode, flows in steps.iter_rows():
                assert mode == (find_step_mode(word) if word else None)
                if mode is not None:
                    assert flows == 0 if mode == "rest" else flows > 0.9, (path.name, word)
                words |= {word}
    assert {"CC_Chg", "CC DChg", "CV_Chg", "CCCV_Chg", "CCCV_DChg", "Rest", "Pulse", "恒流放电",
            "恒流恒压充电", "搁置", "C", "D", "R", "C_CC", "D_CC"} <= words  # fmt: skip


def test_a_column_of_arbins_schedule_tells_the_modes(tmp_path: Path) -> None:
    head = "Data_Point,Test_Time(s),Step_Time(s),Cycle_Index,Step_Index,Step_Type,Current(A),"
    rows = [
        f"{n},{n * 60},{n * 60},1,{1 + n // 4},{('Rest', 'CC_Chg', 'CV_Chg')[n // 4]},"
        f"{0.0 if n < 4 else 0.002},3.{n:02d},0,0"
        for n in range(12)
    ]
    names = "Voltage(V),Charge_Capacity(Ah),Discharge_Capacity(Ah)"
    path = tmp_path / "a.csv"
    path.write_text("\n".join([head + names, *rows]) + "\n", encoding="utf-8")
    table = cellpipe.read(path).tables["timeseries"]
    assert table["step_mode"].to_list() == ["rest"] * 4 + ["CC"] * 4 + ["CV"] * 4
