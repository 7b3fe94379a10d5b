"""Read Arbin's records as text: MITS Pro's CSV export, and dumps of its Access or SQL database.

There is one header line (names and units: :mod:`cellpipe.formats.arbin.columns`), then one line per
record. ``Date_Time`` is text in the computer's local time (``2010-12-16 12:41:54``, or
month/day/year after a tab), an OLE day in local time (dumps of the Access database), or Unix
seconds in UTC (dumps of the SQL database). Current is positive on charge. The table
``…_Metadata.csv`` that accompanies a dump holds no record and is not read.
"""

from __future__ import annotations

from pathlib import Path

from cellpipe.core.model import Recording
from cellpipe.formats.arbin import columns as arbin
from cellpipe.formats.file_ends import is_complete_text
from cellpipe.formats.format import Format, Sample
from cellpipe.formats.tabular import delimited


def read(path: Path) -> Recording:
    """Read an Arbin text file.

    Raises
    ------
    DamagedFileError
        If a needed column is missing or in an unknown unit.
    NoDataError
        If there is no record.

    """
    header = delimited.read_header(path, arbin.header_score)
    if header is None:
        raise delimited.no_header_error(
            "Arbin", "Data_Point, Test_Time, Step_Index, Current, Voltage"
        )
    table, findings = delimited.read_flat_table(
        path, header, arbin.match_columns, bare_seconds=True
    )
    return arbin.to_recording(table, {}, findings)


def _claims(sample: Sample) -> bool:
    return delimited.find_header(sample.head, arbin.header_score) is not None


FORMAT = Format(
    "arbin_csv", "Arbin", (".csv", ".txt"), _claims, read, is_complete=is_complete_text, version=3
)
