"""Neware's binary .nda and .ndax, read with fastnda.

fastnda gives currents in mA (positive charges), capacities in mA·h that start anew at each step,
``cycle_count`` as the file has it (``cycle_mode="raw"``; some versions store none, then a cycle
begins with the first direction of current that occurs) and Unix times. An .ndax is a zip archive;
its members are read again if a read fails, for CPython's zipfile is not safe between threads in
some versions.
"""

from __future__ import annotations

import logging
import shutil
import struct
import tempfile
import threading
import warnings
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import fastnda
import polars as pl

from cellpipe.domain import Finding, Recording
from cellpipe.errors import DamagedFileError
from cellpipe.formats.format import Format, Sample

_TRIES = 4
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
        If the file is shorter than it says, or a version that is not known.

    """
    findings = _length_findings(path)
    with _suffixed(path) as file, _overheard(findings):
        frame = _frame(file)
        metadata = _metadata(file)
    table = frame.select(_columns(frame))
    clocked = table.height and "unix_time_second" in table.columns
    first = table["unix_time_second"][0] if clocked else None
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    started = epoch + timedelta(seconds=float(first)) if first else None
    return Recording({"timeseries": table}, metadata, tuple(findings), started, "utc")


@contextmanager
def _suffixed(path: Path) -> Iterator[Path]:
    """Give the file under the suffix that its content calls for, which fastnda goes by."""
    with path.open("rb") as stream:
        suffix = ".nda" if stream.read(6) == b"NEWARE" else ".ndax"
    if path.suffix.lower() == suffix:
        yield path
        return
    with tempfile.TemporaryDirectory() as folder:
        yield Path(shutil.copyfile(path, Path(folder) / f"copy{suffix}"))


@contextmanager
def _overheard(findings: list[Finding]) -> Iterator[None]:
    """Turn what fastnda logs into findings; what it says of cycle modes is not for people."""
    here = threading.get_ident()

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            sentence = record.getMessage()
            if record.thread == here and "cycle" not in sentence:
                findings.append(Finding("warning", "reader_warning", sentence))

    logger, listener = logging.getLogger("fastnda"), Listener(logging.WARNING)
    before = logger.propagate
    logger.addHandler(listener)
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(listener)
        logger.propagate = before


def _frame(path: Path) -> pl.DataFrame:
    for attempt in range(_TRIES):
        try:
            frame: pl.DataFrame = fastnda.read(path, cycle_mode="raw")
        except (zipfile.BadZipFile, zlib.error, EOFError) as error:
            if attempt + 1 == _TRIES:
                raise _damaged(path, error) from error
        except (NotImplementedError, ValueError, KeyError, struct.error) as error:
            raise _damaged(path, error) from error
        else:
            return frame
    raise AssertionError


def _damaged(path: Path, error: Exception) -> DamagedFileError:
    suffix = path.suffix.lower()
    return DamagedFileError(
        f"content that can't be read ({type(error).__name__}: {error})",
        expected=f"a whole Neware {suffix} file of a known version",
        remedy="copy it again from the instrument, or export it as .csv from BTSDA",
    )


def _length_findings(path: Path) -> list[Finding]:
    """Hold the lengths in the header of an .nda (versions 23 to 29) against the file's."""
    if path.suffix.lower() != ".nda":
        return []
    with path.open("rb") as stream:
        head = stream.read(128)
    if len(head) < 72 or head[14] not in {23, 26, 29}:
        return []
    first, second = struct.unpack_from("<2I", head, 64)
    size = path.stat().st_size
    if first + second <= size:
        return []
    sentence = (
        f"The file has {size} bytes where its header says {first + second}: "
        "it was cut off, and its last records are missing."
    )
    return [Finding("warning", "file_cut_off", sentence)]


def _columns(frame: pl.DataFrame) -> list[pl.Expr]:
    chosen = []
    for name, target, factor in _SCALED:
        if name in frame.columns:
            dtype = pl.Int64() if target in _WHOLE else pl.Float64()
            column = pl.col(name).cast(dtype)
            chosen.append((column * factor if factor != 1.0 else column).alias(target))
    chosen.append(pl.col("step_type").cast(pl.String))
    for name, kind in (("capacity_mAh", "capacity_ah"), ("energy_mWh", "energy_wh")):
        signed = pl.col(name).cast(pl.Float64) * 1e-3
        chosen.append(signed.clip(lower_bound=0).alias(f"vendor_charging_{kind}"))
        chosen.append((-signed).clip(lower_bound=0).alias(f"vendor_discharging_{kind}"))
    return chosen + _auxiliary(frame)


def _auxiliary(frame: pl.DataFrame) -> list[pl.Expr]:
    """Number the auxiliary columns in the order in which the file has them."""
    temperatures = [
        c for c in frame.columns if c.startswith("aux") and c.endswith("temperature_degC")
    ]
    voltages = [c for c in frame.columns if c.startswith("aux") and c.endswith("voltage_V")]
    return [
        pl.col(name).cast(pl.Float64).alias(f"temperature_t{place}_celsius")
        for place, name in enumerate(temperatures, 1)
    ] + [
        pl.col(name).cast(pl.Float64).alias(f"auxiliary_voltage_v{place}_volt")
        for place, name in enumerate(voltages, 1)
    ]


def _metadata(path: Path) -> dict[str, object]:
    found: dict[str, object] = {"maker": "Neware"}
    try:
        with warnings.catch_warnings(action="ignore"):  # it warns of fields it can't name
            said = fastnda.read_metadata(path)
    except (ValueError, KeyError, zipfile.BadZipFile, IndexError, NotImplementedError):
        return found
    return found | dict(_scalars(said))


def _scalars(said: Mapping[str, object]) -> Iterator[tuple[str, object]]:
    """Give the leaves of what the file says of the test itself; the schedule is left out."""
    for key, value in said.items():
        name = "".join(c if c.isalnum() else "_" for c in key).strip("_").lower()
        if isinstance(value, Mapping) and key == "TestInfo":
            yield from _scalars(value)
        elif isinstance(value, str | int | float) and name and value != "":
            yield name, value


def _claims_nda(sample: Sample) -> bool:
    return sample.head.startswith(b"NEWARE")


def _claims_ndax(sample: Sample) -> bool:
    if not sample.head.startswith(b"PK\x03\x04"):
        return False
    try:
        with zipfile.ZipFile(sample.path) as archive:
            return any(name.lower().endswith(".ndc") for name in archive.namelist())
    except zipfile.BadZipFile:
        return sample.suffix == ".ndax"


NDA = Format("neware_nda", "Neware", (".nda",), _claims_nda, read)
NDAX = Format("neware_ndax", "Neware", (".ndax",), _claims_ndax, read)
