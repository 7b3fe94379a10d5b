"""From a folder to contents: which files there are, which are new, and taking one in."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache, cached_property
from pathlib import Path

from cellpipe import formats
from cellpipe._version import __version__
from cellpipe.analyses.half_cycle_segments import half_cycle_segments
from cellpipe.core import contracts
from cellpipe.core.errors import CellpipeError, FileError
from cellpipe.core.model import Measurement, RawFile
from cellpipe.store import Content, Ledger, ResultFile, SeenFile, table_path, write_table
from cellpipe.store.failures import FileFailure
from cellpipe.store.history import Event
from cellpipe.store.manifest import describe_file, result_file_names
from cellpipe.system.scan import Entry, Failure, RawFolders, is_lab_file

READING = 3  # to be raised when the tables that are made of a file change: all are read again
SEVERAL = "several"  # status of a file that holds the recordings of several cells


@dataclass(frozen=True)
class Job:
    """What to process and where to: the folders, the results, the instruments' time zone.

    ``folder`` holds the cell sheet; ``also`` are more folders with raw files of the same lab.
    """

    folder: Path
    out: Path
    time_zone: str | None = None
    also: tuple[Path, ...] = ()

    @property
    def reading(self) -> str:
        """What a content's tables depend on besides the content."""
        return f"cellpipe {__version__}, reading {READING}, time zone {self.time_zone or 'unknown'}"

    @cached_property
    def ledger(self) -> Ledger:
        """The ledger of the results."""
        return Ledger(self.out)

    @cached_property
    def raw(self) -> RawFolders:
        """The folders with raw files, and the names of what is in them."""
        return RawFolders(self.folder, self.also, (self.out,))

    def relative_name(self, path: Path) -> str:
        """Return a file's path within the folder, with slashes on every system."""
        return self.raw.relative_name(path)

    def has_tables(self, content: Content) -> bool:
        """Return whether every table of a content is there, made by this version."""
        there = (table_path(self.out, name, content.sha256).is_file() for name in content.tables)
        return content.reading == self.reading and all(there)

    def recordings(self, paths: Iterable[Path]) -> dict[str, tuple[SeenFile, Content] | None]:
        """Return what is known of the recordings in files, by the path within the folder.

        A file that holds those of several cells is named once for each, ``path#part``. None stands
        for a file that was not taken in yet.
        """
        seen, contents = self.ledger.seen_files(self.folder), self.ledger.contents()
        found: dict[str, tuple[SeenFile, Content] | None] = {}
        for path in paths:
            relative = self.relative_name(path)
            for name in _recording_names(relative, seen, contents):
                file = seen.get(name)
                content = contents.get(file.sha256) if file else None
                found[name] = (file, content) if file and content else None
        return found


@dataclass(frozen=True)
class Plan:
    """What a run has to do: files to take in, known ones, those left alone.

    ``again`` counts the new ones that were read before, by another version or in another time zone.
    ``unreachable`` names files and folders that can't be looked at now; what was known of them is
    among the known ones. ``resting`` are those that failed three times in the same way and did not
    change. ``walk`` tells one state of the folders from another. ``asked`` says that certain files
    were asked for: those of them that are not there are gone.
    """

    new: tuple[Path, ...]
    known: tuple[Path, ...]
    ignored: tuple[Path, ...]
    reread: int = 0
    unreachable: tuple[Failure, ...] = ()
    suspended: tuple[tuple[Path, Failure], ...] = ()
    walk: str = ""
    is_partial: bool = False

    @property
    def files(self) -> tuple[Path, ...]:
        """All files that may be a cycler's, in the order of their paths."""
        paths = (*self.new, *self.known, *(path for path, _ in self.suspended))
        return tuple(sorted(paths, key=lambda path: path.as_posix()))


def _recording_names(
    relative: str, seen: Mapping[str, SeenFile], contents: Mapping[str, Content]
) -> list[str]:
    """Name the recordings in a file as the ledger knows them: the file itself, or its parts."""
    file = seen.get(relative)
    content = contents.get(file.sha256) if file else None
    if content is None or content.status != SEVERAL:
        return [relative]
    return [f"{relative}#{part}" for part in json.loads(content.metadata)["parts"]]


def recording_file(
    recording: str, seen: Mapping[str, SeenFile], contents: Mapping[str, Content]
) -> str:
    """Name the file that a recording is in: itself, or what holds those of several cells."""
    whole = recording.rpartition("#")[0]
    return whole if recording in _recording_names(whole, seen, contents) else recording


def plan_all(job: Job) -> Plan:
    """Walk the folders and compare them with the ledger; see :func:`plan_entries`."""
    entries, unreachable = job.raw.walk()
    return plan_entries(job, entries, unreachable, job.raw.digest(entries))


def plan_entries(
    job: Job, entries: Sequence[Entry], unreachable: Sequence[Failure], walk: str = ""
) -> Plan:
    """Compare what a walk found with the ledger.

    A file counts as known if its size and time are those it was read with, and the content's
    tables are there, made by this version. Files of other kinds (no format claims them, and no
    format uses their suffix) are left alone, and so are links that lead out of the folder.
    """
    seen = job.ledger.seen_files(job.folder)
    contents = job.ledger.contents()
    failed = job.ledger.file_failures()
    new: list[Path] = []
    known: list[Path] = []
    left_alone: list[Path] = []
    resting: list[tuple[Path, Failure]] = []
    again = 0

    @cache  # of thousands of contents, those of the files that are asked for
    def is_whole(sha256: str) -> bool:
        return sha256 in contents and job.has_tables(contents[sha256])

    for entry in entries:
        before = seen.get(entry.name)
        content = contents.get(before.sha256) if before else None
        same = before and (before.size, before.modified_ns) == (entry.size, entry.modified_ns)
        names = {entry.name, *_recording_names(entry.name, seen, contents)}
        fault = failed.get(entry.name)
        if entry.is_external:
            left_alone.append(entry.path)
        elif same and all(name in seen and is_whole(seen[name].sha256) for name in names):
            known.append(entry.path)
        elif fault and fault.is_suspended(entry.size, entry.modified_ns, job.reading):
            resting.append((entry.path, Failure(entry.name, suspension_message(fault))))
        else:
            again += bool(same and content is not None and content.reading != job.reading)
            (new if _is_candidate(entry.path) else left_alone).append(entry.path)
    emptied = job.raw.find_empty_roots(entries, seen) if walk else []
    unreachable = [*unreachable, *emptied]
    there = {entry.name for entry in entries}
    for failure in unreachable:
        known += [
            job.raw.path(name)
            for name in seen
            if name not in there and job.raw.is_below(name, failure.path)
        ]
    return Plan(
        tuple(new), tuple(known), tuple(left_alone), again, tuple(unreachable), tuple(resting),
        walk,
    )  # fmt: skip


def plan_files(job: Job, paths: Sequence[Path]) -> Plan:
    """Plan for these files alone: what else is known of the folders is taken as it was."""
    seen = job.ledger.seen_files(job.folder)
    wanted = {job.relative_name(path): path for path in paths}
    wanted = {name: path for name, path in wanted.items() if not is_lab_file(name)}
    wanted |= {name: job.raw.path(name) for name in _files_without_tables(job, seen)}
    entries, failures = job.raw.stat_files(wanted)
    plan = plan_entries(job, entries, failures)
    contents = job.ledger.contents()
    rest = sorted({recording_file(name, seen, contents) for name in seen} - wanted.keys())
    known = (*plan.known, *(job.raw.path(name) for name in rest))
    failed = [
        (job.raw.path(name), Failure(name, fault.reason))
        for name, fault in sorted(job.ledger.file_failures().items())
        if name not in wanted and name not in rest
    ]
    return replace(plan, known=known, suspended=(*plan.suspended, *failed), is_partial=True)


def _files_without_tables(job: Job, seen: Mapping[str, SeenFile]) -> set[str]:
    """Name the files whose tables are not all there (removed, or damaged and put aside)."""
    there = set(result_file_names(job.out))
    contents = job.ledger.contents()
    tables = {
        content.sha256: [f"tables/{name}/{content.sha256}.parquet" for name in content.tables]
        for content in contents.values()
    }
    lost = {sha256 for sha256, names in tables.items() if not there.issuperset(names)}
    return {
        recording_file(name, seen, contents) for name, file in seen.items() if file.sha256 in lost
    }


def find_candidates(folder: Path) -> list[str]:
    """Name the files below a folder that may be a cycler's."""
    entries, _ = RawFolders(folder, (), ()).walk()
    paths = [entry.path for entry in entries if not is_lab_file(entry.path.name)]
    return [path.name for path in paths if _is_candidate(path)]


def _is_candidate(path: Path) -> bool:
    """Return whether a file may be a cycler's: by a suffix that a format uses, or by its content."""
    if formats.has_known_suffix(path.name):
        return True
    if formats.has_foreign_suffix(path.name):
        return False
    try:
        formats.find_format(path)
    except (CellpipeError, OSError):
        return False
    return True


@dataclass(frozen=True)
class IngestResult:
    """What taking a file in gave, for the ledger: the file and its parts, and what was written.

    ``read`` are the contents that were not known before.
    """

    files: tuple[SeenFile, ...]
    contents: tuple[Content, ...]
    written: tuple[ResultFile, ...] = ()
    read: frozenset[str] = frozenset()

    @property
    def file_content(self) -> Content:
        """The content of the file itself."""
        return self.contents[-1]


def ingest_file(job: Job, path: Path) -> IngestResult:
    """Read one file and write its tables; the ledger is left as it is.

    A file that can't be used gives a content of status ``set aside`` with its reason; one that
    holds the recordings of several cells a content of status ``several``, and each of them has one
    of its own. A file that is written to while it is read is read from a copy.

    Raises
    ------
    OSError
        If it can't be opened now (locked, away): the next run tries again.
    StoreError
        If the tables can't be written.

    """
    try:
        return _ingest(job, path, path)
    except BlockingIOError:
        with _temporary_copy(job, path) as copy:
            return _ingest(job, path, copy)


def _ingest(job: Job, path: Path, source: Path) -> IngestResult:
    before = source.stat()
    raw = formats.raw_file(source)
    written: list[ResultFile] = []
    read: set[str] = set()
    whole = _find_or_read(job, raw, written, read)
    parts = json.loads(whole.metadata)["parts"] if whole.status == SEVERAL else []
    named = {
        f"#{part}": _find_or_read(job, formats.raw_part(raw, part), written, read)
        for part in parts
    }  # fmt: skip
    after = source.stat()
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        raise BlockingIOError(11, "it is still being written")
    contents = {**named, "": whole}  # the file itself last: then all is there
    name = job.relative_name(path)
    files = tuple(
        SeenFile(f"{name}{part}", after.st_size, after.st_mtime_ns, content.sha256)
        for part, content in contents.items()
    )
    return IngestResult(files, tuple(contents.values()), tuple(written), frozenset(read))


@contextmanager
def _temporary_copy(job: Job, path: Path) -> Iterator[Path]:
    """Return a copy of a file that is being written, with its time and the log beside it."""
    with tempfile.TemporaryDirectory(dir=job.out, prefix=".", suffix=".tmp") as folder:
        copy = Path(folder) / path.name
        before = path.stat()
        for beside in (*formats.companion_paths(path), path):
            if beside.is_file():
                shutil.copyfile(beside, copy.with_name(beside.name))
        os.utime(copy, ns=(before.st_atime_ns, before.st_mtime_ns))  # it may be another by now
        yield copy


def record_ingest(job: Job, result: IngestResult) -> None:
    """Note in the ledger what taking a file in gave."""
    events = []
    for file, content in zip(result.files, result.contents, strict=True):
        event = "read" if content.sha256 in result.read else "known content"
        event = "set aside" if content.status == "set aside" else event
        seconds = content.seconds if event == "read" else None
        events.append(
            Event(file.path, event, content.sha256, content.reason, seconds=seconds)
        )  # fmt: skip
    job.ledger.record_files(job.folder, result.files, result.contents, result.written, events)


def _find_or_read(job: Job, raw: RawFile, written: list[ResultFile], read: set[str]) -> Content:
    content = job.ledger.content(raw.sha256)
    if content is not None and job.has_tables(content):
        return content
    begun = time.perf_counter()
    content = _read_content(job, raw, written)
    read.add(raw.sha256)
    return replace(content, seconds=round(time.perf_counter() - begun, 4))


def _read_content(job: Job, raw: RawFile, written: list[ResultFile]) -> Content:
    try:
        form = formats.find_format(raw.path)
        parts = formats.parts(raw.path, form) if raw.part is None else ()
        if parts:
            return Content(raw.sha256, job.reading, SEVERAL, metadata=json.dumps({"parts": parts}))
        measurement = formats.read_raw(raw, form, time_zone=job.time_zone)
    except FileError as error:
        return Content(raw.sha256, job.reading, "set aside", reason=error.reason)
    return _write_tables(job, measurement, written)


def _write_tables(job: Job, measurement: Measurement, written: list[ResultFile]) -> Content:
    """Write a measurement's tables; give what the ledger is to remember."""
    sha256 = measurement.raw_file.sha256
    tables = dict(measurement.tables)
    span = throughput = None
    if "timeseries" in tables:
        made = half_cycle_segments(tables["timeseries"], sha256)
        segments = contracts.validate("half_cycle_segments", made)
        tables["half_cycle_segments"] = segments
        times = tables["timeseries"]["test_time_second"]
        span = float(times[-1] - times[0]) if len(times) else 0.0
        throughput = float(segments["capacity_ah"].sum())
    for name, frame in tables.items():
        written.append(describe_file(job.out, write_table(job.out, name, sha256, frame)))
    spectra = tables["impedance"]["spectrum"].n_unique() if "impedance" in tables else 0
    records = max(tables[name].height for name in ("timeseries", "impedance") if name in tables)
    return Content(
        sha256, job.reading, "used", measurement.format, measurement.started_at, records, spectra,
        span, throughput, tuple(tables),
        json.dumps(dict(measurement.metadata), default=str, sort_keys=True),
        tuple(measurement.findings),
    )  # fmt: skip


def open_failure_message(what: str, error: OSError) -> str:
    """Say that something can't be opened now and will be tried again."""
    return f"{what} can't be opened now ({error.strerror or error}); the next run tries again."


def suspension_message(fault: FileFailure) -> str:
    """Say why a file is left alone, and until when."""
    return (
        f"{fault.reason.rstrip('.')}: {fault.attempts} times in a row, so it rests until it changes, "
        "cellpipe is renewed, or cellpipe retry names it."
    )
