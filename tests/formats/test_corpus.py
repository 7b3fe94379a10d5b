"""Every real file of these makers is read, or refused in words that help."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

import cellpipe
from cellpipe import formats
from cellpipe.core import contracts
from cellpipe.core.errors import CellpipeError, FileError, NoDataError, UnknownFormatError

FOLDERS = ("mpr", "mpt", "arbin-csv", "arbin-xlsx", "res", "nda", "ndax", "neware-csv", "derived",
           "maccor", "gamry", "zview", "novonix", "landt", "basytec", "pec")  # fmt: skip
OTHERS = ("eis-other", "mpl", "mps", "ndc")
PLAIN = {  # whose columns have names: how many frequencies
    "impedancepy__exampleDataAutolab.txt": 41, "impedancepy__exampleDataCHInstruments.txt": 73,
    "impedancepy__exampleDataParstat.txt": 31, "impedancepy__exampleDataPowersuite.txt": 30,
    "impedancepy__exampleDataVersaStudio.par": 61,
}  # fmt: skip
REFUSED = {
    "beep__FastCharge_000025_CH8_Metadata.csv",  # a table without records
    "gamryp__squarewave_data.dta",  # no technique of a battery's cycling
}


def test_every_real_file_is_read_or_refused_with_a_remedy(
    real_data: Path, record_property: pytest.RecordProperty
) -> None:
    read: Counter[str] = Counter()
    refused: dict[str, str] = {}
    for folder in FOLDERS:
        for path in sorted((real_data / folder).iterdir()):
            try:
                measurement = cellpipe.read(path)
            except CellpipeError as error:
                refused[path.name] = str(error)
                helpful = bool(error.file and error.found and error.remedy)
                refused[path.name] += "" if helpful else " (no remedy)"
                continue
            read[folder] += 1
            for name, table in measurement.tables.items():
                contracts.validate(name, table)
                assert contracts.find_unusual(name, table) == [], path.name
    print(f"\nread: {dict(read)}, {sum(read.values())} in all; refused: {sorted(refused)}")
    record_property("read", sum(read.values()))
    assert set(refused) == REFUSED, refused
    assert not any("(no remedy)" in said for said in refused.values()), refused
    assert sum(read.values()) >= 175


def test_files_of_formats_that_are_not_read_are_claimed_by_none(real_data: Path) -> None:
    for folder in OTHERS:
        for path in sorted((real_data / folder).iterdir()):
            if path.name in PLAIN:
                assert cellpipe.read(path).tables["impedance"].height == PLAIN[path.name]
                continue
            with pytest.raises((UnknownFormatError, NoDataError)):
                formats.find_format(path)


def test_what_must_be_refused_is_refused(real_data: Path) -> None:
    for path in sorted((real_data / "negative").iterdir()):
        with pytest.raises(FileError, match="remedy"):
            cellpipe.read(path)
