"""From a folder to contents: which files there are, which are new, and taking one in."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import cellpipe
from cellpipe import contracts, formats
from cellpipe.analyses.half_cycle_segments import half_cycle_segments
from cellpipe.cell_sheet import NAMES as SHEET_NAMES
from cellpipe.domain import Measurement, RawFile
from cellpipe.errors import CellpipeError, FileError
from cellpipe.store import Content, Ledger, SeenFile, table_path, write_table

_OTHER = """
    .mpl .mps .sdx .sdu .log .ini .md .rst .py .ipynb .m .r .sh .bat .ps1 .json .yaml .yml
    .toml .xml .html .htm .pdf .png .jpg .jpeg .gif .svg .doc .docx .ppt .pptx .tsv .parquet
    .opj .opju .zip .7z .lnk .db .exe .dll
"""  # files that lie about in a lab's folders and are no measurements
READING = 2  # to be raised when the tables that are made of a file change: all are read again
SEVERAL = "several"  # status of a file that holds the recordings of several cells
_UNFINISHED = re.compile(r"^(~\$|\.|~)|\.(tmp|part|crdownload|swp)$", re.IGNORECASE)


@dataclass(frozen=True)
class Failure:
    """A file, a folder or a cell that could not be used, and why."""

    path: str
    reason: str


@dataclass(frozen=True)
class Job:
    """What to process and where to: the folder, the results, the instruments' time zone."""

    folder: Path
    out: Path
    time_zone: str | None = None

    @property
    def reading(self) -> str:
        """What a content's tables depend on besides the content."""
        return (
            f"cellpipe {cellpipe.__version__}, reading {READING}, "
            f"time zone {self.time_zone or 'unknown'}"
        )

    @cached_property
    def ledger(self) -> Ledger:
        """The ledger of the results."""
        return Ledger(self.out)

    def relative(self, path: Path) -> str:
        """Give a file's path within the folder, with slashes on every system."""
        return path.relative_to(self.folder).as_posix()

    def is_whole(self, content: Content) -> bool:
        """Whether every table of a content is there, made by this version."""
        there = (table_path(self.out, name, content.sha256).is_file() for name in content.tables)
        return content.reading == self.reading and all(there)

    def recordings(self, paths: Iterable[Path]) -> dict[str, tuple[SeenFile, Content] | None]:
        """Give what is known of the recordings in files, by the path within the folder.

        A file that holds those of several cells is named once for each, ``path#part``. None stands
        for a file that was not taken in yet.
        """
        seen, contents = self.ledger.seen_files(self.folder), self.ledger.contents()
        found: dict[str, tuple[SeenFile, Content] | None] = {}
        for path in paths:
            relative = self.relative(path)
            for name in _recordings_in(relative, seen, contents):
                file = seen.get(name)
                content = contents.get(file.sha256) if file else None
                found[name] = (file, content) if file and content else None
        return found


@dataclass(frozen=True)
class Plan:
    """What a run has to do: files to take in, known ones, those left alone.

    ``again`` counts the new ones that were read before, by another version or in another time zone.
    ``out_of_reach`` names files and folders that can't be looked at now; what was known of them is
    among the known ones.
    """

    new: tuple[Path, ...]
    known: tuple[Path, ...]
    left_alone: tuple[Path, ...]
    again: int = 0
    out_of_reach: tuple[Failure, ...] = ()

    @property
    def files(self) -> tuple[Path, ...]:
        """All files that may be a cycler's, in the order of their paths."""
        return tuple(sorted((*self.new, *self.known), key=lambda path: path.as_posix()))


def _recordings_in(
    relative: str, seen: Mapping[str, SeenFile], contents: Mapping[str, Content]
) -> list[str]:
    """Name the recordings in a file as the ledger knows them: the file itself, or its parts."""
    file = seen.get(relative)
    content = contents.get(file.sha256) if file else None
    if content is None or content.status != SEVERAL:
        return [relative]
    return [f"{relative}#{part}" for part in json.loads(content.metadata)["parts"]]


def planned(job: Job) -> Plan:
    """Walk the folder and compare it with the ledger.

    A file counts as known if its size and time are those it was read with, and the content's
    tables are there, made by this version. Files of other kinds (no format claims them, and no
    format uses their suffix) are left alone.
    """
    seen = job.ledger.seen_files(job.folder)
    contents = job.ledger.contents()
    failures: list[Failure] = []
    new: list[Path] = []
    known: list[Path] = []
    left_alone: list[Path] = []
    again = 0
    for path in _walked(job, failures):
        before = seen.get(job.relative(path))
        content = contents.get(before.sha256) if before else None
        try:
            status = path.stat()
        except OSError as error:
            failures.append(Failure(job.relative(path), cannot_be_opened(path.name, error)))
            continue
        same = before and (before.size, before.modified_ns) == (status.st_size, status.st_mtime_ns)
        names = {job.relative(path), *_recordings_in(job.relative(path), seen, contents)}
        held = (seen.get(name) for name in names)
        if same and all(
            f and f.sha256 in contents and job.is_whole(contents[f.sha256]) for f in held
        ):
            known.append(path)
        else:
            again += bool(same and content is not None and content.reading != job.reading)
            (new if _is_candidate(path) else left_alone).append(path)
    for failure in failures:
        below = (name for name in seen if f"{name}/".startswith(f"{failure.path}/"))
        known += [job.folder / name for name in below]
    return Plan(tuple(new), tuple(known), tuple(left_alone), again, tuple(failures))


def candidates(folder: Path) -> list[str]:
    """Name the files below a folder that may be a cycler's."""
    job = Job(folder, folder / "results")
    return [path.name for path in _walked(job, []) if _is_candidate(path)]


def _walked(job: Job, failures: list[Failure]) -> Iterator[Path]:
    """Give every file in the order of paths; results, hidden and unfinished ones are left out."""

    def out_of_reach(error: OSError) -> None:
        place = job.relative(Path(error.filename))
        failures.append(Failure(place, cannot_be_opened(f"the folder {place}", error)))

    for root, folders, names in os.walk(job.folder, onerror=out_of_reach):
        here = Path(root)
        folders[:] = sorted(
            name
            for name in folders
            if not name.startswith((".", "__"))
            and not _holds_results(here / name)
            and here / name != job.out
        )
        for name in sorted(names):
            at_top = here == job.folder and name.lower() in SHEET_NAMES
            if not (_UNFINISHED.search(name) or at_top):
                yield here / name


def _holds_results(folder: Path) -> bool:
    try:
        return (folder / "ledger.sqlite").is_file() and (folder / "tables").is_dir()
    except OSError:  # out of reach: the walk will say so
        return False


def _is_candidate(path: Path) -> bool:
    """Whether a file may be a cycler's: by a suffix that a format uses, or by its content."""
    suffix = path.suffix.lower()
    if path.name.lower().endswith(tuple(formats.known_suffixes())):
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

    A file that can't be used gives a content of status ``set aside`` with its reason; one that
    holds the recordings of several cells a content of status ``several``, and each of them has one
    of its own.

    Raises
    ------
    OSError
        If it can't be opened now (locked, away): nothing is noted, the next run tries again.

    """
    before = path.stat()
    raw = formats.raw_file(path)
    whole = _known_or_read(job, raw)
    parts = json.loads(whole.metadata)["parts"] if whole.status == SEVERAL else []
    named = {f"#{part}": _known_or_read(job, formats.part_of(raw, part)) for part in parts}
    after = path.stat()
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        raise BlockingIOError(11, "it is still being written")
    for suffix, content in {**named, "": whole}.items():  # the file itself last: then all is there
        job.ledger.remember_content(content)
        name = f"{job.relative(path)}{suffix}"
        seen = SeenFile(name, after.st_size, after.st_mtime_ns, content.sha256)
        job.ledger.remember_file(job.folder, seen)
    return whole


def _known_or_read(job: Job, raw: RawFile) -> Content:
    content = job.ledger.content(raw.sha256)
    return content if content is not None and job.is_whole(content) else _read(job, raw)


def _read(job: Job, raw: RawFile) -> Content:
    try:
        form = formats.recognised(raw.path)
        parts = formats.parts(raw.path, form) if raw.part is None else ()
        if parts:
            return Content(raw.sha256, job.reading, SEVERAL, metadata=json.dumps({"parts": parts}))
        measurement = formats.read_raw(raw, form, time_zone=job.time_zone)
    except FileError as error:
        return Content(raw.sha256, job.reading, "set aside", reason=error.reason)
    return _written(job, measurement)


def _written(job: Job, measurement: Measurement) -> Content:
    """Write a measurement's tables; give what the ledger is to remember."""
    sha256 = measurement.raw_file.sha256
    tables = dict(measurement.tables)
    span = throughput = None
    if "timeseries" in tables:
        made = half_cycle_segments(tables["timeseries"], sha256)
        segments = contracts.checked("half_cycle_segments", made)
        tables["half_cycle_segments"] = segments
        times = tables["timeseries"]["test_time_second"]
        span = float(times[-1] - times[0]) if len(times) else 0.0
        throughput = float(segments["capacity_ah"].sum())
    for name, frame in tables.items():
        write_table(job.out, name, sha256, frame)
    spectra = tables["impedance"]["spectrum"].n_unique() if "impedance" in tables else 0
    records = max(tables[name].height for name in ("timeseries", "impedance") if name in tables)
    return Content(
        sha256, job.reading, "used", measurement.format, measurement.started_at, records, spectra,
        span, throughput, tuple(tables),
        json.dumps(dict(measurement.metadata), default=str, sort_keys=True),
        tuple(measurement.findings),
    )  # fmt: skip


def cannot_be_opened(what: str, error: OSError) -> str:
    """Say that something can't be opened now and will be tried again."""
    return f"{what} can't be opened now ({error.strerror or error}); the next run tries again."
