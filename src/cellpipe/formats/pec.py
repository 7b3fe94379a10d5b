"""Read PEC's .csv export: labelled titles, then one line per record of a cell.

``Total Time`` is clock text, ``Step Time`` is in seconds; capacities (mA·h) and energies (mW·h)
count within the cycle; current is in A (positive on charge); ``Real Time`` is the computer's local
clock. A file with several cells is refused: each must be exported to its own file.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from cellpipe.core.errors import DamagedFileError
from cellpipe.core.model import Recording
from cellpipe.formats.damaged_records import LINE
from cellpipe.formats.file_ends import is_complete_text
from cellpipe.formats.format import Format, Sample
from cellpipe.formats.tabular import delimited
from cellpipe.formats.tabular.dialect import (
    AMPERE,
    AMPERE_HOUR,
    CELSIUS,
    CLOCK,
    OHM,
    VOLT,
    WATT_HOUR,
    Quantity,
    find_targets,
)
from cellpipe.formats.tabular.records import (
    build_recording,
    count_steps,
    match_required,
    metadata_from_labels,
)

_TIMES = CLOCK | {
    "Hours in hh:mm:ss.xxx": 1.0, "Seconds": 1.0, "Minutes": 60.0, "Hours": 3600.0,
}  # fmt: skip
QUANTITIES = (
    Quantity("cycle_count", ("Cycle",)),
    Quantity("step_id", ("Step",)),
    Quantity("step_type", ("Instruction Name",)),
    Quantity("test_time_second", ("Total Time",), _TIMES, bare=None),
    Quantity("step_time_second", ("Step Time",), _TIMES, bare=None),
    Quantity("unix_time_second", ("Real Time",)),
    Quantity("voltage_volt", ("Voltage",), VOLT, bare=None),
    Quantity("current_ampere", ("Current",), AMPERE, bare=None),
    Quantity("vendor_charging_capacity_ah", ("Charge Capacity",), AMPERE_HOUR, bare=None),
    Quantity("vendor_discharging_capacity_ah", ("Discharge Capacity",), AMPERE_HOUR, bare=None),
    Quantity("vendor_charging_energy_wh", ("Charge Energy",), WATT_HOUR, bare=None),
    Quantity("vendor_discharging_energy_wh", ("Discharge Energy",), WATT_HOUR, bare=None),
    Quantity("internal_resistance_ohm", ("Internal Resistance 1",), OHM, bare=None),
    Quantity("temperature_t1_celsius", ("Temp",), CELSIUS),
    Quantity("ambient_temperature_celsius", ("Station Temperature",), CELSIUS),
)
_NEEDED = {
    "test_time_second": "Total Time",
    "voltage_volt": "Voltage (V)",
    "current_ampere": "Current (A)",
}
_match_columns = partial(match_required, quantities=QUANTITIES, needed=_NEEDED)


def header_score(fields: Sequence[str]) -> int:
    """Count the columns with known units in a header line; 0 if it is not PEC's."""
    targets = find_targets(fields, QUANTITIES)
    is_header = {"Instruction Name", "Real Time"} <= {*fields}
    return sum(targets.values()) if is_header and "voltage_volt" in targets else 0


def read(path: Path) -> Recording:
    """Read a PEC file.

    Raises
    ------
    DamagedFileError
        If it holds several cells, or a needed column is missing or in an unknown unit.
    NoDataError
        If there is no record.

    """
    header = delimited.read_header(path, header_score)
    if header is None:
        raise delimited.no_header_error("PEC", "Instruction Name, Real Time, Voltage (V)")
    table, findings = delimited.read_flat_table(path, header, _match_columns, bare_seconds=False)
    cells = _read_cell_ids(path, header)
    if len(cells) > 1:
        raise DamagedFileError(
            f"records of {len(cells)} cells ({', '.join(cells[:4])})",
            expected="those of one",
            remedy="export each cell to a file of its own",
        )
    table = table.with_columns(count_steps(table))
    metadata = _metadata(delimited.read_titles(path, header)) | {
        "cell_id": cells[0] if cells else ""
    }
    return build_recording(table, metadata, findings)


def _read_cell_ids(path: Path, header: delimited.Header) -> list[str]:
    places = [place for place, name in enumerate(header.fields) if name in {"Cell ID", "Cell"}][-1:]
    if not places:
        return []
    column = delimited.read_columns(path, header, places, places)[0].drop(LINE).to_series()
    return [str(cell) for cell in column.drop_nulls().unique(maintain_order=True)]


def _metadata(titles: str) -> dict[str, object]:
    pairs = re.findall(r"^([A-Z][\w /]*):,(\S.*)$", titles, re.MULTILINE)
    return {"maker": "PEC"} | metadata_from_labels(pairs)


def _claims(sample: Sample) -> bool:
    return delimited.find_header(sample.head, header_score) is not None


FORMAT = Format("pec_csv", "PEC", (".csv",), _claims, read, is_complete=is_complete_text, version=3)
