"""Cells that strip and plate, from records to tables and pages; each can be solved on paper."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from cellpipe import read
from cellpipe.analyses import (
    cells,
    comparison,
    cycles,
    half_cycles,
    plating_efficiency,
    protocol,
    stripping_plating,
)
from cellpipe.analyses.half_cycle_segments import half_cycle_segments
from cellpipe.baselines import table1
from cellpipe.baselines.known_materials import known_materials
from cellpipe.core.contracts import empty_table, validate
from cellpipe.core.model import Cell, Finding
from cellpipe.report.key_numbers import headline
from cellpipe.report.wording import kind_words

SHARED = Path(__file__).parents[3] / "shared"
corpus = pytest.mark.skipif(not SHARED.exists(), reason="the corpus is not there")
AREA = 0.5
LITHIUM = Cell("A", "symmetric", area_cm2=AREA, working_electrode="Li", counter_electrode="Li")
FOIL = Cell(
    "A", "half", working_electrode="Cu", working_electrode_role="anode", area_cm2=AREA,
    materials={"working": known_materials().find("Cu", ("anode",))},  # type: ignore[dict-item]
)  # fmt: skip
Half = tuple[float, float, float, float]  # mA, h, first and last mV


def record(*halves: Half, records: int = 61, start: float = 1.7e9) -> pl.DataFrame:
    """Make a time series of half cycles, with a record at each end."""
    parts, now = [], 0.0
    for step, (milliampere, hours, first, last) in enumerate(halves, start=1):
        second = now + np.linspace(0, 3600 * hours, records)
        parts.append(pl.DataFrame({
            "test_time_second": second, "unix_time_second": start + second,
            "voltage_volt": 1e-3 * np.linspace(first, last, records),
            "current_ampere": np.full(records, 1e-3 * milliampere),
            "step_count": np.full(records, step, np.int64),
        }))  # fmt: skip
        now = float(second[-1]) + 1e-3
    return pl.concat(parts).with_row_index("record_index", 1).cast({"record_index": pl.Int64})


def tables_of(
    cell: Cell, *files: pl.DataFrame, impedance: pl.DataFrame | None = None
) -> tuple[dict[str, pl.DataFrame], list[Finding]]:
    names = [f"{number:064}" for number in range(len(files))]
    tables = {
        "half_cycle_segments": pl.concat(
            half_cycle_segments(file, name) for file, name in zip(files, names, strict=True)
        ),
        "timeseries": pl.concat(
            [file.with_columns(file_sha256=pl.lit(name))
             for file, name in zip(files, names, strict=True)], how="diagonal",
        ),
        "impedance": empty_table("impedance").with_columns(file_sha256=pl.lit(""))
        if impedance is None
        else impedance,
        "files": empty_table("files"), "findings": empty_table("findings"), "baselines": table1(),
        "interfacial_resistance": empty_table("interfacial_resistance"),
    }  # fmt: skip
    findings = []
    chain = (
        half_cycles,
        protocol,
        cycles,
        stripping_plating,
        plating_efficiency,
        cells,
        comparison,
    )
    for each in chain:
        for result in each.ANALYSIS.compute(cell, tables):
            tables[result.analysis] = validate(result.analysis, result.table)
            findings += result.findings
    return tables, findings


def pairs(
    count: int, milliampere: float = 1.0, ohm: float = 100.0, hours: float = 1.0
) -> list[Half]:
    volt = milliampere * ohm
    return [(sign * milliampere, hours, sign * volt, sign * volt)
            for _ in range(count) for sign in (1.0, -1.0)]  # fmt: skip


def test_each_half_cycle_has_its_overpotential_polarisation_and_charge_per_area() -> None:
    tables, findings = tables_of(LITHIUM, record(*pairs(4, 0.5), (0.5, 2.0, 40.0, 80.0)))
    last = tables["stripping_plating"].row(-1, named=True)
    assert tables["stripping_plating"].height == 9
    assert last["current_density_ma_per_cm2"] == pytest.approx(0.5 / AREA)
    assert last["mean_overpotential_mv"] == pytest.approx(60.0)
    assert last["end_overpotential_mv"] == pytest.approx(80.0, rel=0.02)
    assert last["peak_overpotential_mv"] == pytest.approx(80.0)
    assert last["polarisation_ohm"] == pytest.approx(120.0)
    assert last["polarisation_ohm_cm2"] == pytest.approx(120.0 * AREA)
    assert last["areal_charge_mah_per_cm2"] == pytest.approx(1.0 / AREA, rel=1e-3)
    assert last["cumulative_areal_charge_mah_per_cm2"] == pytest.approx(5.0 / AREA, rel=1e-3)
    assert last["start_hour"] == pytest.approx(8.0, rel=1e-5)
    assert not [finding for finding in findings if finding.code == "short_circuit"]


def test_without_an_area_there_is_nothing_per_area() -> None:
    tables, _ = tables_of(Cell("A", "symmetric"), record(*pairs(4)))
    row = tables["stripping_plating"].row(0, named=True)
    assert row["polarisation_ohm"] == pytest.approx(100.0)
    assert [row[name] for name in row if "cm2" in name] == [None] * 4
    said = {name: basis for name, _, basis in (
        (key.name, key.value, key.basis) for key in headline(tables, kind_words(LITHIUM))
    )}  # fmt: skip
    assert "no area in the cell sheet" in said["Polarisation"]


def rising(shorted: int | None) -> pl.DataFrame:
    """Make a test of 0.1 to 1 mA/cm², each for two half cycles of half an hour."""
    halves = [
        half for level in range(1, 11) for half in pairs(1, 0.1 * level * AREA, hours=0.5)
    ]  # fmt: skip
    frame = record(*halves)
    if shorted is None:
        return frame
    inside = pl.col("test_time_second") >= 1800 * (shorted + 0.5)
    return frame.with_columns(pl.col("voltage_volt") * pl.when(inside).then(0.05).otherwise(1.0))


def test_a_stepped_test_gives_the_critical_current_density_and_the_time_of_the_short() -> None:
    tables, findings = tables_of(LITHIUM, rising(13))
    row = tables["critical_current"].row(0, named=True)
    assert row["verdict"] == "shorted"
    assert row["critical_current_density_ma_per_cm2"] == pytest.approx(0.6)
    assert row["shorted_current_density_ma_per_cm2"] == pytest.approx(0.7)
    assert row["step_ma_per_cm2"] == pytest.approx(0.1)
    assert row["short_hour"] == pytest.approx(6.75, abs=0.02)
    (said,) = [finding for finding in findings if finding.code == "short_circuit"]
    assert said.level == "warning"
    assert "6.75 h, at 0.7 mA/cm²" in said.sentence
    summary = tables["cells"]["plating_summary"][0]
    assert summary == (
        "critical current density 0.6 mA/cm² (shorted at 0.7 mA/cm²); hard short at 6.75 h"
    )


def test_one_that_ends_without_a_short_is_above_and_cycling_is_no_test() -> None:
    tables, _ = tables_of(LITHIUM, rising(None))
    assert tables["cells"]["plating_summary"][0] == (
        "critical current density above 1 mA/cm² (the test ended without a short); no short"
    )
    tables, _ = tables_of(LITHIUM, record(*pairs(10)))
    assert tables["cells"]["plating_summary"][0] == "no short"
    assert tables["critical_current"]["verdict"][0] == "no rising current"


@pytest.mark.parametrize("cell", [LITHIUM, Cell("A", None, in_sheet=False)])
def test_no_efficiency_retention_or_fade_is_anywhere(cell: Cell) -> None:
    tables, findings = tables_of(cell, record(*pairs(20)))
    ratios = ("coulombic_efficiency", "capacity_retention", "capacity_retention_at_rate")
    assert tables["cycles"].select(ratios).null_count().row(0) == (20,) * 3
    row = tables["cells"].row(0, named=True)
    assert row["symmetric"]
    named = [n for n in row if re.search("retention|efficiency|fade|cycles_to", n)]
    assert {row[name] for name in named if row[name] is not None} <= {None}
    assert not tables["baseline_comparison"]["comparable"].any()
    assert tables["baseline_comparison"]["cell_fade_per_cycle"].null_count() == 12
    shown = [f"{key.name} {key.value}" for key in headline(tables, kind_words(cell))]
    assert not re.search("(?i)retention|coulombic|fade", " ".join(shown))
    told = [finding for finding in findings if finding.code == "symmetric_by_voltage"]
    assert len(told) == (cell.configuration is None)


def test_a_cell_with_a_voltage_of_its_own_is_not_symmetric_whatever_the_sheet_says() -> None:
    halves = [(1.0, 1.0, 3400.0, 4200.0), (-1.0, 1.0, 4100.0, 3000.0)] * 5
    tables, findings = tables_of(LITHIUM, record(*halves))
    assert tables["critical_current"].is_empty()
    assert "not_symmetric" in {finding.code for finding in findings}


@pytest.mark.parametrize(
    ("first", "second", "hour", "found"),
    [(120.0, 6.0, 21.0, 1), (120.0, 60.0, 21.0, 0), (1000.0, 95.0, 21.0, 0), (120.0, 6.0, 9.5, 0)],
)
def test_a_collapse_of_the_spectra_after_the_last_half_cycle_is_a_short(
    first: float, second: float, hour: float, found: int
) -> None:
    spectra = [
        {"spectrum": number, "unix_time_second": 1.7e9 + 3600 * at, "frequency_hertz": hertz,
         "real_impedance_ohm": ohm * share, "file_sha256": f"{number:064}",
         "record_index": place, "test_time_second": float(place)}
        for number, (at, ohm) in enumerate(((0.0, first), (hour, second)), start=1)
        for place, (hertz, share) in enumerate(((1e5, 0.2), (0.1, 1.0)), start=1)
    ]  # fmt: skip
    more = {"unix_time_second": pl.Float64, "file_sha256": pl.String}
    schema = empty_table("impedance").schema | more
    impedance = pl.DataFrame(spectra, schema=schema)
    tables, _ = tables_of(LITHIUM, record(*pairs(10)), impedance=impedance)
    shorts = tables["short_circuits"]
    assert shorts.height == found
    if found:
        assert (shorts["sign"][0], shorts["start_hour"][0]) == ("spectra", pytest.approx(21.0))


def test_a_full_cell_that_looks_symmetric_is_asked_about() -> None:
    _, findings = tables_of(Cell("A", "full"), record(*pairs(10)))
    assert "looks_symmetric" in {finding.code for finding in findings}


@pytest.mark.parametrize("short", [None, 3.75])
def test_a_test_that_rises_in_one_direction_alone_is_one_too(short: float | None) -> None:
    frame = record(*((0.05 * n, 0.5, 5.0 * n, 5.0 * n) for n in range(1, 11)))
    if short is not None:
        after = pl.col("test_time_second") >= 3600 * short
        frame = frame.with_columns(pl.col("voltage_volt") * pl.when(after).then(0.1).otherwise(1.0))
    row = tables_of(LITHIUM, frame)[0]["critical_current"].row(0, named=True)
    assert row["known_from"] == "sheet"
    held = row["critical_current_density_ma_per_cm2"]
    assert held == pytest.approx(1.0 if short is None else 0.7)
    assert row["short_hour"] == (short if short is None else pytest.approx(short, abs=0.02))


def test_an_offset_of_the_voltage_and_missing_clocks_change_no_verdict() -> None:
    halves = [(sign * 0.5, 1.0, sign * 50 + 15, sign * 50 + 15)
              for _ in range(12) for sign in (1.0, -1.0)]  # fmt: skip
    for frame in (record(*halves), record(*halves).drop("unix_time_second")):
        row = tables_of(LITHIUM, frame)[0]["critical_current"].row(0, named=True)
        assert (row["shorts"], row["half_cycles"]) == (0, 24)


def test_files_follow_each_other_by_their_clocks() -> None:
    parts = [record(*pairs(3), start=1.7e9 + 86400 * day) for day in range(3)]
    tables, _ = tables_of(LITHIUM, *parts)
    hours = tables["stripping_plating"]["start_hour"].to_list()
    assert hours[::6] == pytest.approx([0.0, 24.0, 48.0])
    assert tables["stripping_plating"].height == 18


def strip(charge: float, *, whole: bool) -> Half:
    return (0.5, charge / 0.5, 20.0, 1000.0 if whole else 20.0)


def plate(charge: float) -> Half:
    return (-0.5, charge / 0.5, -20.0, -20.0)


def test_lithium_on_a_foil_has_an_efficiency_by_cycles_and_no_retention() -> None:
    halves = [half for _ in range(6) for half in (plate(1.0), strip(0.96, whole=True))]
    tables, _ = tables_of(FOIL, record(*halves))
    (row,) = tables["plating_efficiency"].to_dicts()
    assert (row["method"], row["used"]) == ("cycles", True)
    assert row["efficiency"] == pytest.approx(0.96, rel=1e-3)
    assert tables["cycles"]["capacity_retention"].null_count() == 6
    assert not tables["baseline_comparison"]["comparable"].any()


def test_a_reservoir_gives_its_efficiency_and_its_cycles_none() -> None:
    count, reservoir, cycled, true = 8, 4.0, 1.0, 0.98
    final = true * (count * cycled + reservoir) - count * cycled
    inner = [half for _ in range(count) for half in (strip(cycled, whole=False), plate(cycled))]
    halves = [plate(reservoir), *inner, strip(final, whole=True)]
    tables, _ = tables_of(FOIL, record(*halves))
    rows = {row["method"]: row for row in tables["plating_efficiency"].to_dicts()}
    used = rows["reservoir"]
    assert used["used"]
    assert used["efficiency"] == pytest.approx(true, rel=1e-3)
    assert used["cycles"] == count
    assert used["efficiency_low"] <= used["efficiency"] <= used["efficiency_high"]
    assert tables["cycles"]["coulombic_efficiency"].null_count() == tables["cycles"].height
    unfinished, _ = tables_of(FOIL, record(*halves[:-1]))
    assert unfinished["plating_efficiency"]["efficiency"].null_count() == 2


def full_cell(*, shorted: bool, noisy: bool = True) -> pl.DataFrame:
    """Make cycles of 1 mAh; the charge of the seventh may run on, with a voltage that jumps."""
    up, down = (0.5, 2.0, 3400.0, 4200.0), (-0.5, 1.98, 4100.0, 3000.0)
    halves = [half for _ in range(6) for half in (up, down)]
    if not shorted:
        return record(*halves, up, down)
    frame = record(*halves, (0.5, 4.0, 3400.0, 3900.0), (-0.5, 1.0, 3800.0, 3000.0), records=121)
    if not noisy:
        return frame
    jumps = np.zeros(frame.height)
    places = 121 * 12 + 40 + np.arange(0, 70, 5)
    jumps[places] = -0.12
    return frame.with_columns(pl.col("voltage_volt") + pl.Series(jumps))


def test_a_charge_that_runs_on_with_a_jumping_voltage_is_an_internal_short() -> None:
    cell = Cell("A", "full")
    _, findings = tables_of(cell, full_cell(shorted=True))
    (said,) = [each for each in findings if each.code == "internal_short_circuit"]
    assert "cycle 7" in said.sentence
    assert "2 mAh were charged" in said.sentence
    for frame in (full_cell(shorted=False), full_cell(shorted=True, noisy=False)):
        _, none = tables_of(cell, frame)
        assert not [each for each in none if each.code == "internal_short_circuit"]


@corpus
@pytest.mark.parametrize(
    ("path", "half_cycles", "polarisation"),
    [
        ("cases/cycling/T7/day1.bdf.csv", 20, None),
        ("real_data/mpr/yadg__gcpl.mpr", 32, (9_200.0, 10_300.0)),
        ("real_data/mpr/yadg__mb.mpr", 8, (1_250.0, 1_450.0)),
    ],
)
def test_symmetric_files_of_the_corpus_run_without_a_short(
    path: str, half_cycles: int, polarisation: tuple[float, float] | None
) -> None:
    frame = read(SHARED / path).tables["timeseries"]
    tables, _ = tables_of(Cell("A", "symmetric"), frame)
    row = tables["critical_current"].row(0, named=True)
    assert row["known_from"] == "sheet and voltage"
    assert (row["shorts"], row["half_cycles"], row["judged"]) == (0, half_cycles, half_cycles)
    if polarisation is not None:
        found = tables["stripping_plating"]["polarisation_ohm"]
        assert polarisation[0] < found.min() < found.max() < polarisation[1]  # type: ignore[operator]
