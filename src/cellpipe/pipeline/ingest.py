"""Ingest one file: read it, write its tables, and say what the ledger is to record."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl

from cellpipe import formats
from cellpipe.analyses.half_cycle_segments import half_cycle_segments
from cellpipe.core import contracts
from cellpipe.core.errors import ContractError, FileError
from cellpipe.core.model import Finding, Measurement, RawFile
from cellpipe.pipeline.plan import NewFile, is_current, reading_key
from cellpipe.store import Content, ResultFile, SeenFile, write_table
from cellpipe.store.lab import Lab
from cellpipe.store.manifest import describe_file
from cellpipe.store.records import Extent
from cellpipe.store.snapshot import SEVERAL
from cellpipe.system.change_time import change_time_ns
from cellpipe.system.own_folder import unfinished_name


@dataclass(frozen=True)
class IngestResult:
    """What ingesting a file gave: the file and its parts, their contents, and what was written.

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


def ingest_file(lab: Lab, file: NewFile) -> IngestResult:
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
        return _Ingestion(lab, file).ingest(file.path)
    except BlockingIOError:
        with _temporary_copy(lab, file.path) as copy:
            return _Ingestion(lab, file).ingest(copy)


@contextmanager
def _temporary_copy(lab: Lab, path: Path) -> Iterator[Path]:
    """Copy a file that is being written, with its time and the log beside it."""
    folder = lab.results / unfinished_name("copy")
    folder.mkdir()
    try:
        copy = folder / path.name
        before = path.stat()
        for companion in (*formats.companion_paths(path), path):
            if companion.is_file():
                shutil.copyfile(companion, copy.with_name(companion.name))
        os.utime(copy, ns=(before.st_atime_ns, before.st_mtime_ns))  # it may be another by now
        yield copy
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class _Ingestion:
    """One file on its way, with what was read and written so far."""

    def __init__(self, lab: Lab, file: NewFile) -> None:
        self._lab = lab
        self._path = file.path
        self._known = {content.sha256: content for content in file.known}
        self._written: list[ResultFile] = []
        self._read: set[str] = set()

    def ingest(self, source: Path) -> IngestResult:
        changed_ns = change_time_ns(str(self._path), self._path.stat())  # of a copy's original, too
        before = source.stat()
        raw = formats.raw_file(source)
        whole = self._find_or_read(raw)
        parts = json.loads(whole.metadata)["parts"] if whole.status == SEVERAL else []
        named = {f"#{part}": self._find_or_read(formats.raw_part(raw, part)) for part in parts}
        after = source.stat()
        if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
            raise BlockingIOError(11, "it is still being written")
        contents = {**named, "": whole}  # the file itself last: then all is there
        name = self._lab.relative_name(self._path)
        files = tuple(
            SeenFile(f"{name}{part}", after.st_size, after.st_mtime_ns, content.sha256, changed_ns)
            for part, content in contents.items()
        )
        return IngestResult(
            files, tuple(contents.values()), tuple(self._written), frozenset(self._read)
        )

    def _find_or_read(self, raw: RawFile) -> Content:
        content = self._known.get(raw.sha256)
        if content is not None and is_current(self._lab, content):
            return content
        start = time.perf_counter()
        content = self._read_content(raw)
        self._read.add(raw.sha256)
        return replace(content, seconds=round(time.perf_counter() - start, 4))

    def _read_content(self, raw: RawFile) -> Content:
        lab = self._lab
        try:
            form = formats.find_format(raw.path)
            parts = formats.parts(raw.path, form) if raw.part is None else ()
            if parts:
                return Content(
                    raw.sha256, reading_key(lab, form.name), SEVERAL, form.name,
                    metadata=json.dumps({"parts": parts}),
                )  # fmt: skip
            measurement = formats.read_raw(raw, form, time_zone=lab.time_zone)
            tables, findings = _add_segments(measurement)
        except (FileError, ContractError) as error:
            key = reading_key(lab, None)
            return Content(raw.sha256, key, "set aside", reason=error.reason.without_file())
        return self._write_tables(measurement, tables, findings)

    def _write_tables(
        self, measurement: Measurement, tables: dict[str, pl.DataFrame], findings: list[Finding]
    ) -> Content:
        """Write a measurement's tables; return what the ledger is to record."""
        sha256 = measurement.raw_file.sha256
        span = throughput = extent = None
        if "timeseries" in tables:
            extent = _extent(tables["timeseries"])
            times = tables["timeseries"]["test_time_second"]
            span = float(times[-1] - times[0]) if len(times) else 0.0
            throughput = float(tables["half_cycle_segments"]["capacity_ah"].sum())
        folder = self._lab.results
        for name, frame in tables.items():
            path = write_table(folder, name, sha256, frame)
            self._written.append(describe_file(folder, path))
        spectra = tables["impedance"]["spectrum"].n_unique() if "impedance" in tables else 0
        records = max(tables[name].height for name in ("timeseries", "impedance") if name in tables)
        return Content(
            sha256, reading_key(self._lab, measurement.format), "used", measurement.format,
            measurement.started_at, records, spectra, span, throughput, tuple(tables),
            json.dumps(dict(measurement.metadata), default=str, sort_keys=True),
            tuple(findings), extent=extent,
        )  # fmt: skip


def _extent(timeseries: pl.DataFrame) -> Extent | None:
    """Return where a time series begins and ends; None if it holds no record."""
    if timeseries.is_empty():
        return None
    test, number = timeseries["test_time_second"], timeseries["record_index"]
    clock = timeseries.get_column("unix_time_second", default=pl.Series([None])).drop_nulls()
    ends = (float(clock[0]), float(clock[-1])) if len(clock) else None
    return Extent((float(test[0]), float(test[-1])), (int(number[0]), int(number[-1])), ends)


def _add_segments(measurement: Measurement) -> tuple[dict[str, pl.DataFrame], list[Finding]]:
    """Return a measurement's tables with its half-cycle segments, and the findings about them.

    Raises
    ------
    ContractError
        If its segments are not what a segment can be.

    """
    tables, findings = dict(measurement.tables), list(measurement.findings)
    if "timeseries" in tables:
        made = half_cycle_segments(tables["timeseries"], measurement.raw_file.sha256)
        tables["half_cycle_segments"], unusual = contracts.judge("half_cycle_segments", made)
        findings += unusual
    return tables, findings
