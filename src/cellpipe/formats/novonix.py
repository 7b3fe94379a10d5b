"""Read Novonix's .csv files (UHPC): a summary, the protocol, then the records below ``[Data]``.

Times are in hours, current in A (positive on charge), temperature in °C; ``Date and Time`` is the
computer's local clock. The numbers of ``Step Type`` are replaced by names. ``Capacity`` and
``Energy`` are left out, because the file does not say when they return to zero.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import polars as pl

from cellpipe.core.model import Recording
from cellpipe.formats.file_ends import is_complete_text
from cellpipe.formats.format import Format, Sample
from cellpipe.formats.tabular import delimited
from cellpipe.formats.tabular.dialect import (
    AMPERE,
    CELSIUS,
    SECOND,
    VOLT,
    Quantity,
    find_targets,
)
from cellpipe.formats.tabular.records import (
    build_recording,
    count_steps,
    match_required,
    metadata_from_labels,
)

QUANTITIES = (
    Quantity("unix_time_second", ("Date and Time",)),
    Quantity("cycle_count", ("Cycle Number",)),
    Quantity("step_type", ("Step Type",)),
    Quantity("step_id", ("Step Number",)),
    Quantity("test_time_second", ("Run Time",), SECOND, bare=None),
    Quantity("step_time_second", ("Step Time",), SECOND, bare=None),
    Quantity("current_ampere", ("Current",), AMPERE, bare=None),
    Quantity("voltage_volt", ("Potential",), VOLT, bare=None),
    Quantity("temperature_t1_celsius", ("Temperature",), CELSIUS),
    Quantity("ambient_temperature_celsius", ("Circuit Temperature",), CELSIUS),
)
_NEEDED = {
    "test_time_second": "Run Time (h)",
    "voltage_volt": "Potential (V)",
    "current_ampere": "Current (A)",
}
_match_columns = partial(match_required, quantities=QUANTITIES, needed=_NEEDED)
_LONGEST_PROTOCOL = 1 << 24
_STEPS = {"0": "Rest", "1": "CC_Chg", "2": "CC_DChg", "7": "CCCV_Chg (CC)", "8": "CCCV_Chg (CV)",
          "9": "CCCV_DChg (CC)", "10": "CCCV_DChg (CV)"}  # fmt: skip


def header_score(fields: Sequence[str]) -> int:
    """Count the columns with known units in a header line; 0 if it is not Novonix's."""
    targets = find_targets(fields, QUANTITIES)
    is_header = {"test_time_second", "voltage_volt"} <= targets.keys() and "Potential (V)" in fields
    return sum(targets.values()) if is_header else 0


def read(path: Path) -> Recording:
    """Read a Novonix file.

    Raises
    ------
    DamagedFileError
        If a needed column is missing or in an unknown unit.
    NoDataError
        If there is no record.

    """
    header = _read_header(path)
    if header is None:
        raise delimited.no_header_error("Novonix", "Run Time (h), Potential (V), Current (A)")
    table, findings = delimited.read_flat_table(path, header, _match_columns, bare_seconds=False)
    if "step_type" in table.columns:
        table = table.with_columns(pl.col("step_type").replace(_STEPS))
    table = table.with_columns(count_steps(table))
    return build_recording(table, _metadata(delimited.read_titles(path, header)), findings)


def _read_header(path: Path) -> delimited.Header | None:
    """Find the header line below ``[Data]``; the protocol above it may be long."""
    with path.open("rb") as stream:
        content = stream.read(_LONGEST_PROTOCOL)
    start = content.find(b"[Data]")
    header = delimited.find_header(content[max(start, 0) :][: 1 << 16], header_score)
    end = b"\n" if b"\n" in content else b"\r"
    return header and replace(header, line=header.line + content[: max(start, 0)].count(end))


def _metadata(titles: str) -> dict[str, object]:
    """Return the labels and values of the summary."""
    summary = titles.partition("[End Summary]")[0]
    pairs = re.findall(r"^([A-Z][\w .()]*): *(\S.*)$", summary, re.MULTILINE)
    return {"maker": "Novonix"} | metadata_from_labels(pairs)


def _claims(sample: Sample) -> bool:
    has_summary = sample.head.lstrip(b"\xef\xbb\xbf").startswith(b"[Summary]")
    return (has_summary and b"Novonix" in sample.head) or (
        delimited.find_header(sample.head, header_score) is not None
    )


FORMAT = Format(
    "novonix_csv", "Novonix", (".csv",), _claims, read, is_complete=is_complete_text, version=3
)
