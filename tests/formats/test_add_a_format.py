"""The page that shows how a format is added is followed: in a package outside, and in cellpipe."""

from __future__ import annotations

import doctest
import importlib.util
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

import cellpipe
from cellpipe import formats
from cellpipe.core.errors import CellpipeError
from cellpipe.formats import registry
from cellpipe.pipeline import plan
from cellpipe.service.watch.batch_runner import BatchTask, State, process_batch
from cellpipe.service.watch.stability import WaitTimes
from cellpipe.service.watch.watcher import Watcher, find_stable_files
from cellpipe.store import Ledger
from cellpipe.store.lab import Lab
from made_files import neware_csv

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "add-a-format.md"
RIG = "SSB-09_formation.log"


def parts(kind: str) -> list[str]:
    return re.findall(rf"```{kind}\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


def forget() -> None:
    """Let the formats be looked up anew, as in a process that starts."""
    for looked_up in (
        registry.all_formats, registry.formats_by_suffix, registry.companion_suffixes,
        plan._format_versions, plan._all_formats_key,
    ):  # fmt: skip
        looked_up.cache_clear()


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Lay the page's package into a folder as an installer would, and have Python look there."""
    site = tmp_path / "site"
    (site / "my_lab").mkdir(parents=True)
    (site / "my_lab" / "__init__.py").touch()
    (site / "my_lab" / "rig.py").write_text(parts("python rig")[0], encoding="utf-8")
    project = tomllib.loads(parts("toml pyproject")[0])["project"]
    info = site / f"my_lab-{project['version']}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Name: {project['name']}\nVersion: {project['version']}\n")
    points = [
        f"[{group}]\n" + "\n".join(f"{name} = {value}" for name, value in entries.items())
        for group, entries in project["entry-points"].items()
    ]
    (info / "entry_points.txt").write_text("\n".join(points))
    with monkeypatch.context() as patched:
        patched.syspath_prepend(site)
        forget()
        yield info / "entry_points.txt"
    for name in [name for name in sys.modules if name.partition(".")[0] == "my_lab"]:
        del sys.modules[name]
    forget()


@pytest.fixture
def lab(tmp_path: Path) -> Path:
    """Give a folder with a file of the rig, one of a format built in, and a stranger."""
    folder = tmp_path / "lab"
    folder.mkdir()
    (folder / "cells.xlsx").write_bytes((ROOT / "sample_data" / "cells.xlsx").read_bytes())
    (folder / RIG).write_text(parts("text rig")[0], encoding="utf-8")
    (folder / "notes.tsv").write_text("time_s\tvoltage_V\n0\t3.1\n", encoding="utf-8")
    neware_csv(folder / "SSB-05_made.csv", "2026-03-02 10:00:00")
    return folder


def used(folder: Path, out: Path) -> dict[str, str]:
    """Give the files that are results, and the formats that they were read as."""
    ledger = Ledger(out)
    contents = ledger.contents()
    return {
        name: contents[file.sha256].format
        for name, file in ledger.seen_files(folder).items()
        if contents[file.sha256].status == "used"
    }


def test_process_reads_a_packages_format_with_a_suffix_that_was_nobodys(
    package: Path, lab: Path, tmp_path: Path
) -> None:
    summary = cellpipe.process(lab, tmp_path / "out", time_zone="Europe/Berlin")
    assert used(lab, tmp_path / "out") == {RIG: "rig_log", "SSB-05_made.csv": "neware_csv"}
    assert not summary.failures
    series = cellpipe.read(lab / RIG, time_zone="Europe/Berlin")
    assert series.started_at is not None
    assert series.started_at.isoformat() == "2026-03-02T09:00:00+00:00"
    rows = series.tables["timeseries"].select("test_time_second", "current_ampere").rows()
    assert rows == [(0, 0.000512), (60, 0.000512), (120, -0.000512), (180, -0.000512)]


def test_without_the_package_the_same_file_is_left_alone(lab: Path, tmp_path: Path) -> None:
    cellpipe.process(lab, tmp_path / "out", time_zone="Europe/Berlin")
    assert used(lab, tmp_path / "out") == {"SSB-05_made.csv": "neware_csv"}
    assert formats.has_foreign_suffix(RIG)


class Clock:
    """Seconds that pass when they are told to."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


class Here:
    """Deals with a batch at once, in the process that watches."""

    def start(self, task: BatchTask) -> str:
        process_batch(task)
        return "done"

    def state(self, _: str) -> tuple[State, str]:
        return "done", ""

    def close(self) -> None:
        pass


def test_the_watch_waits_for_the_end_that_a_packages_format_knows(
    package: Path, lab: Path, tmp_path: Path
) -> None:
    out, clock = tmp_path / "out", Clock()
    whole = (lab / RIG).read_text(encoding="utf-8")
    (lab / RIG).write_text(whole.removesuffix("# end\n"), encoding="utf-8")
    watcher = Watcher(Lab(lab, out), Here(), WaitTimes(), clock=clock)

    def read_after(seconds: float) -> set[str]:
        for _ in range(4):  # in parts, as the watch ticks; then once for what it found
            clock.now += seconds / 4
            watcher.tick()
        return set(used(lab, out))

    assert read_after(4) == {"SSB-05_made.csv"}
    assert read_after(20) == {"SSB-05_made.csv"}  # the rig's ends with a line, but not its own
    (lab / RIG).write_text(whole, encoding="utf-8")
    assert read_after(8) == {"SSB-05_made.csv", RIG}
    (lab / "SSB-09_died.log").write_text(whole.removesuffix("# end\n"), encoding="utf-8")
    assert read_after(8) == {"SSB-05_made.csv", RIG}
    assert read_after(40) == {"SSB-05_made.csv", RIG, "SSB-09_died.log"}  # as far as it goes
    assert "notes.tsv" not in Ledger(out).seen_files(lab)
    assert watcher.is_idle()


def test_a_night_names_the_packages_file_among_those_that_have_settled(
    package: Path, lab: Path, tmp_path: Path
) -> None:
    found = find_stable_files(Lab(lab, tmp_path / "out"), WaitTimes(settle=0.05, incomplete=0.2))
    assert sorted(found) == ["SSB-05_made.csv", RIG, "cells.xlsx", "notes.tsv"]  # by its content


def test_a_packages_format_changes_nothing_for_other_files(package: Path) -> None:
    with_it = registry.formats_by_suffix()
    others = {suffix: forms for suffix, forms in with_it.items() if suffix != ".log"}
    names = [f"file{suffix}" for suffix in (".log", ".md", ".zip", ".parquet", ".mpl", "")]
    assert [formats.has_foreign_suffix(n) for n in names] == [False, True, True, True, True, False]
    package.unlink()
    forget()
    assert registry.formats_by_suffix() == others
    assert [formats.has_foreign_suffix(n) for n in names] == [True, True, True, True, True, False]


@pytest.mark.parametrize("value", ["my_lab.rig:FORMS", "my_lab.rigg:FORMAT", "my_lab.rig:read"])
def test_an_entry_point_that_leads_nowhere_is_an_error_that_names_it(
    package: Path, value: str
) -> None:
    package.write_text(f"[cellpipe.formats]\nrig_log = {value}\n")
    forget()
    with pytest.raises(CellpipeError, match=f"rig_log = {value}") as caught:
        formats.all_formats()
    assert "uninstall" in caught.value.remedy


@pytest.mark.parametrize("suffix", ["log", ".LOG", ""])
def test_a_suffix_that_no_file_can_have_is_refused(package: Path, suffix: str) -> None:
    own = formats.all_formats()[-1]
    with pytest.raises(CellpipeError, match="in lower case, with the dot"):
        cellpipe.Format("rig", "our rig", (suffix,), own.claims, own.read)


def shown_format(code: str, folder: Path) -> cellpipe.Format:
    """Give the format that a file with this code declares."""
    path = folder / "shown_on_the_page.py"
    path.write_text(code, encoding="utf-8")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module.FORMAT


def test_the_format_in_cellpipe_gives_what_the_page_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, shown = parts("python")
    own = shown_format(code, tmp_path)
    others = tuple(form for form in registry.FORMATS if form.name != own.name)
    assert len(others) == len(registry.FORMATS) - 1
    (tmp_path / "cell.csv").write_text(parts("text")[0], encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr(registry, "FORMATS", (*others, own))
        forget()
        assert formats.find_format(Path("cell.csv")) is own
        page = doctest.DocTestParser().get_doctest(shown, {}, "add-a-format", str(PAGE), 0)
        result = doctest.DocTestRunner().run(page)
    forget()
    assert (result.failed, result.attempted) == (0, 6)
