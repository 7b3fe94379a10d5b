"""Read Neware's binary .nda (versions 1 to 130) and .ndax (ndc 1 to 17) files.

fastnda parses the bytes: currents in mA (positive on charge), capacities in mA·h that restart at
each step, ``cycle_count`` as in the file (in an .nda that stores none, a cycle begins with the
first direction of current that occurs). Newer versions store Unix times, older ones the computer's
local time, or only that of the start. :mod:`cellpipe.formats.neware.ndax` combines the members of
an .ndax. A zip archive that holds one .nda is read as that .nda.
"""

from __future__ import annotations

import logging
import shutil
import struct
import tempfile
import threading
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import BinaryIO, Literal

import fastnda
import polars as pl

from cellpipe.core.errors import DamagedFileError
from cellpipe.core.model import Finding, Recording
from cellpipe.formats.archives import check_begins_the_file
from cellpipe.formats.file_ends import is_complete_zip
from cellpipe.formats.format import Format, Sample
from cellpipe.formats.neware.nda_layouts import LAYOUTS, OWN_COUNT
from cellpipe.formats.neware.nda_records import Account, account_for_records
from cellpipe.formats.neware.ndax import LOCAL_VERSIONS, bridge_gaps, read_archive, read_member
from cellpipe.formats.tabular.workbook import BROKEN_ZIP

_ELAPSED_VERSIONS, _LOCAL_VERSIONS = {1, 3, 4}, {26, 28, 29}  # local: at the start, or always
_WITH_LENGTH = range(9, 130)  # versions below leave the length out, BTS 9 has none
_LATEST = 1e11  # s since 1970; a damaged time may be larger than a date can be
_SCALED = (
    ("index", "record_index", 1.0),
    ("total_time_s", "test_time_second", 1.0),
    ("unix_time_s", "unix_time_second", 1.0),
    ("step_time_s", "step_time_second", 1.0),
    ("voltage_V", "voltage_volt", 1.0),
    ("current_mA", "current_ampere", 1e-3),
    ("cycle_count", "cycle_count", 1.0),
    ("step_count", "step_count", 1.0),
    ("step_index", "step_id", 1.0),
)
_WHOLE = {"record_index", "cycle_count", "step_count", "step_id"}


def read(path: Path) -> Recording:
    """Read an .nda or .ndax file.

    Raises
    ------
    DamagedFileError
        If the content can't be read, or its version is unknown.

    """
    findings: list[Finding] = []
    with _unpack_file(path) as file, _capture_warnings(findings):
        nda = _is_nda(file)
        findings += _length_findings(file) if nda else []
        frame, metadata = _read_nda(file, findings) if nda else _read_ndax(file, findings)
        clock = _clock(file if nda else None, metadata)
    findings += [*_count_findings(frame, metadata), *_start_findings(frame)]
    table = frame.select(_columns(frame))
    findings += _clock_findings(table)
    has_times = table.height and "unix_time_second" in table.columns
    first = float(table["unix_time_second"][0] or 0.0) if has_times else 0.0
    epoch = datetime(1970, 1, 1, tzinfo=UTC if clock == "utc" else None)
    started = epoch + timedelta(seconds=first) if 0 < first < _LATEST else None
    return Recording(
        {"timeseries": table}, {"maker": "Neware"} | metadata, tuple(findings), started, clock
    )


def _clock(nda: Path | None, metadata: Mapping[str, object]) -> Literal["utc", "local", "elapsed"]:
    """Return the clock of the times: Unix, local, or counted from the local time of the start."""
    if nda is None:
        return "local" if metadata.get("ndc_version") in LOCAL_VERSIONS else "utc"
    with nda.open("rb") as stream:
        version = stream.read(15)[-1]
    if version in _ELAPSED_VERSIONS:
        return "elapsed"
    return "local" if version in _LOCAL_VERSIONS else "utc"


def _clock_findings(table: pl.DataFrame) -> list[Finding]:
    if "unix_time_second" not in table.columns:
        return []
    back = int((table["unix_time_second"].diff() < 0).sum())
    sentence = f"The computer's clock was set back {back} times; the test time was not."
    return [Finding("info", "clock_set_back", sentence, back)] if back else []


def _is_nda(path: Path) -> bool:
    with path.open("rb") as stream:
        return stream.read(6) == b"NEWARE"


@contextmanager
def _unpack_file(path: Path) -> Iterator[Path]:
    """Yield the file, or a temporary copy of an .nda that is zipped or lacks fastnda's suffix."""
    nda = _is_nda(path)
    inner = "" if nda else _find_zipped_nda(path)
    if not inner and (not nda or path.suffix.lower() == ".nda"):
        yield path
        return
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "copy.nda"
        if inner:
            with zipfile.ZipFile(path) as opened:
                copy.write_bytes(read_member(opened, inner))
        else:
            shutil.copyfile(path, copy)
        yield copy


def _find_zipped_nda(path: Path) -> str:
    """Return the name of the .nda in a zip archive, empty if it holds other Neware members."""
    check_begins_the_file(path)
    try:
        with zipfile.ZipFile(path) as opened:
            names = [name for name in opened.namelist() if name.lower().endswith((".nda", ".ndc"))]
    except zipfile.BadZipFile as error:
        raise _damaged_file_error("ndax", error) from error
    return names[0] if len(names) == 1 and names[0].lower().endswith(".nda") else ""


@contextmanager
def _capture_warnings(findings: list[Finding]) -> Iterator[None]:
    """Convert fastnda's log warnings to findings, without those on cycle modes (not for users)."""
    thread = threading.get_ident()

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            sentence = record.getMessage()
            if record.thread == thread and "cycle" not in sentence:
                findings.append(Finding("warning", "reader_warning", sentence))

    logger, listener = logging.getLogger("fastnda"), Listener(logging.WARNING)
    propagated = logger.propagate
    logger.addHandler(listener)
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(listener)
        logger.propagate = propagated


_UNREADABLE = (
    NotImplementedError, ValueError, KeyError, IndexError, TypeError, EOFError, OverflowError,
    AttributeError, struct.error, pl.exceptions.PolarsError,
)  # fmt: skip


def _read_nda(path: Path, findings: list[Finding]) -> tuple[pl.DataFrame, dict[str, object]]:
    try:
        account = account_for_records(path)
        frame, suspect = None, None
        if account.content is None:
            try:
                frame = fastnda.read(path, cycle_mode="raw")
            except pl.exceptions.PolarsError as error:  # a date that can't be
                suspect = error
            if frame is None or _lacks_times(frame):
                account = account_for_records(path, is_suspect=True)
        findings += account.findings
        if account.content is not None:
            return _read_repaired(account)
        if frame is None:
            raise suspect or ValueError("no records")
        return frame, _read_metadata(path)
    except _UNREADABLE as error:
        raise _damaged_file_error("nda", error) from error


def _lacks_times(frame: pl.DataFrame) -> bool:
    """Return whether some records have no time on the clock and others have."""
    if "unix_time_s" not in frame.columns:
        return False
    is_missing = frame["unix_time_s"].fill_null(0.0) <= 0
    return bool(is_missing.any() and not is_missing.all())


def _read_repaired(account: Account) -> tuple[pl.DataFrame, dict[str, object]]:
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "repaired.nda"
        copy.write_bytes(account.content or b"")
        frame, metadata = fastnda.read(copy, cycle_mode="raw"), _read_metadata(copy)
    if account.added_start:
        frame = frame.filter(pl.col("index") != 1)
    return frame if account.stores_test_time else bridge_gaps(frame), metadata


def _read_ndax(path: Path, findings: list[Finding]) -> tuple[pl.DataFrame, dict[str, object]]:
    try:
        archive = read_archive(path)
    except (*_UNREADABLE, *BROKEN_ZIP) as error:
        raise _damaged_file_error("ndax", error) from error
    findings += archive.findings
    return archive.frame, archive.metadata


def _damaged_file_error(suffix: str, error: Exception) -> DamagedFileError:
    return DamagedFileError(
        f"content that can't be read ({type(error).__name__}: {error})",
        expected=f"a whole Neware .{suffix} file of a known version",
        remedy="copy it again from the instrument, or export it as .csv from BTSDA",
    )


def _length_findings(path: Path) -> list[Finding]:
    """Compare the length of the records in an .nda's header with the file's.

    Versions below 9 don't state it: for them only an incomplete last record can be detected.
    """
    with path.open("rb") as stream:
        head = stream.read(128)
    if len(head) < 72 or head[14] >= OWN_COUNT:
        return []
    begin, length = struct.unpack_from("<2I", head, 64)
    size = path.stat().st_size
    if length and begin + length > size:
        return [
            _cut_off_finding(f"The file has {size} bytes where its header says {begin + length}")
        ]
    layout = LAYOUTS.get(head[14])
    if not length and layout is not None and (size - begin) % layout.size:
        return [_cut_off_finding("The file ends within a record")]
    return []


def _count_findings(frame: pl.DataFrame, metadata: Mapping[str, object]) -> list[Finding]:
    """Compare the number of BTS 9 records with the number stated after them."""
    version, stated = metadata.get("nda_version"), metadata.get("num_datapoints")
    if not isinstance(version, int) or version < OWN_COUNT:
        return []
    if not isinstance(stated, int):
        return [_cut_off_finding("The description that follows the records is not there")]
    if frame.height >= stated:
        return []
    return [
        _cut_off_finding(f"The file holds {frame.height} of the {stated} records that it states")
    ]


def _start_findings(frame: pl.DataFrame) -> list[Finding]:
    first = int(frame["index"][0]) if frame.height and "index" in frame.columns else 1
    if first <= 1:
        return []
    sentence = (
        f"The records before number {first} are missing; the test time counts from the first one "
        "that is left."
    )
    return [Finding("warning", "start_missing", sentence, first - 1)]


def _cut_off_finding(evidence: str) -> Finding:
    sentence = (
        f"{evidence}: it was cut off or is still being written, and its last records are missing."
    )
    return Finding("warning", "file_cut_off", sentence)


def _columns(frame: pl.DataFrame) -> list[pl.Expr]:
    expressions = []
    for name, target, factor in _SCALED:
        if name in frame.columns:
            dtype = pl.Int64() if target in _WHOLE else pl.Float64()
            column = pl.col(name).cast(dtype)
            expressions.append((column * factor if factor != 1.0 else column).alias(target))
    expressions.append(pl.col("step_type").cast(pl.String))
    for name, kind in (("capacity_mAh", "capacity_ah"), ("energy_mWh", "energy_wh")):
        if f"charge_{name}" in frame.columns:
            charge, discharge = (
                pl.col(f"{part}charge_{name}").cast(pl.Float64).abs() for part in ("", "dis")
            )
        elif name not in frame.columns:  # old versions count no energy
            continue
        else:
            signed = pl.col(name).cast(pl.Float64)
            charge, discharge = signed.clip(lower_bound=0), (-signed).clip(lower_bound=0)
        expressions.append((charge * 1e-3).alias(f"vendor_charging_{kind}"))
        expressions.append((discharge * 1e-3).alias(f"vendor_discharging_{kind}"))
    return expressions + _auxiliary_columns(frame)


def _auxiliary_columns(frame: pl.DataFrame) -> list[pl.Expr]:
    """Return the auxiliary columns (°C, V), numbered in the order of the file."""
    temperatures = [
        c for c in frame.columns if c.startswith("aux") and c.endswith("temperature_degC")
    ]
    voltages = [c for c in frame.columns if c.startswith("aux") and c.endswith("voltage_V")]
    return [
        pl.col(name).cast(pl.Float64).alias(f"temperature_t{number}_celsius")
        for number, name in enumerate(temperatures, 1)
    ] + [
        pl.col(name).cast(pl.Float64).alias(f"auxiliary_voltage_v{number}_volt")
        for number, name in enumerate(voltages, 1)
    ]


def _read_metadata(path: Path) -> dict[str, object]:
    """Return the metadata of an .nda, empty if it can't be read: the records don't need it."""
    try:
        with warnings.catch_warnings(action="ignore"):  # it warns about fields that it can't name
            metadata = fastnda.read_metadata(path)
    except (ValueError, KeyError, IndexError, NotImplementedError):
        return {}
    return dict(_scalars(metadata))


def _scalars(metadata: Mapping[str, object]) -> Iterator[tuple[str, object]]:
    """Yield the numbers and texts of the metadata, under names in lower case with underscores."""
    for key, value in metadata.items():
        name = "".join(c if c.isalnum() else "_" for c in key).strip("_").lower()
        if isinstance(value, str | int | float) and name and value != "":
            yield name, value


def _claims_nda(sample: Sample) -> bool:
    return sample.head.startswith(b"NEWARE")


def _claims_ndax(sample: Sample) -> bool:
    if not sample.head.startswith(b"PK\x03\x04"):
        return False
    try:
        with zipfile.ZipFile(sample.path) as archive:
            names = [name.lower() for name in archive.namelist()]
    except zipfile.BadZipFile:
        return sample.suffix == ".ndax"
    return any(name.endswith(".ndc") for name in names) or (
        len([name for name in names if name.endswith(".nda")]) == 1
    )


def is_complete(stream: BinaryIO, size: int) -> bool:
    """Return whether an .nda is as long as its head says; what it says nothing of is complete."""
    head = stream.read(72)
    if head.startswith(b"PK"):
        return is_complete_zip(stream, size)
    if len(head) < 72 or head[14] not in _WITH_LENGTH:
        return len(head) == 72
    begin, length = struct.unpack_from("<2I", head, 64)
    return not length or begin + length <= size


NDA = Format(
    "neware_nda", "Neware", (".nda",), _claims_nda, read, is_complete=is_complete, version=3
)
NDAX = Format(
    "neware_ndax", "Neware", (".ndax", ".nda.zip"), _claims_ndax, read,
    is_complete=is_complete_zip, version=3,
)  # fmt: skip
