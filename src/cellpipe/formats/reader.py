"""Raw bytes to measurements: a file's identity, its recordings, and what a format makes of them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import polars as pl

from cellpipe.core import contracts
from cellpipe.core.errors import ContractError, DamagedFileError, FileError, NoDataError
from cellpipe.core.model import Finding, Measurement, RawFile, Recording, Rejection
from cellpipe.core.recordings.sign_correction import correct_signs
from cellpipe.core.recordings.step_types import add_step_mode
from cellpipe.formats.format import Format, Statement
from cellpipe.formats.impedance_signs import turn_reversed_spectra
from cellpipe.formats.recognition import find_format, is_disk_error, is_reader_error
from cellpipe.formats.utc import to_utc, utc_start_time
from cellpipe.system.regular_files import open_regular

_SHORT_TECHNIQUES = {
    "Potentio Electrochemical Impedance Spectroscopy": "PEIS",
    "Galvano Electrochemical Impedance Spectroscopy": "GEIS",
    "Staircase Potentio Electrochemical Impedance Spectroscopy": "SPEIS",
    "Staircase Galvano Electrochemical Impedance Spectroscopy": "SGEIS",
    "Modulo Bat": "MB",
}


def read(
    path: str | Path,
    *,
    part: str | None = None,
    time_zone: str | None = None,
    stated: Statement | None = None,
) -> Measurement:
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
    stated
        What somebody says of a plain table of spectra: its columns, where it does not name them,
        or the area of an impedance in Ω cm².

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
    raw = raw_part(raw, part) if part else raw
    return read_raw(raw, time_zone=time_zone, stated=stated)


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
    raw: RawFile,
    form: Format | None = None,
    *,
    time_zone: str | None = None,
    stated: Statement | None = None,
) -> Measurement:
    """Read a raw file whose identity, and perhaps format, is known already; see :func:`read`."""
    path = raw.path
    form = form or find_format(path, stated)
    try:
        recording = _read_recording(form, raw, stated)
        return _build_measurement(raw, form, recording, time_zone)
    except FileError as error:
        raise error.with_file(path) from error
    except ContractError as error:
        raise DamagedFileError(
            error.found, expected=error.expected, remedy=error.remedy, file=path
        ) from error
    except BaseException as e:
        if is_disk_error(e) or not is_reader_error(e):
            raise
        what = "takes more memory than there is" if isinstance(e, MemoryError) else "can't be read"
        raise DamagedFileError(
            f"content that {what} as {form.name} ({type(e).__name__}: {_short_message(e)})",
            expected=f"a whole {form.maker} {form.suffixes[0]} file",
            remedy="copy it again from the instrument, or export it again",
            file=path,
        ) from e


def _read_recording(form: Format, raw: RawFile, stated: Statement | None) -> Recording:
    if stated is not None and form.read_with_statement is not None:
        return form.read_with_statement(raw.path, stated)
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


def raw_file(path: Path) -> RawFile:
    """Return a file's identity: the sha256 of its content."""
    status = path.stat()
    with open_regular(path) as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return RawFile(path, digest, status.st_size, status.st_mtime)


def _build_measurement(
    raw: RawFile, form: Format, recording: Recording, time_zone: str | None
) -> Measurement:
    findings = [_without_rows(finding) for finding in recording.findings]
    tables: dict[str, pl.DataFrame] = {}
    rejected = [
        contracts.validate("rejected_rows", finding.rejected)
        for finding in recording.findings
        if isinstance(finding, Rejection) and finding.rejected.height
    ]
    for name, frame in recording.tables.items():
        table = to_utc(frame, recording, time_zone)
        if name == "timeseries":
            table, turned = correct_signs(add_step_mode(table))
            findings += turned
            table = _add_technique(table, recording.metadata)
        if name == "impedance":
            table, turned = turn_reversed_spectra(table)
            findings += turned
            table = _add_technique(table, recording.metadata)
        kept, bad, said = contracts.validate_rows(name, table, recording.ranges)
        tables[name] = kept
        findings += said
        if bad.height:
            rejected.append(bad)
    if rejected:
        tables["rejected_rows"] = pl.concat(rejected)
    if not any(tables[name].height for name in recording.tables):
        findings.append(Finding("info", "no_record", "The file is whole and holds no record."))
    findings += _clock_findings(recording, time_zone)
    started = utc_start_time(recording, tables, time_zone)
    return Measurement(raw, form.name, started, tables, recording.metadata, tuple(findings))


def _add_technique(table: pl.DataFrame, metadata: Mapping[str, object]) -> pl.DataFrame:
    """Add the name of the technique by which the file was measured, if it says so."""
    if metadata.get("technique") is None:
        return table
    return table.with_columns(technique=pl.lit(_short_technique(metadata)))


def _short_technique(metadata: Mapping[str, object]) -> str:
    """Return a technique's name; EC-Lab's text exports write it out, its binary files don't."""
    name = str(metadata["technique"]).strip()
    return _SHORT_TECHNIQUES.get(name, name)


def _without_rows(finding: Finding) -> Finding:
    """Return a finding without the rejected rows that it may carry."""
    return Finding(finding.level, finding.code, finding.sentence, finding.rows)


def _clock_findings(recording: Recording, time_zone: str | None) -> list[Finding]:
    found = []
    if recording.started_at is None:
        sentence = "The file does not say when the test was started; files are ordered by name."
        found.append(Finding("info", "no_clock", sentence))
    elif recording.clock != "utc" and time_zone is None:
        sentence = "The instrument's time zone is not known; its local times are taken as UTC."
        found.append(Finding("info", "time_zone_unknown", sentence))
    return found


def _short_message(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return text if len(text) < 160 else text[:157] + "…"
