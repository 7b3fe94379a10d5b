"""From a folder to contents: which files there are, which are new, and taking one in."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cellpipe
from cellpipe import formats
from cellpipe.analyses.half_cycle_segments import half_cycle_segments
from cellpipe.cell_sheet import NAMES as SHEET_NAMES
from cellpipe.domain import Finding, Measurement
from cellpipe.errors import CellpipeError, FileError
from cellpipe.store import Content, Ledger, SeenFile, write_table

_OTHER = """
    .mpl .mps .sdx .sdu .log .ini .md .rst .py .ipynb .m .r .sh .bat .ps1 .json .yaml .yml
    .toml .xml .html .htm .pdf .png .jpg .jpeg .gif .svg .doc .docx .ppt .pptx .tsv .parquet
    .opj .opju .zip .7z .lnk .db .exe .dll
"""  # files that lie about in a lab's folders and are no measurements
_UNFINISHED = re.compile(r"^(~\$|\.|~)|\.(tmp|part|crdownload|swp)$", re.IGNORECASE)


@dataclass(frozen=True)
class Job:
    """What to process and where to: the folder, the results, the instruments' time zone."""

    folder: Path
    out: Path
    time_zone: str | None = None

    @property
    def reading(self) -> str:
        """What a content's tables depend on besides the content."""
        return f"cellpipe {cellpipe.__version__}, time zone {self.time_zone or 'unknown'}"

    @property
    def ledger(self) -> Ledger:
        """The ledger of the results."""
        return Ledger(self.out)

    def relative(self, path: Path) -> str:
        """Give a file's path within the folder, with slashes on every system."""
        return path.relative_to(self.folder).as_posix()


@dataclass(frozen=True)
class Plan:
    """What a run has to do: files to take in, known ones, and those left alone."""

    new: tuple[Path, ...]
    known: tuple[Path, ...]
    left_alone: tuple[Path, ...]

    @property
    def files(self) -> tuple[Path, ...]:
        """All files that may be a cycler's, in the order of their paths."""
        return tuple(sorted((*self.new, *self.known), key=lambda path: path.as_posix()))


def planned(job: Job) -> Plan:
    """Walk the folder and compare it with the ledger.

    A file counts as known if its size and time are those it was read with, and the content was
    read by this version. Files of other kinds (no format claims them, and no format uses their
    suffix) are left alone.
    """
    seen = job.ledger.seen_files(job.folder)
    contents = job.ledger.contents()
    new, known, left_alone = [], [], []
    for path in _walked(job):
        status = path.stat()
        before = seen.get(job.relative(path))
        same = before and (before.size, before.modified_ns) == (status.st_size, status.st_mtime_ns)
        content = contents.get(before.sha256) if before and same else None
        if content is not None and content.reading == job.reading:
            known.append(path)
        elif _is_candidate(path):
            new.append(path)
        else:
            left_alone.append(path)
    return Plan(tuple(new), tuple(known), tuple(left_alone))


def _walked(job: Job) -> Iterator[Path]:
    """Give every file in the order of paths; the results, hidden and unfinished ones left out."""
    out = job.out.resolve()
    for root, folders, names in os.walk(job.folder):
        here = Path(root)
        folders[:] = sorted(
            name for name in folders
            if not name.startswith((".", "__")) and (here / name).resolve() != out
        )  # fmt: skip
        for name in sorted(names):
            at_top = here == job.folder and name in SHEET_NAMES
            if not (_UNFINISHED.search(name) or at_top):
                yield here / name


def _is_candidate(path: Path) -> bool:
    """Whether a file may be a cycler's: by a suffix that a format uses, or by its content."""
    suffix = path.suffix.lower()
    if suffix in formats.known_suffixes():
        return True
    if suffix in _OTHER.split():
        return False
    try:
        formats.recognised(path)
    except (CellpipeError, OSError):
        return False
    return True


def take_in(job: Job, path: Path) -> Content:
    """Read one file, write its tables, and note it in the ledger.

    A file that can't be used gives a content of status ``set aside`` with its reason.

    Raises
    ------
    OSError
        If it can't be opened now (locked, away): nothing is noted, the next run tries again.

    """
    before = path.stat()
    raw = formats.raw_file(path)
    content = job.ledger.content(raw.sha256)
    if content is None or content.reading != job.reading:
        content = _read(job, path)
    after = path.stat()
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        raise BlockingIOError(f"{path} is still being written; it is read once it rests")
    job.ledger.remember_content(content)
    seen = SeenFile(job.relative(path), after.st_size, after.st_mtime_ns, raw.sha256)
    job.ledger.remember_file(job.folder, seen)
    return content


def _read(job: Job, path: Path) -> Content:
    try:
        measurement = formats.read(path, time_zone=job.time_zone)
    except FileError as error:
        sha256 = formats.raw_file(path).sha256
        return Content(sha256, job.reading, "set aside", reason=error.reason)
    return _written(job, measurement)


def _written(job: Job, measurement: Measurement) -> Content:
    """Write a measurement's tables; give what the ledger is to remember."""
    sha256 = measurement.raw_file.sha256
    tables = dict(measurement.tables)
    if "timeseries" in tables:
        tables["half_cycle_segments"] = half_cycle_segments(tables["timeseries"], sha256)
    for name, frame in tables.items():
        write_table(job.out, name, sha256, frame)
    spectra = tables["impedance"]["spectrum"].n_unique() if "impedance" in tables else 0
    records = max(tables[name].height for name in ("timeseries", "impedance") if name in tables)
    return Content(
        sha256, job.reading, "used", measurement.format, measurement.started_at, records, spectra,
        json.dumps(dict(measurement.metadata), default=str, sort_keys=True),
        tuple(measurement.findings),
    )  # fmt: skip


def waiting_finding(path: str, error: OSError) -> Finding:
    """Say that a file could not be opened now and will be tried again."""
    sentence = f"{path} can't be opened now ({error.strerror or error}); the next run tries again."
    return Finding("warning", "file_waits", sentence)
