"""Which files make up which cell, in the order of time, and the tables they bring."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from cellpipe import analyses, contracts
from cellpipe.baselines import table1
from cellpipe.cell_sheet import CellSheet, cell_id_from_name, cells_of
from cellpipe.domain import Cell, Finding
from cellpipe.intake import Job
from cellpipe.store import Content, read_table

_NEVER = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True)
class InputFile:
    """A file of a cell: its path within the folder, its size and what reading it gave."""

    path: str
    size: int
    content: Content


@dataclass(frozen=True)
class CellInputs:
    """A cell with its files in the order of time."""

    cell: Cell
    files: tuple[InputFile, ...]
    findings: tuple[Finding, ...] = ()

    @property
    def fingerprint(self) -> str:
        """What the cell's tables depend on: contents, sheet row, versions."""
        described = {
            "cell": asdict(self.cell),
            "files": [(f.path, f.content.sha256, f.content.reading) for f in self.files],
            "analyses": analyses.versions(),
        }
        text = json.dumps(described, sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()


@dataclass
class _Group:
    cell: Cell
    files: list[InputFile] = field(default_factory=list)


def grouped(
    job: Job, paths: Sequence[Path], sheet: CellSheet
) -> tuple[list[CellInputs], list[Finding]]:
    """Give every cell that has a usable file, in the order of ids, and what has to be said.

    A file belongs to the cell whose pattern in the sheet matches its name or path; without one,
    to a cell named by its file name. A file that two rows claim belongs to neither. Ids that
    differ only in case name one cell.
    """
    seen = job.ledger.seen_files(job.folder)
    contents = job.ledger.contents()
    groups: dict[str, _Group] = {}
    findings: list[Finding] = []
    for path in paths:
        relative = job.relative(path)
        file = seen.get(relative)
        content = contents.get(file.sha256) if file else None
        if file is None or content is None or content.status != "used":
            continue
        claims = cells_of(path.name, relative, sheet.cells)
        if len(claims) > 1:
            ids = " and ".join(cell.cell_id for cell in claims)
            sentence = f"{relative} matches the Files of {ids}; it is used for neither."
            findings.append(Finding("error", "file_of_two_cells", sentence))
            continue
        cell = claims[0] if claims else Cell(cell_id_from_name(path.stem), in_sheet=False)
        group = groups.setdefault(cell.cell_id.casefold(), _Group(cell))
        group.files.append(InputFile(relative, file.size, content))
    findings += _without_files(sheet, groups)
    return [_ordered(groups[name]) for name in sorted(groups)], findings


def _without_files(sheet: CellSheet, groups: dict[str, _Group]) -> list[Finding]:
    return [
        Finding("warning", "cell_without_files", f"No usable file was found for {cell.cell_id}.")
        for cell in sheet.cells
        if cell.cell_id.casefold() not in groups
    ]


def _ordered(group: _Group) -> CellInputs:
    """Put files in the order of time, each content and each recording once."""
    findings: list[Finding] = []
    kept: list[InputFile] = []
    for file in sorted(group.files, key=_time_then_name):
        twin = next((k for k in kept if _same_recording(k, file)), None)
        if twin is None:
            kept.append(file)
            continue
        better, other = _preferred(twin, file)
        kept[kept.index(twin)] = better
        sentence = f"{other.path} holds the same recording as {better.path}; the latter is used."
        findings.append(Finding("info", "same_recording", sentence))
    return CellInputs(group.cell, tuple(kept), tuple(findings))


def _time_then_name(file: InputFile) -> tuple[datetime, str]:
    return file.content.started_at or _NEVER, file.path


def _same_recording(one: InputFile, other: InputFile) -> bool:
    """Whether two files are one content, or two exports that begin at the same second."""
    a, b = one.content, other.content
    if a.sha256 == b.sha256:
        return True
    if a.started_at is None or b.started_at is None or not (a.records and b.records):
        return False
    together = abs((a.started_at - b.started_at).total_seconds()) < 1
    same_kind = bool(a.spectra) == bool(b.spectra)
    to_the_day = any(f.code == "start_known_to_the_day" for f in (*a.findings, *b.findings))
    return together and same_kind and not to_the_day


def _preferred(one: InputFile, other: InputFile) -> tuple[InputFile, InputFile]:
    """Prefer the longer recording, then the instrument's own binary file."""

    def rank(file: InputFile) -> tuple[int, bool]:
        binary = (file.content.format or "").endswith(("_mpr", "_res", "_nda", "_ndax"))
        return file.content.records or 0, binary

    return (other, one) if rank(other) > rank(one) else (one, other)


def input_tables(job: Job, inputs: CellInputs) -> dict[str, pl.DataFrame]:
    """Gather a cell's raw tables from the store, with their files, spectra numbered through."""
    gathered: dict[str, pl.DataFrame] = {"baselines": table1(), "files": file_rows(inputs)}
    for name in ("timeseries", "impedance", "half_cycle_segments"):
        parts = []
        for file in inputs.files:
            frame = read_table(job.out, name, file.content.sha256)
            if frame is not None and frame.height:
                parts.append(frame.with_columns(file_sha256=pl.lit(file.content.sha256)))
        blank = contracts.empty(name).with_columns(file_sha256=pl.lit("", pl.String))
        gathered[name] = pl.concat([blank, *parts], how="diagonal")
    gathered["impedance"] = _numbered_spectra(gathered["impedance"])
    return gathered


def _numbered_spectra(impedance: pl.DataFrame) -> pl.DataFrame:
    """Number spectra through the files of a cell, by absolute time where every file has a clock."""
    place = ["file_sha256", "spectrum"]
    first = impedance.group_by(place, maintain_order=True).agg(
        _start=pl.col("unix_time_second").first()
        if "unix_time_second" in impedance.columns
        else pl.lit(None, pl.Float64)
    )
    if not first["_start"].null_count():
        first = first.sort("_start", maintain_order=True)
    numbers = first.select(*place).with_row_index("_number", offset=1)
    return (
        impedance.join(numbers, on=place, how="left", maintain_order="left")
        .rename({"spectrum": "spectrum_in_file"})
        .with_columns(spectrum=pl.col("_number").cast(pl.Int64))
        .drop("_number")
        .sort("spectrum", maintain_order=True)
    )


def file_rows(inputs: CellInputs) -> pl.DataFrame:
    """Give the rows of the table ``files`` for a cell's files."""
    rows = [
        {
            "path": file.path, "file_sha256": file.content.sha256,
            "cell_id": inputs.cell.cell_id, "status": "used", "format": file.content.format,
            "size_byte": file.size, "records": file.content.records,
            "spectra": file.content.spectra, "started_at": file.content.started_at, "reason": None,
        }
        for file in inputs.files
    ]  # fmt: skip
    return pl.DataFrame(rows, schema=contracts.empty("files").schema)
