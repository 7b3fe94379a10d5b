"""Every finding has its subject, its remedy and its day; it stands where its subject is shown."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from cellpipe import process
from cellpipe.cell_sheet.sheet import find_sheets
from cellpipe.cli.main import main
from cellpipe.core.finding_rows import (
    finding_rows,
    fold_findings,
    keep_since,
    run_day,
    severity_of,
    subject_rows,
)
from cellpipe.core.limits import Limits
from cellpipe.core.model import Cell, Finding
from cellpipe.pipeline import lab_alarms
from cellpipe.pipeline.cell_history import InputFile
from cellpipe.pipeline.cell_inputs import CellInputs
from cellpipe.pipeline.lab_alarms import last_record_time
from cellpipe.pipeline.news import ALARM_TIMES, collect_news, keep_alarm_times
from cellpipe.report.groups import GroupValues, Measure
from cellpipe.store import Content, read_table
from cellpipe.store.lab import resolve_lab
from cellpipe.store.ledger import Arrival
from cellpipe.store.records import Extent
from cellpipe.store.writer_lease import acquire
from made_files import neware_csv

HEAD = "Cell ID,Files,Configuration,Working electrode,Cathode active mass / mg,Area / cm²"
DAY = datetime(2026, 3, 1, tzinfo=UTC)


def lab_of(folder: Path, *rows: str, names: str = "AB") -> Path:
    folder.mkdir(exist_ok=True)
    for number, name in enumerate(names, 1):
        neware_csv(folder / f"{name}.csv", f"2026-03-0{number} 10:00:00", factor=2.9e-3)
    (folder / "cells.csv").write_text("\n".join([HEAD, *rows]) + "\n", encoding="utf-8")
    return folder


def findings_of(out: Path) -> pl.DataFrame:
    table = read_table(out, "findings", "lab")
    assert table is not None
    return table


# The table


def test_a_finding_that_names_a_cell_is_about_that_cell_and_any_other_about_the_lab() -> None:
    said = [
        Finding("info", "n", "A note."), Finding("warning", "w", "Of B.", cell_id="B"),
        Finding("alarm", "a", "It fell.", remedy="Look."),
    ]  # fmt: skip
    of_lab = finding_rows(said, None)
    kinds = dict(of_lab.select("code", "subject_kind").iter_rows())
    assert kinds == {"a": "lab", "w": "cell", "n": "lab"}
    of_cell = finding_rows(said, "A")
    assert of_cell["severity"].to_list() == ["alarm", "check", "note"]
    assert set(of_cell["subject"]) == set(of_cell["cell_id"]) == {"A"}


def test_a_short_circuit_is_an_alarm_whatever_level_its_analysis_gives_it() -> None:
    assert severity_of(Finding("warning", "short_circuit", "It shorted.")) == "alarm"
    assert severity_of(Finding("error", "analysis_failed", "It failed.")) == "check"


def test_a_finding_keeps_its_day_while_it_stands_though_its_numbers_change() -> None:
    first = keep_since(finding_rows([Finding("alarm", "low", "It is 97 %.")], "A"), None, DAY)
    later = DAY + timedelta(days=3)
    other = [Finding("alarm", "low", "It is 95 %."), Finding("info", "new", "A note.")]
    second = keep_since(finding_rows(other, "A"), first, later)
    assert dict(second.select("code", "since").iter_rows()) == {
        "low": DAY.replace(tzinfo=UTC), "new": later,
    }  # fmt: skip
    gone = keep_since(finding_rows([], "A"), second, later)
    again = keep_since(finding_rows(other, "A"), gone, later)
    assert set(again["since"]) == {later}


def test_another_sudden_loss_is_another_finding() -> None:
    one = keep_since(finding_rows([Finding("alarm", "sudden_loss", "In 4.")], "A"), None, DAY)
    later = DAY + timedelta(days=1)
    other = finding_rows([Finding("alarm", "sudden_loss", "In 9.")], "A")
    assert keep_since(other, one, later)["since"].to_list() == [later]


def test_many_of_a_kind_are_one_line_and_few_are_whole() -> None:
    names = [f"KIT-{n:03d}" for n in range(1, 32)]
    many = [Finding("warning", "active_mass_refused", "'x' is.", cell_id=name) for name in names]
    few = [Finding("warning", "odd", "It is odd.", remedy="Mend it.", cell_id=n) for n in "AB"]
    lines = [str(line) for line in fold_findings(finding_rows([*many, *few], None))]
    assert lines == [
        "31 cells: active mass refused — KIT-001, KIT-002, KIT-003 … and 28 more",
        "A: It is odd. Mend it.",
        "B: It is odd. Mend it.",
    ]


# The cell sheet


def test_a_refused_value_is_said_at_its_cell_with_what_was_written_and_never_as_left_empty(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = lab_of(
        tmp_path / "lab", "A,A.csv,Halbzelle,NCM811,12.3 mg,0.785", "B,B.csv,full,NCM811,12.3,0.785"
    )
    out = tmp_path / "out"
    process(folder, out)
    table = findings_of(out)
    refused = table.filter(pl.col("code").str.ends_with("_refused"))
    assert set(refused["subject"]) == {"A"}
    assert set(refused["code"]) == {"configuration_refused", "cathode_active_mass_refused"}
    page = (out / "cells" / "A.html").read_text(encoding="utf-8")
    assert page.count("&#39;12.3 mg&#39; is refused: it is not a number.") == 1
    assert page.index("Halbzelle") < page.index("<h2>")
    assert "leaves &#39;Active mass / mg&#39; empty" not in page
    assert "&#39;12.3 mg&#39; in the cell sheet&#39;s column Cathode active mass is refused" in page
    assert ">refused, so not used" in page
    index = (out / "index.html").read_text(encoding="utf-8")
    assert index.count("12.3 mg") == 1
    assert "cells.csv, row" not in index + page
    capsys.readouterr()
    main(["status", str(out)])
    said = " ".join(capsys.readouterr().out.split())
    assert "Check: A: Cell sheet, Cathode active mass: '12.3 mg' is refused" in said
    assert "refused" not in (out / "cells" / "B.html").read_text(encoding="utf-8")

    lab_of(folder, "A,A.csv,full,NCM811,12.3,0.785", "B,B.csv,full,NCM811,12.3,0.785")
    process(folder, out)
    assert "refused" not in (out / "cells" / "A.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "content",
    [
        f"My cells\n{HEAD}\nA,A.csv,full,NCM811,12,0.785\n",
        "Cell ID,Files\nA,A.csv\n",
    ],
)
def test_a_sheet_that_cannot_be_used_is_said_in_the_same_words_and_costs_no_cell(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str
) -> None:
    folder = lab_of(tmp_path / "lab")
    (folder / "cells.csv").write_text(content, encoding="utf-8")
    (sheet,) = find_sheets(folder)
    settings = tmp_path / "cellpipe.toml"
    settings.write_text("[[lab]]\nfolder = 'lab'\nresults = 'out'\n")
    out = tmp_path / "out"
    said = {}
    for name, command in {
        "check": ["check", str(sheet)], "doctor": ["doctor", "--settings", str(settings)],
        "process": ["process", str(folder), "--out", str(out)], "status": ["status", str(out)],
    }.items():  # fmt: skip
        capsys.readouterr()
        main(command)
        said[name] = "".join(c for c in capsys.readouterr().out if c not in "│ \n")
    (finding,) = findings_of(out).filter(code="sheet_not_used").to_dicts()
    words = finding["sentence"].partition(" No sheet is used")[0].replace(" ", "")
    assert words.startswith("cells.csvcan'tbeused:found")
    for name, text in said.items():
        assert words in text, name
    cells = process(folder, out).cells
    assert cells["cell_id"].to_list() == ["A", "B"]
    assert cells["first_discharging_capacity_ah"].null_count() == 0


# Alarms that the lab as a whole tells

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)


def silent(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *, ended_by: str, read_hours: float,
    end_hours: float | None, contents: int = 1, ended: str | None = None,
) -> bool:  # fmt: skip
    """Return whether a cell whose file was read so many hours ago should run."""
    halves = pl.DataFrame({"half_cycle": [1, 2], "ended_by": ["voltage limit", ended_by]})
    monkeypatch.setattr(lab_alarms, "read_table", lambda *_: halves)
    end = None if end_hours is None else (NOW - timedelta(hours=end_hours)).timestamp()
    clock = None if end is None else (end - 9e5, end)
    content = Content("x", "r", "used", extent=Extent((0.0, 9e5), (1, 100), clock))
    inputs = CellInputs(Cell("A", ended=ended), (InputFile("A.csv", 1, content),))
    read_at = NOW - timedelta(hours=read_hours)
    arrivals = {"A.csv": Arrival(read_at, read_at, contents)}
    lab = resolve_lab(tmp_path, tmp_path / "out")
    return last_record_time(lab, inputs, arrivals) == read_at


def test_a_cell_should_run_only_if_it_was_seen_to_run_and_broke_off_within_a_half_cycle(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def is_silent(**given: object) -> bool:
        usual = {"ended_by": "end of file", "read_hours": 30.0, "end_hours": 31.0}
        return silent(monkeypatch, tmp_path, **usual | given)  # type: ignore[arg-type]

    assert is_silent()
    assert is_silent(end_hours=None, contents=3)  # no clock, but the file grew
    assert not is_silent(end_hours=None)
    for regular in ("voltage limit", "time limit", "current limit", "step change", "not known"):
        assert not is_silent(ended_by=regular)
    assert not is_silent(ended="yes")
    assert not is_silent(end_hours=24.0 * 365)  # an old file that somebody copied here
    assert not is_silent(end_hours=24.0 * 365, contents=3)  # and exported anew


def apart(values: dict[str, float], key: str = "retention") -> list[str]:
    cells = tuple(values)
    group = GroupValues("G", cells, pl.Series(list(values.values()), dtype=pl.Float64).to_numpy())
    measure = Measure(key, "Retention", "%", 1, "cycle 9 over 1", (group,))
    return [cell for cell, _ in lab_alarms._apart_findings(measure, group, Limits())]


def test_a_replicate_raises_an_alarm_where_it_stands_apart_for_the_worse_and_by_much() -> None:
    others = {"A1": 90.4, "A2": 90.5, "A3": 90.6, "A4": 90.5}
    assert apart(others | {"A5": 62.0}) == ["A5"]
    assert apart(others | {"A5": 88.0}) == []  # an outlier by the rule, and no harm
    assert apart(others | {"A5": 120.0}) == []  # for the better
    assert apart(others | {"A5": 62.0}, "first") == ["A5"]
    assert apart(others | {"A5": 120.0}, "first") == ["A5"]  # a wrong mass is either
    assert apart(others | {"A5": 120.0}, "resistance") == []  # replicates differ so
    assert apart(others | {"A5": 300.0}, "resistance") == ["A5"]


# What is new


def test_new_is_what_the_results_first_held_in_the_last_day_whatever_the_dates_of_files(
    tmp_path: Path,
) -> None:
    folder, out = lab_of(tmp_path / "lab", "A,A.csv,full,NCM811,12,0.785"), tmp_path / "out"
    (folder / "bad.mpr").write_bytes(b"no file of a cycler")
    files = process(folder, out).files
    lab = resolve_lab(folder, out)
    now = datetime.now(UTC)

    def at(hours: float, times: dict[str, dict[str, str]] | None = None) -> tuple[object, ...]:
        moment = (now + timedelta(hours=hours)).isoformat(timespec="microseconds")
        news = collect_news(files, lab.ledger.arrivals(folder), times or {}, moment)
        return news.dying, news.cells, news.grown, news.bad

    assert at(0) == ((), ("A", "B"), (), ("bad.mpr",))  # files that say March
    assert at(23) == at(0)  # after quiet runs, too
    assert at(25) == ((), (), (), ())
    alarm = {"A": {"sudden_loss: It fell.": now.isoformat()}}
    assert at(1, alarm)[0] == ("A",)
    assert at(25, alarm)[0] == ()
    against = {"A": {"contradiction_area": now.isoformat()}}
    assert at(1, against)[0] == ()


def test_an_alarm_has_its_time_until_it_is_over_and_is_told_once_in_the_history(
    tmp_path: Path,
) -> None:
    folder, out = lab_of(tmp_path / "lab"), tmp_path / "out"
    process(folder, out)
    lab = resolve_lab(folder, out)
    first, second = "2026-03-01T02:00:00+00:00", "2026-03-02T02:00:00+00:00"

    def told(at: str, *findings: Finding) -> dict[str, dict[str, str]]:
        with acquire(lab.ledger):
            before = lab.ledger.key_value(ALARM_TIMES)
            times = keep_alarm_times(lab, finding_rows(findings, "A"), before, at)
        return json.loads(json.dumps(times))  # type: ignore[no-any-return]

    low = Finding("alarm", "coulombic_efficiency", "It is 97 %.")
    assert told(first, low) == {"A": {"coulombic_efficiency": first}}
    lower = Finding("alarm", "coulombic_efficiency", "It is 95 %.")
    assert told(second, lower) == {"A": {"coulombic_efficiency": first}}
    assert told(second) == {}
    assert told(second, low) == {"A": {"coulombic_efficiency": second}}
    assert run_day(first) == DAY


def test_a_quiet_lab_looks_quiet_and_says_so_a_day_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [f"{name},{name}.csv,full,NCM811,12,0.785" for name in "AB"]
    folder, out = lab_of(tmp_path / "lab", *rows), tmp_path / "out"
    process(folder, out)
    index = (out / "index.html").read_text(encoding="utf-8")
    assert '<b>New:</b> 2 cells: <a href="cells/A.html">A</a>' in index
    before = (out / "index.html").stat().st_mtime_ns
    process(folder, out)
    assert (out / "index.html").stat().st_mtime_ns == before  # nothing is other than it was
    tomorrow = (datetime.now(UTC) + timedelta(hours=25)).isoformat(timespec="microseconds")
    for module in ("pipeline.run", "pipeline.finalize"):
        monkeypatch.setattr(f"cellpipe.{module}.utc_now", lambda: tomorrow)
    process(folder, out)
    index = (out / "index.html").read_text(encoding="utf-8")
    assert "<b>Since yesterday</b> nothing is new, in the 24 hours before the run of" in index
    assert 'id="alarms"' not in index


def test_a_group_of_which_many_stand_apart_scatters_and_nobody_is_named() -> None:
    values = [90.4, 90.5, 90.6, 90.5, 90.5, 62.0, 121.0, 60.0]
    cells = tuple(f"A{n}" for n in range(len(values)))
    group = GroupValues("A", cells, pl.Series(values).to_numpy())
    measure = Measure("retention", "Retention", "%", 1, "cycle 9 over 1", (group,))
    assert list(lab_alarms._apart_findings(measure, group, Limits())) == []
    finding = lab_alarms._scatter_finding(measure, group)
    table = subject_rows("group", [("A", finding)])
    assert table.select("subject_kind", "subject", "severity").row(0) == ("group", "A", "check")
    assert "3 of its 8 cells stand apart (A5, A6, A7)" in finding.sentence


@pytest.mark.usefixtures("no_pages")
def test_what_is_wrong_with_a_cell_stays_while_its_results_do_though_its_file_is_gone(
    tmp_path: Path,
) -> None:
    folder, out = (
        lab_of(tmp_path / "lab", "A,A.csv,full,NCM811,12.3 mg", "B,B.csv,full,NCM811,12.3"),
        tmp_path,
    )
    process(folder, out / "out")
    before = findings_of(out / "out").filter(cell_id="A")["sentence"].to_list()
    assert any("12.3 mg" in sentence for sentence in before)
    (folder / "A.csv").unlink()
    process(folder, out / "out")
    after = findings_of(out / "out").filter(cell_id="A")["sentence"].to_list()
    assert set(before) <= set(after)
    assert len(after) == len(set(after))
