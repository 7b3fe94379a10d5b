"""dQ/dV says of which half cycles it can't be used, and costs nothing else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

from cellpipe import analyses
from cellpipe.analyses.half_cycle_segments import half_cycle_segments
from cellpipe.baselines import table1
from cellpipe.core.model import Cell, Finding
from made_files import sha256_of, used_files

# A diagnostic cycle of a real cell of which one record a step is left: s, A, V.
ONE_RECORD_A_STEP = (
    (1727331.09, 0.69535, 3.35439), (1747635.73, -0.69192, 4.17388), (1766561.83, 1.61707, 2.79164),
    (1777590.09, 0.0, 4.1944), (1782350.09, 0.0, 3.92943), (1785950.11, -4.84436, 3.92256),
    (1785980.09, 0.0, 3.89265), (1786020.11, 3.6347, 4.07523), (1786030.11, -1.61753, 3.99542),
    (1787110.09, 0.0, 3.7808), (1790710.11, -4.84459, 3.7953), (1790740.09, 0.0, 3.78195),
    (1790780.11, 3.63607, 3.95094), (1790790.11, -1.61868, 3.86748), (1791870.09, 0.0, 3.66018),
    (1795470.11, -4.84482, 3.69894), (1801390.09, 0.0, 3.40833), (1804990.11, -4.84665, 3.45907),
    (1805020.09, 0.0, 3.44228),
)  # fmt: skip


def computed(
    records: pl.DataFrame, cell: Cell | None = None
) -> tuple[dict[str, pl.DataFrame], list[Finding]]:
    records = records.with_columns(
        record_index=pl.int_range(1, records.height + 1, dtype=pl.Int64),
        file_sha256=pl.lit(sha256_of("f")),
    )
    tables = {
        "timeseries": records, "half_cycle_segments": half_cycle_segments(records, sha256_of("f")),
        "impedance": analyses.empty_input("impedance").with_columns(
            spectrum_in_file=pl.col("spectrum")
        ),
        "files": used_files("A", "f"), "baselines": table1(),
    }  # fmt: skip
    results = analyses.results_of(cell or Cell("A", "full"), tables)
    return {r.analysis: r.table for r in results}, [f for r in results for f in r.findings]


def series(time: np.ndarray, current: np.ndarray, voltage: np.ndarray) -> pl.DataFrame:
    columns = {"test_time_second": time, "current_ampere": current, "voltage_volt": voltage}
    return pl.DataFrame({name: values.astype(np.float64) for name, values in columns.items()})


def test_a_recording_with_one_record_a_step_keeps_its_cycles_and_has_no_dqdv() -> None:
    records = series(*np.array(ONE_RECORD_A_STEP).T)
    tables, findings = computed(records)
    assert tables["cycles"].height >= 1
    assert tables["cycles"]["discharging_capacity_ah"].drop_nulls().len()
    assert tables["voltage_profiles"].height
    assert tables["differential_capacity"].is_empty()
    assert tables["differential_capacity_peaks"].is_empty()
    codes = [finding.code for finding in findings]
    assert "differential_capacity_left_out" in codes
    assert "analysis_failed" not in codes


def pulsed() -> pl.DataFrame:
    """Charge from 3 to 4 V, hardly any of it below 3.1 V; at 3.5 V a pulse back, at 3.05 V."""
    up = np.concatenate([np.linspace(3, 3.1, 5), np.linspace(3.1, 4, 995)])
    pulse, down = np.linspace(3.06, 3.04, 8), np.linspace(4, 3, 800)
    voltage = np.concatenate([up[:500], pulse, up[500:], down])
    current = np.repeat([1.0, -2.0, 1.0, -1.0], [500, 8, 500, 800])
    return series(np.arange(len(voltage)) * 10.0, current, voltage)


def test_a_pulse_against_the_half_cycle_gives_no_peak_below_zero_and_is_said() -> None:
    tables, findings = computed(pulsed())
    curve = tables["differential_capacity"].filter(half_cycle=1)
    assert curve["differential_capacity_ah_per_volt"].min() < 0  # type: ignore[operator]
    assert (tables["differential_capacity_peaks"]["height_ah_per_volt"] >= 0).all()
    said = [f for f in findings if f.code == "differential_capacity_below_zero"]
    assert [f.sentence.split(" current")[0] for f in said] == ["In half cycle 1"]


def test_an_ordinary_half_cycle_of_few_records_keeps_its_dqdv() -> None:
    steps = np.linspace(3, 4, 6)
    voltage = np.concatenate([steps, steps[::-1]])
    current = np.repeat([1.0, -1.0], 6)
    tables, findings = computed(series(np.arange(12) * 600.0, current, voltage))
    assert tables["differential_capacity"]["half_cycle"].n_unique() == 2
    assert not [f for f in findings if f.code.startswith("differential_capacity")]


def test_crystalline_silicon_is_named_under_five_millivolts_of_noise(cases: Path) -> None:
    """1.8 mAh of Li15Si4 in 2.7 mAh, in the third delithiation alone (cases/cycling/F_n5)."""
    records = pl.read_csv(cases / "cycling/F_n5/a.bdf.csv").rename(
        {"Test Time / s": "test_time_second", "Voltage / V": "voltage_volt",
         "Current / A": "current_ampere"}
    ).select("test_time_second", "current_ampere", "voltage_volt")  # fmt: skip
    silicon = Cell("A", "half", working_electrode_role="anode", reference_offset_volt=0.0)
    tables, _ = computed(records, silicon)
    peaks = tables["differential_capacity_peaks"]
    named = peaks.filter(pl.col("assignment").str.contains("Li15Si4").fill_null(value=False))
    assert named["half_cycle"].to_list() == [6]
    assert abs(named["voltage_volt"][0] - 0.43) < 0.005
    assert abs(named["capacity_ah"][0] / 1.8e-3 - 1) < 0.07
