"""The current has the sign that the file's other columns agree on, or a finding says so."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import cellpipe
from cellpipe.analyses.half_cycle_segments import half_cycle_segments
from cellpipe.core.recordings.sign_correction import correct_signs
from cellpipe.core.recordings.timeseries import recording_findings

CURRENT, TYPE = "current_ampere", "step_type"
ABOUT_SIGNS = {
    "current_sign_turned", "current_unsigned", "current_sign_contradicts", "leads_reversed",
}  # fmt: skip
COUNTERS = ("vendor_charging_capacity_ah", "vendor_discharging_capacity_ah")


def cell(cycles: int = 4, efficiency: float = 0.95, ohm: float = 50.0) -> pl.DataFrame:
    """Cycle a cell of 2 mAh between 3 and 4.2 V, with rests, counters and words for its steps."""
    rows = []
    time, step, index = 0.0, 0, 0
    for cycle in range(1, cycles + 1):
        for sign, word in ((1, "CC Chg"), (0, "Rest"), (-1, "CC DChg"), (0, "Rest")):
            step += 1
            for n in range(21):
                index += 1
                passed = n / 20 * (2e-3 * (efficiency if sign < 0 else 1))
                low = passed / 2e-3 if sign > 0 else 1 - passed / 2e-3 if sign < 0 else 0.5
                volt = 3.1 + low + sign * 2e-3 * ohm
                rows.append((index, time, volt, sign * 2e-3, cycle, step, word, n * 180.0,
                             passed if sign > 0 else 0.0, passed if sign < 0 else 0.0))  # fmt: skip
                time += 180.0 * (efficiency if sign < 0 else 1)
    names = ("record_index", "test_time_second", "voltage_volt", CURRENT, "cycle_count",
             "step_count", TYPE, "step_time_second", *COUNTERS)  # fmt: skip
    return pl.DataFrame(rows, names, orient="row")


GOOD = cell()


def codes(table: pl.DataFrame) -> list[str]:
    return [finding.code for finding in recording_findings(table)]


def charges(table: pl.DataFrame) -> list[tuple[str, float]]:
    segments = half_cycle_segments(table, "a" * 64)
    return [(way, round(ah * 1e3, 6)) for way, ah in
            segments.select("direction", "capacity_ah").iter_rows()]  # fmt: skip


RIGHT = charges(GOOD)


@pytest.mark.parametrize(
    ("case", "code", "expected"),
    [
        ("peers/bdf_sign/cellA.bdf.csv", "current_sign_turned", (2.0, 1.9) * 4),
        ("peers/neware_sign/cellA.csv", "current_sign_turned", (2.0, 1.9) * 4),
        ("files/34_unsigned_no_step_type/SSB-01_a.csv", "current_unsigned",
         (2.0, 1.98, 1.96, 1.9404, 1.9208, 1.9016)),
    ],
)  # fmt: skip
def test_a_sign_that_the_witnesses_know_better_is_put_right(
    case: str, code: str, expected: tuple[float, ...], real_data: Path
) -> None:
    measurement = cellpipe.read(real_data.parent / "cases" / case)
    assert code in [finding.code for finding in measurement.findings]
    found = charges(measurement.tables["timeseries"])
    assert [way for way, _ in found] == ["charge", "discharge"] * (len(found) // 2)
    assert [mah for _, mah in found] == pytest.approx(expected, rel=0.03)


@given(
    turned=st.booleans(),
    unsigned=st.booleans(),
    words=st.booleans(),
    counters=st.booleans(),
    every=st.integers(1, 3),
)
@settings(max_examples=200)
def test_whatever_was_done_to_the_sign_the_numbers_are_the_same_or_the_doubt_is_said(
    *, turned: bool, unsigned: bool, words: bool, counters: bool, every: int
) -> None:
    """Two witnesses against it turn a current; one tells an unsigned one; else it is said."""
    good = GOOD.gather_every(every)
    good = good.drop([] if words else [TYPE]).drop([] if counters else COUNTERS)
    table = good.with_columns(
        pl.col(CURRENT).abs() if unsigned else pl.col(CURRENT) * (-1 if turned else 1)
    )
    corrected, said = correct_signs(table)
    if unsigned or turned:
        enough = words or counters
        assert corrected.equals(good) == enough
        assert bool(said) == enough
        assert enough or codes(corrected)
    else:
        assert corrected is table
        assert not said
        assert codes(table) == []


def test_one_step_type_with_the_other_sign_is_turned_alone() -> None:
    other = pl.col(TYPE) == "CC DChg"
    wrong = GOOD.with_columns(
        pl.when(other).then(-pl.col(CURRENT)).otherwise(pl.col(CURRENT)),
        pl.col(TYPE).replace({"CC DChg": "CCCV DChg"}),
        pl.col("step_count") + 16,
        pl.col("test_time_second") + 1e5,
        pl.col("record_index") + GOOD.height,
    )
    table = pl.concat([GOOD, wrong])
    corrected, (said,) = correct_signs(table)
    assert said.code == "current_sign_turned"
    assert "CCCV DChg" in said.sentence
    assert charges(corrected) == RIGHT * 2


def test_counters_that_count_by_the_turned_sign_are_exchanged_with_it() -> None:
    """Step types and voltage outvote a current whose own counter only repeats it."""
    one, two = COUNTERS
    table = GOOD.with_columns(pl.col(one).alias(two), pl.col(two).alias(one), -pl.col(CURRENT))
    corrected, (said,) = correct_signs(table)
    assert said.code == "current_sign_turned"
    assert corrected.select(GOOD.columns).equals(GOOD)


def test_a_net_counter_is_a_witness_too() -> None:
    net = (GOOD[COUNTERS[0]].diff().clip(0).fill_null(0).cum_sum()
           - GOOD[COUNTERS[1]].diff().clip(0).fill_null(0).cum_sum())  # fmt: skip
    good = GOOD.drop(TYPE, *COUNTERS).with_columns(net.alias("net_capacity_ah"))
    corrected, (said,) = correct_signs(good.with_columns(-pl.col(CURRENT)))
    assert said.code == "current_sign_turned"
    assert corrected.equals(good)


def test_reversed_leads_are_said_and_nothing_is_turned() -> None:
    """Nothing but the voltage tells: the numbers stay as they are, and are no headline."""
    table = GOOD.drop(TYPE, *COUNTERS).with_columns(-pl.col(CURRENT))
    corrected, said = correct_signs(table)
    assert corrected is table
    assert said == ()
    assert codes(table) == ["leads_reversed"]


def test_words_that_only_are_mixed_up_turn_no_current() -> None:
    """Voltage and counters agree with the current: the words are wrong, and that is said."""
    swapped = pl.col(TYPE).replace({"CC Chg": "CC DChg", "CC DChg": "CC Chg"})
    table = GOOD.with_columns(swapped)
    corrected, said = correct_signs(table)
    assert corrected is table
    assert said == ()
    assert codes(table) == ["current_sign_contradicts"]


def test_one_bad_record_turns_nothing_and_hides_nothing() -> None:
    for current in (10.0, -10.0):
        spike = pl.when(pl.col("record_index") == 50).then(current).otherwise(pl.col(CURRENT))
        assert correct_signs(GOOD.with_columns(spike.alias(CURRENT)))[1] == ()
        unsigned = GOOD.with_columns(pl.col(CURRENT).abs()).with_columns(spike.alias(CURRENT))
        corrected, _ = correct_signs(unsigned.filter(pl.col("record_index") != 50))
        assert charges(corrected)[2:] == RIGHT[2:]


@pytest.mark.parametrize("kind", ["symmetric", "supercapacitor", "plating"])
@given(noise=st.floats(0, 1e-4), seed=st.integers(0, 99))
@settings(max_examples=50)
def test_flat_and_straight_voltages_are_never_turned(kind: str, noise: float, seed: int) -> None:
    """Symmetric cells, supercapacitors and plating at a nearly flat voltage, with no counters."""
    size, half = 400, 20
    sign = np.where(np.arange(size) // half % 2, -1.0, 1.0)
    part = np.arange(size) % half / half
    voltage = {
        "symmetric": 0.02 * sign,
        "supercapacitor": np.where(sign > 0, part, 1 - part) + 0.01 * sign,
        "plating": -0.01 + 0.015 * sign,
    }[kind] + noise * np.random.default_rng(seed).standard_normal(size)
    table = pl.DataFrame({
        "record_index": np.arange(1, size + 1), "test_time_second": 60.0 * np.arange(size),
        "voltage_volt": voltage, CURRENT: 1e-3 * sign, "step_count": 1 + np.arange(size) // half,
        TYPE: np.where(sign > 0, "CC Chg", "CC DChg"),
    })  # fmt: skip
    assert correct_signs(table)[1] == ()
    assert correct_signs(table.drop(TYPE))[1] == ()
    assert not {"current_sign_contradicts", "leads_reversed"} & {*codes(table.drop(TYPE))}


@pytest.mark.slow
def test_no_real_file_is_turned(real_data: Path) -> None:
    """All have the right sign: only exports without signs get them, from their words."""
    fired: dict[str, set[str]] = {}
    for path in sorted(real_data.rglob("*")):
        try:
            found = cellpipe.read(path).findings if path.is_file() else ()
        except cellpipe.CellpipeError:
            continue
        said = {finding.code for finding in found} & ABOUT_SIGNS
        if said:
            fired[path.name] = said
    assert fired == {"navani__maccor_example.txt": {"current_unsigned"}}


def real_cycling(real_data: Path) -> Iterator[tuple[str, pl.DataFrame]]:
    """Yield the real recordings of four half cycles or more, but voltammograms."""
    for path in sorted(real_data.rglob("*")):
        try:
            table = cellpipe.read(path).tables.get("timeseries") if path.is_file() else None
        except cellpipe.CellpipeError:
            continue
        if table is None or not table.height or half_cycle_segments(table, "a" * 64).height < 4:
            continue
        if "step_mode" not in table.columns or not (table["step_mode"] == "ramp").any():
            yield path.name, table


@pytest.mark.slow
def test_every_real_recording_whose_sign_is_spoilt_is_put_right_or_said(real_data: Path) -> None:
    """Turned and unsigned, with all its witnesses and with the voltage alone."""
    others = ("step_type", *COUNTERS, "net_capacity_ah")
    tried = 0
    for name, table in real_cycling(real_data):
        for change in (-pl.col(CURRENT), pl.col(CURRENT).abs()):
            corrected, said = correct_signs(table.with_columns(change))
            off = (corrected[CURRENT] - table[CURRENT]).abs().sum() / table[CURRENT].abs().sum()
            assert (said and off < 0.005) or codes(corrected), name
        alone = table.drop(others, strict=False).with_columns(-pl.col(CURRENT))
        corrected, said = correct_signs(alone)
        assert said == ()
        assert "leads_reversed" in codes(corrected), name
        tried += 1
    assert tried > 30


def test_a_few_large_pulses_hide_no_turned_sign(real_data: Path) -> None:
    """Pulses of 59 A in a test of 0.7 and 2.2 A, whose voltage is recorded before it answers."""
    path = real_data / "oracle" / "fivestar__structured_battery_data.bdf.csv"
    table = cellpipe.read(path).tables["timeseries"]
    assert codes(table) == []
    assert codes(table.with_columns(-pl.col(CURRENT))) == ["leads_reversed"]
