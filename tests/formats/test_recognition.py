"""A file is told by its first bytes, and a stranger is called by its name."""

from __future__ import annotations

import pickle
import zipfile
from pathlib import Path

import pytest

import cellpipe
from cellpipe.core.errors import NoDataError, UnknownFormatError
from cellpipe.formats import find_format

SAMPLE = Path(__file__).parents[2] / "sample_data"


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("biologic_mpr/SSB-01_02_GCPL_C01.mpr", "biologic_mpr"),
        ("biologic_mpt/SSB-02_01_GCPL_C02.mpt", "biologic_mpt"),
        ("arbin_csv/SSB-03a_full_C2_Channel_6.csv", "arbin_csv"),
        ("arbin_xlsx/SSB-03b_full_C2_Channel_7.xlsx", "arbin_xlsx"),
        ("neware_ndax/SSB-04_120_1_14_204.ndax", "neware_ndax"),
        ("neware_csv/SSB-05_record_zh.csv", "neware_csv"),
        ("neware_xlsx/SSB-06_half_60C.xlsx", "neware_xlsx"),
        ("neware_csv/SSB-07_record.csv", "neware_csv"),
    ],
)
def test_each_sample_file_is_claimed_by_its_own_format(name: str, form: str) -> None:
    assert find_format(SAMPLE / name).name == form


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (pickle.dumps({"a": 1}, protocol=4), "a Python pickle"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "a git-LFS pointer"),
        (b"<!DOCTYPE html><html></html>", "a web page"),
        (b"%PDF-1.7 ...", "a PDF document"),
        (b"\x89PNG\r\n\x1a\n....", "a picture"),
        (b"PK\x03\x04" + b"\x00" * 40, "cut off"),
        (b"what is this?", "what is this?"),
    ],
)
def test_a_stranger_under_our_suffix_is_named(tmp_path: Path, content: bytes, said: str) -> None:
    for suffix in (".mpr", ".csv", ".xlsx", ".res"):
        path = tmp_path / f"stranger{suffix}"
        path.write_bytes(content)
        with pytest.raises(UnknownFormatError) as caught:
            cellpipe.read(path)
        assert said in str(caught.value)
        assert "remedy" in str(caught.value)


def test_somebody_elses_zip_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "photos.xlsx"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("photo.txt", "not a workbook")
    with pytest.raises(UnknownFormatError):
        cellpipe.read(path)


@pytest.mark.parametrize("content", [b"", b"\x00" * 5000])
def test_an_empty_file_says_that_it_is_empty(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "empty.mpr"
    path.write_bytes(content)
    with pytest.raises(NoDataError, match=r"empty|zeros"):
        cellpipe.read(path)
