"""A file is held against what its format says of its own length."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import BinaryIO

import pytest

from cellpipe.core.model import Recording
from cellpipe.formats import FORMATS, Format, registry
from cellpipe.formats.completeness import is_complete

KINDS = (".mpr", ".mpt", ".res", ".nda", ".ndax", ".csv", ".xlsx", ".parquet", ".txt", ".dta", ".z",
         ".001", ".002", ".034", ".052")  # fmt: skip
WITHOUT_LENGTH = {".res": 0.4, ".nda": 0.5, ".csv": 0.9, ".mpt": 0.9}  # least share of cuts told


def measured(real_data: Path) -> list[Path]:
    return [
        path
        for path in sorted(real_data.rglob("*"))
        if path.is_file() and path.suffix.lower() in KINDS and "negative" not in path.parts
    ]


def test_whole_files_of_the_corpus_are_called_whole(real_data: Path) -> None:
    cut = [path.name for path in measured(real_data) if not is_complete(path)]
    kinds = {name.rpartition("_")[2].split(".")[0] for name in cut}
    assert len(cut) <= 5, cut
    assert kinds <= {"wait", "zir"} | {name.split(".")[0].rpartition("_")[2] for name in cut}
    assert all(name.endswith(".mpt") for name in cut)  # a last line like no other: waited for


def test_files_of_the_corpus_cut_at_six_tenths_are_called_cut(
    real_data: Path, tmp_path: Path
) -> None:
    told: dict[str, list[bool]] = {}
    for path in measured(real_data):
        content = path.read_bytes()
        copy = tmp_path / f"cut{path.suffix}"
        copy.write_bytes(content[: int(len(content) * 0.6)])
        told.setdefault(path.suffix.lower(), []).append(not is_complete(copy))
    shares = {suffix: sum(each) / len(each) for suffix, each in told.items()}
    print(shares)
    for suffix, share in shares.items():
        assert share >= WITHOUT_LENGTH.get(suffix, 1.0), suffix


@pytest.mark.parametrize("kind", KINDS)
def test_no_bytes_at_all_make_it_stumble(kind: str, tmp_path: Path) -> None:
    for content in (b"", b"P", b"PK\x03\x04", bytes(3), bytes(80), b"\n", b"a\tb", b"MODULE" * 20):
        path = tmp_path / f"file{kind}"
        path.write_bytes(content)
        assert is_complete(path) in {True, False}


def test_every_format_says_where_its_files_end() -> None:
    assert not [form.name for form in FORMATS if form.is_complete is None]


def rig(name: str, suffix: str, start: bytes, last: bytes | None) -> Format:
    """Give a format whose files begin and end so; without a last it says nothing of the end."""

    def ends(stream: BinaryIO, _size: int) -> bool:
        content = stream.read()
        if b"!" in content:
            raise ValueError("a byte that it does not know")
        return content.endswith(last or b"")

    return Format(
        name, "our rig", (suffix,), lambda sample: sample.head.startswith(start),
        lambda _: Recording({}), is_complete=ends if last else None,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.rig", b"one ... END", True),
        ("a.rig", b"one ...\n", False),  # it has a line's end, and not its own
        ("a.rig", b"one ! END", False),  # its check stumbles: it is waited for
        ("a.RIG", b"one ... END", True),
        ("a.csv", b"one ... END", True),  # claimed by the one whose end it has
        ("a.csv", b"one ...\n", False),
        ("a.csv", b"two ...", True),  # claimed by the one that says nothing of its end
        ("a.csv", b"x,y\n1,2\n", False),  # claimed by none: all that say something must be content
        ("a.csv", b"x,y\n1,2 END\n END", False),
        ("a.gz.rig", b"GZ one", True),  # the longest suffix decides
        ("a.gz.rig", b"one ... END", False),
        ("a.other", b"PK\x03\x04 cut", False),  # a zip is told by its head
        ("a.other", b"whatever", True),
    ],
)
def test_a_file_is_held_against_the_format_that_it_is_of(
    name: str, content: bytes, expected: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forms = (
        rig("one", ".rig", b"one", b"END"), rig("one", ".csv", b"one", b"END"),
        rig("two", ".csv", b"two", None), rig("long", ".gz.rig", b"GZ", b"one"),
        *(form for form in FORMATS if form.name == "pec_csv"),
    )  # fmt: skip
    path = tmp_path / name
    path.write_bytes(content)
    with monkeypatch.context() as patched:
        patched.setattr(registry, "all_formats", lambda: forms)
        registry.formats_by_suffix.cache_clear()
        assert is_complete(path) is expected
    registry.formats_by_suffix.cache_clear()


def test_the_log_beside_an_mpr_is_no_file_of_its_own_and_goes_with_it(tmp_path: Path) -> None:
    for name in ("a.mpr", "a.mpl", "b.mpr", "c.mpl"):
        (tmp_path / name).touch()
    assert registry.companion_paths(tmp_path / "a.mpr") == [tmp_path / "a.mpl"]
    assert registry.companion_paths(tmp_path / "b.mpr") == []
    assert registry.has_foreign_suffix("a.MPL")
    assert not registry.has_foreign_suffix("a.mpr")


def test_the_watch_holds_what_the_formats_need_and_nothing_of_flows_fits_and_figures() -> None:
    heavy = ("prefect", "matplotlib", "lmfit", "pandera", "pandas", "pyarrow", "xlsxwriter", "rich")
    script = (
        "import sys, cellpipe.service.watch.watcher\n"
        f"print([m for m in {heavy} if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
