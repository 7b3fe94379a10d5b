"""A file is held against what its format says of its own length."""

from __future__ import annotations

from pathlib import Path

import pytest

from cellpipe.formats.completeness import is_complete

KINDS = (".mpr", ".mpt", ".res", ".nda", ".ndax", ".csv", ".xlsx", ".parquet", ".txt", ".dta", ".z")
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
