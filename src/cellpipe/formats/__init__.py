"""Raw bytes to measurements: one module per vendor format, and the tuple that lists them.

A new format is one file and one line in :data:`FORMATS` (docs/add-a-format.md); a package outside
adds one through the entry point group ``cellpipe.formats``.
"""

from __future__ import annotations

import errno
import hashlib
import zipfile
from dataclasses import replace
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path

import numpy as np
import polars as pl

from cellpipe.core import contracts
from cellpipe.core.errors import DamagedFileError, FileError, NoDataError, UnknownFormatError
from cellpipe.core.model import Finding, Measurement, RawFile, Recording
from cellpipe.formats import basytec, bdf, gamry, landt, maccor, novonix, pec, zview
from cellpipe.formats.arbin import csv as arbin_csv
from cellpipe.formats.arbin import res as arbin_res
from cellpipe.formats.arbin import xlsx as arbin_xlsx
from cellpipe.formats.biologic import mpr as biologic_mpr
from cellpipe.formats.biologic import mpt as biologic_mpt
from cellpipe.formats.charge_check import charge_findings
from cellpipe.formats.format import Format, Sample
from cellpipe.formats.neware import binary as neware_binary
from cellpipe.formats.neware import csv as neware_csv
from cellpipe.formats.neware import xlsx as neware_xlsx
from cellpipe.formats.utc import to_utc, utc_start_time

FORMATS: tuple[Format, ...] = (
    biologic_mpr.FORMAT,
    biologic_mpt.FORMAT,
    arbin_csv.FORMAT,
    arbin_xlsx.FORMAT,
    arbin_res.FORMAT,
    neware_binary.NDA,
    neware_binary.NDAX,
    neware_csv.FORMAT,
    neware_xlsx.FORMAT,
    maccor.FORMAT,
    gamry.FORMAT,
    zview.FORMAT,
    novonix.FORMAT,
    landt.FORMAT,
    basytec.FORMAT,
    pec.FORMAT,
    bdf.FORMAT,
)
HEAD_BYTES = 1 << 16
_FOREIGN_FILES = {
    b"version https://git-lfs": ("a git-LFS pointer", "fetch the file itself with git lfs pull"),
    b"\x80\x04\x95": ("a Python pickle", "export the data again from the instrument's program"),
    b"\x80\x03": ("a Python pickle", "export the data again from the instrument's program"),
    b"<!DOCTYPE": ("a web page", "download the file itself, not the page that shows it"),
    b"<html": ("a web page", "download the file itself, not the page that shows it"),
    b"%PDF": ("a PDF document", "leave it out of the folder"),
    b"\x89PNG": ("a picture", "leave it out of the folder"),
    b"\xff\xd8\xff": ("a picture", "leave it out of the folder"),
}


@cache
def all_formats() -> tuple[Format, ...]:
    """Return the built-in formats and those of installed packages."""
    outside = (point.load() for point in entry_points(group="cellpipe.formats"))
    return (*FORMATS, *outside)


def known_suffixes() -> frozenset[str]:
    """Suffixes that some format uses, in lower case with the dot."""
    return frozenset(suffix for form in all_formats() for suffix in form.suffixes)


def read(path: str | Path, *, part: str | None = None, time_zone: str | None = None) -> Measurement:
    """Read one raw file of a cycler.

    Parameters
    ----------
    path
        The file. Its first bytes say what it is, its suffix only helps.
    part
        Which recording, of a file that holds those of several cells; :func:`parts` names them.
    time_zone
        IANA name of the zone of the instrument's clock (``"Europe/Berlin"``). Without it local
        times are taken as UTC, and a finding says so.

    Returns
    -------
    Measurement
        With ``tables`` (``"timeseries"``, ``"impedance"``) that keep their contracts.

    Raises
    ------
    FileError
        If the file can't be used: UnknownFormatError, DamagedFileError or NoDataError.
    OSError
        If it can't be opened (absent, locked): that may pass.

    """
    raw = raw_file(Path(path))
    return read_raw(raw_part(raw, part) if part else raw, time_zone=time_zone)


def parts(path: str | Path, form: Format | None = None) -> tuple[str, ...]:
    """Name the recordings in a file that holds those of several cells; none if it holds one.

    Parameters
    ----------
    path
        The file.
    form
        Its format, if that is known already.

    Returns
    -------
    Names to be given to :func:`read` as ``part``, in the order of the file.

    Raises
    ------
    FileError
        If no format claims the file.
    OSError
        If it can't be opened (absent, locked): that may pass.

    """
    path = Path(path)
    form = form or find_format(path)
    try:
        return form.parts(path) if form.parts else ()
    except FileError:
        return ()  # reading it says what is wrong


def raw_part(raw: RawFile, part: str) -> RawFile:
    """Return the identity of one of the recordings in a file."""
    digest = hashlib.sha256(f"{raw.sha256}#{part}".encode()).hexdigest()
    return replace(raw, sha256=digest, part=part)


def read_raw(
    raw: RawFile, form: Format | None = None, *, time_zone: str | None = None
) -> Measurement:
    """Read a raw file whose identity, and perhaps format, is known already; see :func:`read`."""
    path = raw.path
    form = form or find_format(path)
    try:
        recording = _read_recording(form, raw)
        return _build_measurement(raw, form, recording, time_zone)
    except FileError as error:
        raise error.with_file(path) from error
    # whatever a reader stumbles over in bytes that nobody vouches for
    except (Exception, pl.exceptions.PanicException) as e:
        if _is_disk_error(e):
            raise
        raise DamagedFileError(
            f"content that can't be read as {form.name} ({type(e).__name__}: {_short_message(e)})",
            expected=f"a whole {form.maker} {form.suffixes[0]} file",
            remedy="copy it again from the instrument, or export it again",
            file=path,
        ) from e


def _read_recording(form: Format, raw: RawFile) -> Recording:
    if raw.part is None:
        return form.read(raw.path)
    named = form.parts(raw.path) if form.parts else ()
    if form.read_part is None or raw.part not in named:
        raise NoDataError(
            f"no part {raw.part}",
            expected=f"one of {', '.join(named)}" if named else "no name: the file holds one",
            remedy="name one of those that the file holds",
        )
    return form.read_part(raw.path, raw.part)


def _is_disk_error(error: BaseException) -> bool:
    """Return whether an error is the disk's or the network's, and may pass.

    A place before the beginning of the file (EINVAL) is what a false offset in the file leads to.
    """
    return isinstance(error, OSError) and error.errno not in {None, errno.EINVAL}


def raw_file(path: Path) -> RawFile:
    """Return a file's identity: the sha256 of its content."""
    status = path.stat()
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return RawFile(path, digest, status.st_size, status.st_mtime)


def find_format(path: Path) -> Format:
    """Find the one format that claims a file.

    Raises
    ------
    UnknownFormatError
        If none or two do.
    NoDataError
        If the file is empty.

    """
    with path.open("rb") as stream:
        head = stream.read(HEAD_BYTES)
    if not head.strip(b"\x00"):
        raise NoDataError(
            f"{'an empty file' if not head else 'nothing but zeros'}",
            expected="a cycler's file",
            remedy="copy it again from the instrument",
            file=path,
        )
    sample = Sample(path, head)
    claims = [form for form in all_formats() if _claims(form, sample)]
    if len(claims) != 1:
        raise _unknown_format_error(sample, claims)
    return claims[0]


def _claims(form: Format, sample: Sample) -> bool:
    """Return whether a format claims a file; one that stumbles over its bytes does not."""
    try:
        return form.claims(sample)
    except (Exception, pl.exceptions.PanicException) as error:
        if _is_disk_error(error):
            raise
        return False


def _unknown_format_error(sample: Sample, claims: list[Format]) -> UnknownFormatError:
    names = ", ".join(form.name for form in claims)
    found = f"a file that {len(claims)} formats claim ({names})" if claims else ""
    remedy = "if it is no measurement, keep it in another folder"
    for start, (kind, what_to_do) in _FOREIGN_FILES.items():
        if sample.head.startswith(start):
            found, remedy = kind, what_to_do
    if not found and sample.head.startswith(b"PK\x03\x04") and not zipfile.is_zipfile(sample.path):
        found, remedy = "a zip file or workbook that was cut off", "copy it again"
    if not found:
        shown = sample.head[:24].decode("ascii", "replace").replace("\ufffd", "·")
        found = f"content that no format knows, beginning {shown!r}"
    makers = ", ".join(dict.fromkeys(form.maker for form in all_formats()))
    expected = f"a file of one of these: {makers}"
    return UnknownFormatError(found, expected=expected, remedy=remedy, file=sample.path)


def _build_measurement(
    raw: RawFile, form: Format, recording: Recording, time_zone: str | None
) -> Measurement:
    findings = list(recording.findings)
    tables: dict[str, pl.DataFrame] = {}
    rejected: list[pl.DataFrame] = []
    for name, frame in recording.tables.items():
        kept, bad, said = contracts.validate_rows(name, to_utc(frame, recording, time_zone))
        tables[name] = kept
        findings += said
        if bad.height:
            rejected.append(bad)
    if rejected:
        tables["rejected_rows"] = pl.concat(rejected)
    if not any(tables[name].height for name in recording.tables):
        findings.append(Finding("info", "no_record", "The file is whole and holds no record."))
    if "timeseries" in tables:
        findings += charge_findings(tables["timeseries"])
    findings += _clock_findings(recording, tables, time_zone)
    started = utc_start_time(recording, tables, time_zone)
    return Measurement(raw, form.name, started, tables, recording.metadata, tuple(findings))


def _clock_findings(
    recording: Recording, tables: dict[str, pl.DataFrame], time_zone: str | None
) -> list[Finding]:
    found = []
    if recording.started_at is None:
        sentence = "The file does not say when the test was started; files are ordered by name."
        found.append(Finding("info", "no_clock", sentence))
    elif recording.clock != "utc" and time_zone is None:
        sentence = "The instrument's time zone is not known; its local times are taken as UTC."
        found.append(Finding("info", "time_zone_unknown", sentence))
    if "timeseries" in tables:
        back = int((np.diff(tables["timeseries"]["test_time_second"].to_numpy()) < 0).sum())
        if back:
            sentence = f"The test time goes backwards {back} times; such steps count as zero time."
            found.append(Finding("warning", "time_goes_backwards", sentence, back))
    return found


def _short_message(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return text if len(text) < 160 else text[:157] + "…"
