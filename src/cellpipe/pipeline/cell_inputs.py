"""Which files make up which cell, in the order of time, and the tables they bring."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import polars as pl

from cellpipe import analyses
from cellpipe.cell_sheet.row import to_nfc
from cellpipe.cell_sheet.sheet import CellSheet, PatternIndex, cell_id_from_name
from cellpipe.core import contracts
from cellpipe.core.errors import CellpipeError
from cellpipe.core.model import Cell, Finding
from cellpipe.pipeline.cell_history import InputFile, order_files
from cellpipe.pipeline.joined_recordings import join_recordings, recording_segments
from cellpipe.pipeline.overlaps import Overlaps
from cellpipe.pipeline.sheet_snapshot import SheetSnapshot
from cellpipe.store import LAB, CellEntry, read_table
from cellpipe.store.lab import Lab
from cellpipe.store.snapshot import LedgerSnapshot


@dataclass(frozen=True)
class CellInputs:
    """A cell with its files in the order of time; ``baselines`` is a digest of its company."""

    cell: Cell
    files: tuple[InputFile, ...]
    findings: tuple[Finding, ...] = ()
    baselines: str = ""

    @property
    def contents(self) -> tuple[str, ...]:
        """The contents that make up the cell."""
        return tuple(file.content.sha256 for file in self.files)


@dataclass(frozen=True)
class CellTask:
    """A cell to compute, what is known of it from before, and the day of the run."""

    inputs: CellInputs
    entry: CellEntry | None = None
    day: datetime | None = None

    @property
    def records(self) -> int:
        """How many records its files hold."""
        return sum(file.content.records or 0 for file in self.inputs.files)


@dataclass(frozen=True)
class Grouping:
    """Which files make up which cell, which are not used and why, and what has to be said."""

    cells: tuple[CellInputs, ...]
    unused: Mapping[str, tuple[str, str]]  # path: status, reason
    findings: tuple[Finding, ...]


@dataclass
class _Group:
    cell: Cell
    files: list[InputFile] = field(default_factory=list)


def group_files(
    state: LedgerSnapshot,
    names: Iterable[str],
    sheet: SheetSnapshot,
    overlaps: Overlaps | None = None,
    told: Mapping[str, Sequence[Finding]] | None = None,
) -> Grouping:
    """Put files together to cells, in the order of ids.

    A file belongs to the cell whose pattern in the sheet matches its name or path; else to the row
    without a pattern that a folder on its path, a value of its own metadata or its name names, in
    this order; else to a cell named by its file name. A file that two rows claim is used for
    neither, one that no pattern of the sheet's cell of its name matches is not used, and channels
    of one workbook that one row claims together are not either. Ids that differ only in case name
    one cell. Without ``overlaps``, files that were not compared yet are taken to share nothing.
    What the sheet says of a cell that has files is among its findings, and so is what ``told`` has:
    what only the lab as a whole tells of it, by its ID.
    """
    files = _usable_files(state, names)
    patterns = PatternIndex(sheet.cells)
    by_pattern = {f.path: patterns.find_cells(Path(f.path).name, f.path) for f in files}
    named = _cell_names(files, by_pattern)
    sheet_ids = {cell.cell_id.casefold(): cell.cell_id for cell in sheet.cells}
    groups: dict[str, _Group] = {}
    open_ids = {cell.cell_id.casefold(): cell for cell in sheet.cells if not cell.patterns}
    claimed = {
        f.path: by_pattern[f.path] or _find_claims(f, named.get(f.path), open_ids) for f in files
    }
    unused = _ambiguous_parts({path: one[0] for path, one in claimed.items() if len(one) == 1})
    for file in files:
        if file.path in unused:
            continue
        claims = claimed[file.path]
        key = claims[0].cell_id.casefold() if claims else named[file.path].casefold()
        if len(claims) > 1:
            ids = " and ".join(cell.cell_id for cell in claims)
            unused[file.path] = ("set aside", f"It matches the Files of {ids}: used for neither.")
        elif not claims and key in sheet_ids:
            reason = f"No pattern under Files matches it in the cell sheet's row {sheet_ids[key]}."
            unused[file.path] = ("set aside", reason)
        else:
            cell = claims[0] if claims else Cell(named[file.path], in_sheet=False)
            groups.setdefault(key, _Group(cell)).files.append(file)
    cells = []
    overlaps = Overlaps(state) if overlaps is None else overlaps
    of_sheet = _findings_by_cell(sheet.findings)
    for key in sorted(groups):
        kept, said = order_files(groups[key].files, unused, overlaps)
        cell = groups[key].cell
        said = (*of_sheet.get(key, ()), *said, *(told or {}).get(cell.cell_id, ()))
        cells.append(CellInputs(cell, kept, said, sheet.baselines))
    return Grouping(
        tuple(cells),
        unused,
        (*_missing_file_findings(sheet, groups), *_shared_content_findings(cells)),
    )


def _findings_by_cell(findings: Iterable[Finding]) -> dict[str, tuple[Finding, ...]]:
    """Return what the sheet says of single cells, by their IDs without regard to case."""
    found: dict[str, tuple[Finding, ...]] = {}
    for finding in findings:
        if finding.cell_id is not None:
            key = finding.cell_id.casefold()
            found[key] = (*found.get(key, ()), finding)
    return found


def expected_cells(names: Iterable[str], sheet: CellSheet) -> dict[str, str]:
    """Return the cell that each file probably belongs to, from its path alone, before it is read.

    Parts and channels of one name count as one cell. What is in a file may make it another's
    (:func:`group_files`): this is good for an order of work, and for nothing else.
    """
    patterns = PatternIndex(sheet.cells)
    open_ids = {cell.cell_id.casefold() for cell in sheet.cells if not cell.patterns}
    found = {}
    for name in names:
        claims = patterns.find_cells(Path(name).name, name)
        parents = (to_nfc(each).strip().casefold() for each in reversed(Path(name).parent.parts))
        known = claims[0].cell_id if claims else next((p for p in parents if p in open_ids), None)
        found[name] = (known or cell_id_from_name(Path(name).stem)[0]).casefold()
    return found


def _usable_files(state: LedgerSnapshot, names: Iterable[str]) -> list[InputFile]:
    return [
        InputFile(file.path, file.size, content)
        for file, content in filter(None, (known for _, known in state.recordings(names)))
        if content.status == "used"
    ]


def _cell_names(
    files: Sequence[InputFile], by_pattern: Mapping[str, Sequence[Cell]]
) -> dict[str, str]:
    """Name the cell of each file that no row claims; channels tell cells of one name apart."""
    names = {file.path: _name_and_channel(file.path) for file in files if not by_pattern[file.path]}
    channels: dict[str, set[str | None]] = {}
    for name, channel in names.values():
        channels.setdefault(name.casefold(), set()).add(channel)
    return {
        path: f"{name}_{channel}" if channel and len(channels[name.casefold()]) > 1 else name
        for path, (name, channel) in names.items()
    }


def _find_claims(file: InputFile, named: str | None, open_ids: Mapping[str, Cell]) -> list[Cell]:
    """Return the cell of the sheet that a file belongs to though no pattern says so."""
    if named is None or not open_ids:
        return []
    said = json.loads(file.content.metadata)
    names = [
        *reversed(Path(to_nfc(file.path)).parent.parts),
        *(to_nfc(value) for value in said.values() if isinstance(value, str)),
        named,
    ]
    found = next((name for name in names if name.strip().casefold() in open_ids), None)
    return [open_ids[found.strip().casefold()]] if found else []


def _name_and_channel(path: str) -> tuple[str, str | None]:
    name, channel = cell_id_from_name(Path(path).stem)
    return name, _part_name(path) or channel


def _part_name(path: str) -> str | None:
    """Name the part of the file that a recording is; it stands behind the file's suffix."""
    return Path(path).suffix.partition("#")[2] or None


def _ambiguous_parts(claims: Mapping[str, Cell]) -> dict[str, tuple[str, str]]:
    """Return the parts of a file that one row claims together: they are different cells."""
    owners: dict[tuple[str, str], list[str]] = {}
    for path, cell in claims.items():
        if _part_name(path):
            owners.setdefault((path.rpartition("#")[0], cell.cell_id), []).append(path)
    found: dict[str, tuple[str, str]] = {}
    for (_, cell_id), paths in owners.items():
        reason = (
            f"Row {cell_id} of the cell sheet claims {len(paths)} channels of this workbook; each "
            f"is a cell of its own. Name one under Files, such as {Path(paths[0]).name}."
        )
        found |= dict.fromkeys(paths if len(paths) > 1 else [], ("set aside", reason))
    return found


def _missing_file_findings(sheet: CellSheet, groups: dict[str, _Group]) -> list[Finding]:
    return [
        Finding(
            "warning",
            "cell_without_files",
            "No usable file was found for this row of the sheet.",
            remedy="Correct its Files, or copy its files into the folder.",
            cell_id=cell.cell_id,
        )
        for cell in sheet.cells
        if cell.cell_id.casefold() not in groups
    ]


def _shared_content_findings(cells: Sequence[CellInputs]) -> list[Finding]:
    """Say of each cell which content is in another one, too: a copy under another name."""
    owners: dict[str, list[str]] = {}
    for inputs in cells:
        for sha256 in inputs.contents:
            owners.setdefault(sha256, []).append(inputs.cell.cell_id)
    return [
        Finding("warning", "content_in_two_cells", f"{' and '.join(ids)} hold the same file.")
        for ids in owners.values()
        if len(ids) > 1
    ]


def read_input_tables(lab: Lab, inputs: CellInputs) -> dict[str, pl.DataFrame]:
    """Read a cell's raw tables from the store, with their files, spectra numbered through.

    They are those that the analyses need (:func:`cellpipe.analyses.input_tables`). Files of one
    recording are joined (:mod:`cellpipe.pipeline.joined_recordings`): then their time series and
    segments have a column ``recording_sha256``.
    """
    published = read_table(lab.results, "baselines", LAB)
    gathered = {
        "baselines": contracts.empty_table("baselines") if published is None else published,
        "files": file_rows(inputs),
    }
    parts = {name: _read_contents(lab, name, inputs) for name in analyses.input_tables()}
    if len(parts["timeseries"]) > 1:
        _join_parts(parts, inputs)
    for name, frames in parts.items():
        blank = analyses.empty_input(name)
        gathered[name] = pl.concat([blank, *frames.values()], how="diagonal")
    gathered["impedance"] = _number_spectra(gathered["impedance"])
    return gathered


def _read_contents(lab: Lab, name: str, inputs: CellInputs) -> dict[str, pl.DataFrame]:
    """Read a table of each of a cell's contents that has rows in it, by content."""
    found = {}
    for file in inputs.files:
        sha256 = file.content.sha256
        if name not in file.content.tables:
            continue
        frame = read_table(lab.results, name, sha256)
        if frame is None:
            raise CellpipeError(
                f"no table {name} of {file.path}", expected="it in the results folder",
                remedy="the next run reads the file anew, when it can be reached",
            )  # fmt: skip
        if name == "impedance":
            twice = {number for overlap in file.overlaps for number in overlap.spectra}
            frame = frame.filter(~pl.col("spectrum").is_in(twice)) if twice else frame
        if frame.height:
            found[sha256] = frame.with_columns(file_sha256=pl.lit(sha256))
    return found


def _join_parts(parts: dict[str, dict[str, pl.DataFrame]], inputs: CellInputs) -> None:
    """Put time series and segments of files together that are one recording."""
    recordings = join_recordings(inputs.files, parts["timeseries"])
    if not any(recording.is_joined for recording in recordings):
        return
    stored = parts["half_cycle_segments"]
    parts["timeseries"], parts["half_cycle_segments"] = {}, {}
    for recording in recordings:
        key = pl.lit(recording.key).alias("recording_sha256")
        parts["timeseries"][recording.key] = recording.records.with_columns(key)
        segments = stored.get(recording.key)
        if recording.is_joined:
            segments = recording_segments(recording)
        if segments is not None:
            parts["half_cycle_segments"][recording.key] = segments.with_columns(key)


def _number_spectra(impedance: pl.DataFrame) -> pl.DataFrame:
    """Assign numbers to a cell's spectra, by absolute time where every file has a clock."""
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
    """Return the rows of the table ``files`` for a cell's files."""
    rows = [
        {
            "path": file.path, "file_sha256": file.content.sha256,
            "cell_id": inputs.cell.cell_id, "status": "used", "format": file.content.format,
            "size_byte": file.size, "records": file.content.records,
            "spectra": file.content.spectra, "started_at": file.content.started_at,
            "modified_at": None, "first_seen_at": None, "reason": None,
        }
        for file in inputs.files
    ]  # fmt: skip
    return pl.DataFrame(rows, schema=contracts.empty_table("files").schema)
