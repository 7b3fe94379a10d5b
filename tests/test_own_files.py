"""Nothing that cellpipe did not write is ever replaced, moved or deleted, however folders lie."""

from __future__ import annotations

import hashlib
import random
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

import cellpipe
from cellpipe.cli.main import main
from cellpipe.config.settings import LabSettings
from cellpipe.core.errors import CellpipeError, StoreError
from cellpipe.pipeline.run import process
from cellpipe.service.doctor import Check, check_lab
from cellpipe.store.lab import resolve_lab
from cellpipe.store.recovery import back_up_ledger
from cellpipe.system.exports import RECORD
from cellpipe.system.own_folder import MARK, mark_folder, read_mark
from made_files import neware_csv

pytestmark = pytest.mark.usefixtures("no_pages")


def digests(folder: Path, without: Path | None = None) -> dict[str, str]:
    """Give every file below a folder by what it holds, but for those of the results."""
    return {
        str(path): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not (without and path.is_relative_to(without))
    }


@pytest.fixture
def lab(tmp_path: Path) -> Path:
    """A folder with raw files under the names that results have, and what else lies about."""
    folder = tmp_path / "data" / "cells"
    folder.mkdir(parents=True)
    (folder / "cells.csv").write_text("Cell ID,Files,Configuration\nA,A*,full\nB,B*,full\n")
    neware_csv(folder / "A.csv", "2026-03-01 10:00:00", rows=12)
    neware_csv(folder / "B_1.csv", "2026-03-02 10:00:00", rows=12)
    (folder / "A.xlsx").write_bytes(b"a raw workbook, of a kind that nobody knows")
    (folder / "tables").mkdir()
    (folder / "tables" / "A.parquet").write_bytes(b"mine")
    (tmp_path / "data" / "index.html").write_text("my page")
    (tmp_path / "data" / "notes.txt").write_text("mine")
    return folder


Place = Callable[[Path, Path], Path]
REFUSED: dict[str, tuple[Place, str]] = {
    "the folder itself": (lambda lab, _: lab, "one folder for raw files and results"),
    "the folder above": (lambda lab, _: lab.parent, "raw files within the results folder"),
    "two above": (lambda lab, _: lab.parent.parent, "raw files within the results folder"),
    "by dots": (lambda lab, _: lab / ".." / "cells" / "..", "raw files within the results folder"),
    "by a link to it": (lambda lab, base: linked(base / "link", lab), "one folder for raw files"),
    "by a link above it": (
        lambda lab, base: linked(base / "link", lab.parent), "raw files within the results folder",
    ),
    "a folder of somebody's": (lambda lab, _: lab / "tables", "files that cellpipe did not write"),
    "a raw file": (lambda lab, _: lab / "A.xlsx", "can't be used"),
    "below a raw file": (lambda lab, _: lab / "A.xlsx" / "out", "can't be used"),
}  # fmt: skip


def linked(link: Path, to: Path) -> Path:
    link.symlink_to(to, target_is_directory=True)
    return link


@pytest.mark.parametrize("place", REFUSED)
def test_results_that_could_take_the_place_of_other_files_are_refused_and_nothing_is_changed(
    lab: Path, tmp_path: Path, place: str, capsys: pytest.CaptureFixture[str]
) -> None:
    make, said = REFUSED[place]
    before = digests(tmp_path)
    out = make(lab, tmp_path)
    assert main(["process", str(lab), "--out", str(out)]) == 2
    assert said in capsys.readouterr().err
    assert digests(tmp_path) == before


@pytest.mark.parametrize("place", ["data/cells/results", "data/results", "out", "out/deep/er"])
def test_results_beside_or_below_the_raw_files_change_none_of_them_in_any_run(
    lab: Path, tmp_path: Path, place: str
) -> None:
    out, before = tmp_path / place, digests(tmp_path)
    for _ in range(3):
        process(lab, out)
        assert digests(tmp_path, out) == before
        neware_csv(lab / "B_2.csv", "2026-03-03 10:00:00", rows=12)
        before = digests(tmp_path, out)
    assert cellpipe.open_results(out)["cells"].collect()["cell_id"].sort().to_list() == ["A", "B"]
    names = cellpipe.open_results(out)["files"].collect()["path"]
    assert not [name for name in names if "results" in name]  # none of them is read as raw


def test_a_raw_folder_that_holds_results_or_lies_in_them_is_refused(
    lab: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    process(lab, out)
    with pytest.raises(CellpipeError, match="a folder with cellpipe's results"):
        process(out, tmp_path / "other")
    raw = out / "cells" / "raw"
    shutil.copytree(lab, raw)
    before = digests(raw)
    for folder, also in ((raw, ()), (lab, (raw,))):
        with pytest.raises(CellpipeError, match="raw files within the results folder"):
            process(folder, out, also=also)
    assert digests(raw) == before


def test_a_raw_folder_within_the_results_is_seen_through_another_spelling_of_its_path(
    lab: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On disks that ignore case, two spellings are one folder; only the disk knows."""
    (tmp_path / "out").mkdir()
    real = Path.samefile

    def ignoring_case(one: Path, other: Path) -> bool:
        if str(one).casefold() == str(other).casefold():
            return True
        return real(one, other)

    monkeypatch.setattr(Path, "samefile", ignoring_case)
    for out in (Path(str(lab).upper()), Path(str(lab.parent).upper())):
        with pytest.raises(CellpipeError) as refused:
            resolve_lab(lab, out).check()
        assert "raw files" in refused.value.found


def test_a_link_in_the_results_is_not_followed_to_other_peoples_files(
    lab: Path, tmp_path: Path
) -> None:
    out, other = tmp_path / "out", tmp_path / "other"
    process(lab, out)
    shutil.rmtree(out / "cells")
    other.mkdir()
    for folder, said in ((other, "a link in the results that"), (lab, "within the results folder")):
        for name in ("B.html", "B.xlsx", ".B.html.0123456789ab.tmp", ".mine.tmp"):
            (folder / name).write_text("mine")
        linked(out / "cells", folder)
        before = digests(tmp_path, out)
        with pytest.raises(CellpipeError, match=said):
            process(lab, out)
        assert digests(tmp_path, out) == before
        (out / "cells").unlink()


@pytest.mark.parametrize("hard", [False, True])
def test_a_log_that_is_a_link_is_not_written_through(
    lab: Path, tmp_path: Path, hard: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    command = ["process", str(lab), "--out", str(out)]
    main(command)
    (out / "cellpipe.log").unlink(missing_ok=True)
    link = (out / "cellpipe.log").hardlink_to if hard else (out / "cellpipe.log").symlink_to
    link(lab / "A.csv")
    before = digests(lab)
    assert main(command) == 2
    assert "a link in the results" in capsys.readouterr().err
    assert digests(lab) == before


def test_files_with_the_looks_of_temporary_ones_stay(lab: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    process(lab, out)
    (out / ".work.tmp").mkdir()
    (out / ".unrecorded").mkdir()
    mine = [out / ".syncthing.notes.txt.tmp", out / "cells" / ".mine.tmp", out / ".work.tmp" / "a",
            out / ".unrecorded" / "notes.txt"]  # fmt: skip
    for path in mine:
        path.write_text("mine")
    left = [out / "exports" / "A" / ".A.csv.0123456789ab.tmp", out / ".x.0123456789ab.tmp"]
    left[0].parent.mkdir(parents=True)
    for path in left:
        path.write_text("of a run that was killed")
    process(lab, out)
    assert all(path.read_text() == "mine" for path in mine)
    assert not any(path.exists() for path in left)


def test_files_that_differ_in_case_alone_from_cellpipes_are_somebodys(
    lab: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    process(lab, out)
    if (out / "cells" / "a.html").exists():
        pytest.skip("this disk ignores case")
    mine = [out / "cells" / "a.html", out / "tables" / "cells" / "a.parquet"]
    for path in mine:
        path.write_bytes(b"mine")
    process(lab, out)
    (lab / "cells.csv").write_text("Cell ID,Files,Configuration\na,A*,full\nB,B*,full\n")
    for _ in range(2):
        process(lab, out)
        assert [path.read_bytes() for path in mine] == [b"mine"] * 2


@pytest.mark.pages
@pytest.mark.parametrize("copied", [True, False])
def test_a_ledger_that_is_lost_costs_no_file_of_somebodys(
    lab: Path, tmp_path: Path, copied: bool
) -> None:
    out = tmp_path / "out"
    process(lab, out)
    if copied:
        back_up_ledger(out)
    mine = [out / "cells" / "N.html", out / "cells" / "N.xlsx", out / "cells" / "my notes.xlsx",
            out / "tables" / "cycles" / "N.parquet"]  # fmt: skip
    for path in mine:
        path.write_bytes(b"mine")
    (out / "ledger.sqlite").write_bytes(b"no database" * 1000)
    (lab / "cells.csv").write_text("Cell ID,Files,Configuration\nN,A*,full\nB,B*,full\n")
    for _ in range(2):
        process(lab, out)
        assert [path.read_bytes() for path in mine] == [b"mine"] * 4
    assert (out / "cells" / "B.html").is_file()


def test_forget_keeps_a_page_that_somebody_changed(lab: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    process(lab, out)
    (out / "cells" / "A.html").write_text("with a remark of mine")
    assert main(["forget", str(out), "A"]) == 0
    kept = [path.read_text() for path in (out / "damaged").rglob("A.html")]
    assert kept == ["with a remark of mine"]


def test_a_folder_that_only_looks_like_results_is_refused(lab: Path, tmp_path: Path) -> None:
    out = tmp_path / "books"
    (out / "tables" / "2025").mkdir(parents=True)
    for name in ("ledger.sqlite", "tables/2025/x.parquet", "index.html", "notes.txt"):
        (out / name).write_text("my accounts")
    marked = lab / "sub"
    marked.mkdir()
    shutil.copy(lab / "A.csv", marked / "C.csv")
    mark_folder(marked)
    before = digests(tmp_path)
    for folder in (out, marked):
        with pytest.raises(StoreError, match="files that cellpipe did not write"):
            process(lab, folder)
    assert digests(tmp_path) == before
    assert "sub/C.csv" in process(lab, tmp_path / "out").files["path"]


@pytest.mark.parametrize("name", ["cells/B.html", "cells/B.xlsx", "tables/cycles/B.parquet"])
def test_a_file_under_a_results_name_stays_and_costs_that_cell_alone(
    lab: Path, tmp_path: Path, name: str
) -> None:
    out, later = tmp_path / "out", tmp_path / "B_1.csv"
    shutil.move(lab / "B_1.csv", later)
    process(lab, out)
    (out / name).write_bytes(b"somebody's")
    shutil.move(later, lab / "B_1.csv")
    for _ in range(2):
        summary = process(lab, out)
        told = {failure.path: failure.reason for failure in summary.failures}
        assert "a file that cellpipe did not write" in told["B"]
        assert name.rpartition("/")[2] in told["B"]
        assert (out / name).read_bytes() == b"somebody's"
    assert (out / "cells" / "A.html").is_file()
    (out / name).unlink()
    assert "B" not in {failure.path for failure in process(lab, out).failures}
    assert (out / name).is_file()


def test_a_page_that_somebody_changed_is_put_aside_whole_and_made_anew(
    lab: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    process(lab, out)
    for name in ("index.html", "all-cells.xlsx", "cells/A.html"):
        (out / name).write_bytes(b"with a remark of mine")
    process(lab, out)
    aside = {path.name for path in (out / "damaged").rglob("*") if path.is_file()}
    assert aside == {"index.html", "all-cells.xlsx", "A.html"}
    assert b"remark" not in (out / "index.html").read_bytes()


def test_results_without_a_mark_are_adopted_once_and_said(
    lab: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    command = ["process", str(lab), "--out", str(out)]
    main(command)
    identity = read_mark(out)
    (out / MARK).unlink()
    capsys.readouterr()
    main(command)
    assert "results of an earlier version; it is marked" in capsys.readouterr().err
    assert read_mark(out) == identity
    main(command)
    assert "earlier version" not in capsys.readouterr().err


def test_the_mark_of_other_results_is_refused(lab: Path, tmp_path: Path) -> None:
    process(lab, tmp_path / "one")
    process(lab, tmp_path / "two")
    shutil.copy(tmp_path / "one" / MARK, tmp_path / "two" / MARK)
    with pytest.raises(
        StoreError, match="the mark of one results folder and the ledger of another"
    ):
        process(lab, tmp_path / "two")


def test_another_programs_ledger_is_not_taken_for_cellpipes(lab: Path, tmp_path: Path) -> None:
    import sqlite3

    out = tmp_path / "books"
    (out / "tables").mkdir(parents=True)
    with sqlite3.connect(out / "ledger.sqlite") as books:
        books.execute("CREATE TABLE accounts (amount REAL)")
    books.close()
    before = digests(out)
    with pytest.raises(StoreError, match="files that cellpipe did not write"):
        process(lab, out)
    assert digests(out) == before


def test_an_export_replaces_only_what_an_export_wrote(
    lab: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, to = tmp_path / "out", tmp_path / "to"
    process(lab, out)
    command = ["export", "tables", str(out), "A", "--to", str(to)]
    assert main(command) == 0
    assert main(command) == 0
    written = next(path for path in to.rglob("*.csv"))
    written.write_text("mine")
    assert main(command) == 1
    assert "that was changed since cellpipe wrote it" in capsys.readouterr().err
    assert written.read_text() == "mine"
    (written.parent / RECORD).unlink()
    assert main(command) == 1
    assert "a file that cellpipe did not write" in capsys.readouterr().err
    before = digests(lab)
    assert main(["export", "tables", str(out), "A", "--to", str(lab)]) == 1
    assert main(["compare", str(out), "A", "B", "--to", str(lab / "A.xlsx")]) == 2
    assert digests(lab) == before


SETTINGS = {"good": "out", "above": "data", "below": "data/cells/tables", "other": "full"}


def commands(lab: Path, base: Path) -> list[list[str]]:
    """Give command lines that write, sensible ones and others."""
    good, outs = str(base / "out"), [base / "out", lab, lab.parent, lab / "results", base / "full"]
    return [
        *(["process", str(lab), "--out", str(out)] for out in outs),
        *(["process", str(lab.parent), "--out", str(out)] for out in outs),
        ["process", str(base / "full"), "--also", str(lab), "--out", good],
        ["export", "tables", good, "A"], ["export", "tables", good, "A", "--to", str(lab)],
        ["export", "tables", good, "--to", str(base / "full")],
        ["compare", good, "A", "B"], ["compare", good, "A", "B", "--to", str(lab / "A.xlsx")],
        ["status", good], ["status", str(lab)], ["status", str(base / "full")],
        ["retry", good], ["forget", good, "A"], ["rebuild", good], ["history", good, "A"],
        ["rebuild", str(lab)], ["retry", str(base / "full")], ["init", str(lab)],
        ["check", str(lab / "A.csv")], ["doctor"], ["nightly"],
        *(["nightly", "--settings", str(base / f"{name}.toml")] for name in SETTINGS),
    ]  # fmt: skip


@pytest.mark.parametrize("seed", range(4))
def test_no_sequence_of_commands_changes_a_file_outside_the_results(
    lab: Path, tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "full").mkdir()
    for name in ("A.html", "index.html", "ledger.url", "cellpipe.log", "all-cells.xlsx"):
        (tmp_path / "full" / name).write_bytes(b"somebody's")
    for name, results in SETTINGS.items():
        text = f"[[lab]]\nfolder = '{lab}'\nresults = '{tmp_path / results}'\n"
        (tmp_path / f"{name}.toml").write_text(text)
    monkeypatch.chdir(tmp_path)
    draw = random.Random(seed)
    before = digests(tmp_path)
    for command in draw.choices(commands(lab, tmp_path), k=20):
        with suppress(SystemExit):  # argparse's: no such command or option
            main(command)
        left = digests(tmp_path)
        assert {name: left.get(name) for name in before} == before, command
    roots = {path.parent for path in tmp_path.rglob(MARK)}
    new = [Path(name) for name in digests(tmp_path).keys() - before.keys()]
    outside = [path for path in new if not roots & {*path.parents}]
    assert {path.parent.parent.parent for path in outside} <= {tmp_path / "full"}, outside


def test_doctor_tells_a_results_folder_that_is_somebody_elses(lab: Path, tmp_path: Path) -> None:
    def told(results: Path) -> Check:
        checks = check_lab(LabSettings(folder=lab, results=results))
        return next(check for check in checks if check.what == "results folder")

    assert (told(tmp_path / "out").state, told(tmp_path / "out").found) == ("good", "new or empty")
    process(lab, tmp_path / "out")
    assert told(tmp_path / "out").found == "cellpipe's own"
    assert "files that cellpipe did not write" in told(lab / "tables").found
    assert "raw files within the results folder" in told(lab.parent).found
    assert told(lab.parent).state == "bad"
