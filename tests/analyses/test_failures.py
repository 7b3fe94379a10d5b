"""An analysis that fails costs its own tables only; what is needed and not there is empty."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from cellpipe import analyses
from cellpipe.analyses import results_of
from cellpipe.analyses.failures import failed_tables
from cellpipe.analyses.half_cycle_segments import half_cycle_segments
from cellpipe.baselines import table1
from cellpipe.core.errors import ContractError
from cellpipe.core.model import Analysis, Cell, Finding, Result, Tables
from chains import use_analyses
from made_files import sha256_of, used_files

CELL = Cell("A", "full", cathode_active_mass_mg=20.0, area_cm2=2.0)
OWN = {analysis.name: analysis for analysis in analyses.ANALYSES}


def timeseries() -> pl.DataFrame:
    """Two cycles of an hour each way."""
    time = np.arange(4 * 61) * 60.0
    step = np.arange(4 * 61) // 61
    charging = step % 2 == 0
    along = (np.arange(4 * 61) % 61) / 60
    return pl.DataFrame({
        "record_index": np.arange(1, 4 * 61 + 1), "test_time_second": time,
        "voltage_volt": np.where(charging, 3 + along, 4 - along),
        "current_ampere": np.where(charging, 1e-3, -1e-3), "step_count": step,
        "file_sha256": [sha256_of("file")] * len(time),
    })  # fmt: skip


def inputs() -> dict[str, pl.DataFrame]:
    records = timeseries()
    return {
        "timeseries": records,
        "half_cycle_segments": half_cycle_segments(records, sha256_of("file")),
        "impedance": analyses.empty_input("impedance").with_columns(
            spectrum_in_file=pl.col("spectrum")
        ),
        "files": used_files(CELL.cell_id, "file"), "baselines": table1(),
    }  # fmt: skip


def run(
    monkeypatch: pytest.MonkeyPatch, *chain: Analysis
) -> tuple[dict[str, pl.DataFrame], list[Finding]]:
    use_analyses(monkeypatch, chain)
    results = results_of(CELL, inputs())
    return {r.analysis: r.table for r in results}, [f for r in results for f in r.findings]


def failing(name: str, error: BaseException) -> tuple[Analysis, ...]:
    def fail(*_: object) -> tuple[Result, ...]:
        raise error

    return tuple(replace(a, compute=fail) if a.name == name else a for a in analyses.ANALYSES)


@pytest.mark.parametrize("name", sorted(OWN))
def test_an_analysis_that_fails_costs_its_tables_and_those_made_from_them_only(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    whole, _ = run(monkeypatch, *analyses.ANALYSES)
    chain = failing(name, ZeroDivisionError("made to fail"))
    tables, findings = run(monkeypatch, *chain)
    (said,) = (f for f in findings if f.code == "analysis_failed")
    lost = failed_tables(pl.DataFrame([said]), chain)
    assert set(OWN[name].makes) <= set(lost)
    assert set(lost.values()) == {name}
    assert set(tables) == set(whole)
    for table in whole:
        if table in OWN[name].makes:
            assert tables[table].is_empty()
        elif table not in lost:
            assert_frame_equal(tables[table], whole[table])
    assert said.level == "error"
    assert all(table in said.sentence for table in lost)
    assert "ZeroDivisionError: made to fail" in said.sentence


@pytest.mark.parametrize(
    "error", [pl.exceptions.PanicException("made to panic"), ContractError("x", remedy="y"),
              OSError(5, "made to fail"), RecursionError("made to fail")],
)  # fmt: skip
def test_whatever_an_analysis_raises_is_its_own_fault(
    monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    tables, findings = run(monkeypatch, *failing("curves", error))
    assert tables["cycles"].height == 2
    assert [f.code for f in findings].count("analysis_failed") == 1


@pytest.mark.parametrize("error", [KeyboardInterrupt(), MemoryError(), SystemExit(3)])
def test_what_is_about_the_whole_process_passes(
    monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    with pytest.raises(type(error)):
        run(monkeypatch, *failing("curves", error))


def test_the_finding_carries_what_the_log_is_to_keep(monkeypatch: pytest.MonkeyPatch) -> None:
    chain = failing("cycles", ZeroDivisionError("made to fail"))
    use_analyses(monkeypatch, chain)
    (trace,) = (r.trace for r in results_of(CELL, inputs()) if r.trace)
    assert re.search(r'File ".*test_failures.py", line \d+, in fail', trace)


def test_counts_of_what_could_not_be_made_are_null_and_not_zero(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("half_cycles", "cycles"):
        tables, _ = run(monkeypatch, *failing(name, ValueError("made to fail")))
        row = tables["cells"].row(0, named=True)
        assert row["cycles"] is row["complete_cycles"] is row["usual_rate_cycles"] is None
        assert row["spectra"] == 0
    whole, _ = run(monkeypatch, *analyses.ANALYSES)
    assert whole["cells"].row(0, named=True)["cycles"] == 2


def extra(
    compute: Callable[[Cell, Tables], tuple[Result, ...]],
    needs: tuple[str, ...] = (),
    makes: tuple[str, ...] = (),
) -> Analysis:
    return Analysis("extra", needs, makes, compute)


def test_a_table_that_nothing_gives_is_empty_and_names_files_as_the_others_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen = []

    def look(_: Cell, tables: Tables) -> tuple[Result, ...]:
        seen.append(tables["vendor_cycles"])
        return ()

    _, findings = run(monkeypatch, *analyses.ANALYSES, extra(look, ("vendor_cycles",)))
    assert seen[0].is_empty()
    assert {"vendor_charging_capacity_ah", "file_sha256"} <= set(seen[0].columns)
    assert "analysis_failed" not in [f.code for f in findings]
    assert "vendor_cycles" in analyses.input_tables()


@pytest.mark.parametrize(
    ("analysis", "said"),
    [
        (extra(lambda *_: (), ("no_such_table",)), "no table called 'no_such_table'"),
        (extra(lambda *_: (), (), ("cycles",)), "the tables none; expected cycles"),
        (extra(lambda _, t: (Result("cycles", t["cycles"]),), ("cycles",)),
         "the tables cycles; expected none"),
        (extra(lambda _, t: t.clear() or ()), "AttributeError"),  # type: ignore[attr-defined]
    ],
)  # fmt: skip
def test_an_analysis_that_breaks_the_rules_costs_itself_only(
    monkeypatch: pytest.MonkeyPatch, analysis: Analysis, said: str
) -> None:
    chain = tuple(a for a in analyses.ANALYSES if not set(a.makes) & set(analysis.makes))
    tables, findings = run(monkeypatch, *chain, analysis)
    (failed,) = (f.sentence for f in findings if f.code == "analysis_failed")
    assert said in failed
    assert tables["voltage_profiles"].height


def test_analyses_that_wait_for_each_other_say_so_and_the_others_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    one = Analysis("one", ("cycles",), ("half_cycles",), lambda *_: ())
    two = Analysis("two", ("half_cycles",), ("cycles",), lambda *_: ())
    tables, findings = run(monkeypatch, one, two, OWN["curves"])
    assert tables["voltage_profiles"].height
    assert "not made" in next(f.sentence for f in findings if f.code == "analysis_failed")
