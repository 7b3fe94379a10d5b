"""What a lab writes itself: its cell sheet and its baselines, as they are now or as they last were.

At night nobody closes Excel, and nobody mends a header. The last of each that could be used is
kept in the results; a run goes on with it, says so, and takes the new one as soon as that can be
used.
"""

from __future__ import annotations

import hashlib
import json
import logging
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from cellpipe._version import __version__
from cellpipe.baselines import table1
from cellpipe.cell_sheet.lab_baselines import read_lab_baselines
from cellpipe.cell_sheet.lab_materials import read_lab_materials
from cellpipe.cell_sheet.sheet import (
    CellSheet,
    find_sheets,
    read_cell_sheet,
    read_sheet_file,
)
from cellpipe.cell_sheet.sheet_content import LARGEST_SHEET
from cellpipe.core import contracts
from cellpipe.core.errors import CellSheetError, LockedFileError
from cellpipe.core.model import Cell, Finding
from cellpipe.pipeline.bounded_reading import read_sheet, sheet_death_error
from cellpipe.store import LAB, read_table, write_table
from cellpipe.store.lab import Lab
from cellpipe.store.layout import BASELINES_COPY, MATERIALS_COPY, SHEET_COPY
from cellpipe.store.manifest import describe_file
from cellpipe.system.atomic_files import delete, write_bytes
from cellpipe.system.own_folder import foreign_names
from cellpipe.system.processes import WorkerDiedError
from cellpipe.system.regular_files import is_special, read_regular
from cellpipe.system.scan import BASELINES_NAME, MATERIALS_NAME, SHEET_NAMES, Failure

_log = logging.getLogger("cellpipe")
_DEADLY_SHEET = "a cell sheet of which the process died that read it"


@dataclass(frozen=True)
class SheetSnapshot(CellSheet):
    """A cell sheet, why it is not the folder's own if so, and a digest of what the lab says.

    ``baselines`` is a digest of the published cells, Table 1's and the lab's own, that lie in the
    store as the lab's table ``baselines``.
    """

    failures: tuple[Failure, ...] = ()
    digest: str = ""
    baselines: str = ""


def read_current_sheet(lab: Lab) -> SheetSnapshot:
    """Read the cell sheet of a job's folder, or the last one that could be used, or none.

    Raises
    ------
    OSError
        If the folder can't be reached.

    """
    published, said, failures = _update_baselines(lab)
    try:
        sheet = _read_own_sheet(lab)
        if sheet.path is None and _is_folder_empty(lab) and read_last_cells(lab.results):
            raise CellSheetError(
                "an empty folder", expected="the sheet that was in it",
                remedy="bring the share back", file=lab.folder,
            )  # fmt: skip
        content = sheet.path.read_bytes() if sheet.path else b""
        materials = lab.folder / MATERIALS_NAME
        _keep_materials(lab, materials.read_bytes() if materials.is_file() else None)
    except (CellSheetError, OSError) as error:
        sheet, failure = _read_last_sheet(lab, error)
        findings = (*sheet.findings, *said)
        return SheetSnapshot(sheet.path, sheet.cells, findings, (failure, *failures), "", published)
    if sheet.path:
        _save_copy(lab, SHEET_COPY, sheet.path.suffix.lower(), content)
    findings = (*sheet.findings, *said)
    digest = hashlib.sha256(repr((sheet.cells, findings, published)).encode()).hexdigest()
    return SheetSnapshot(sheet.path, sheet.cells, findings, failures, digest, published)


def _read_own_sheet(lab: Lab) -> CellSheet:
    """Read the cell sheet in a process that may die of it, unless it is the last good one.

    One of which a process died is not read again before it changes.
    """
    paths = find_sheets(lab.folder)
    if paths and is_special(paths[0]):
        return read_cell_sheet(lab.folder)  # which refuses it
    try:
        is_small = bool(paths) and paths[0].stat().st_size <= LARGEST_SHEET
        content = read_regular(paths[0]) if is_small else b""
    except PermissionError:
        return read_cell_sheet(lab.folder)  # which says what to do
    copy = lab.results / f"{SHEET_COPY}{paths[0].suffix.lower()}" if paths else None
    if copy is None or (copy.is_file() and copy.read_bytes() == content):
        return read_cell_sheet(lab.folder)
    digest = hashlib.sha256(content).hexdigest()
    noted = lab.ledger.key_value(_DEADLY_SHEET)
    known = json.loads(noted) if noted else {}
    if known.get("sha256") == digest and known.get("version") == __version__:
        raise sheet_death_error(known["how"], paths[0])
    try:
        return read_sheet(lab.folder)
    except WorkerDiedError as error:
        how = {"sha256": digest, "version": __version__, "how": str(error)}
        lab.ledger.set_key_value(_DEADLY_SHEET, json.dumps(how))
        raise sheet_death_error(str(error), paths[0]) from error


def _update_baselines(lab: Lab) -> tuple[str, tuple[Finding, ...], tuple[Failure, ...]]:
    """Bring the store's table of published cells up to date; give its digest and what to say."""
    own, findings, failures = _read_own_baselines(lab)
    table = contracts.validate("baselines", pl.concat([table1(), own]))
    before = read_table(lab.results, "baselines", LAB)
    if before is None or not before.equals(table):
        path = write_table(lab.results, "baselines", LAB, table)
        lab.ledger.record_result_files([describe_file(lab.results, path)], pages_due=True)
    digest = hashlib.sha256(table.write_csv().encode()).hexdigest()
    return digest, findings, failures


def _read_own_baselines(
    lab: Lab,
) -> tuple[pl.DataFrame, tuple[Finding, ...], tuple[Failure, ...]]:
    """Read the lab's own baselines, or the last that could be used; none if there is no file."""
    copy = lab.results / f"{BASELINES_COPY}.csv"
    named = (path for path in lab.folder.iterdir() if path.name.lower() == BASELINES_NAME)
    path = next(named, None)
    if path is None and _is_folder_empty(lab) and copy.is_file():
        return (*read_lab_baselines(copy), ())
    if path is None:
        _delete_copy(lab, copy.name)
        return contracts.empty_table("baselines"), (), ()
    try:
        rows, findings = read_lab_baselines(path)
        content = path.read_bytes()
    except (CellSheetError, OSError) as error:
        said = error.reason if isinstance(error, CellSheetError) else f"found {error.strerror}."
        rows, findings = contracts.empty_table("baselines"), ()
        sentence = f"{said} No baseline of the lab's own is used until then."
        if copy.is_file():
            rows, findings = read_lab_baselines(copy)
            sentence = f"{said} Those from before are used until then."
        finding = Finding("error", "baselines_not_used", f"{path.name}: {sentence}")
        return rows, (finding, *findings), (Failure(path.name, sentence),)
    _save_copy(lab, BASELINES_COPY, ".csv", content)
    return rows, findings, ()


def _is_folder_empty(lab: Lab) -> bool:
    """Return whether the main of several folders holds nothing: its share may be out of reach."""
    return len(lab.raw.roots) > 1 and not any(lab.folder.iterdir())


def _save_copy(lab: Lab, stem: str, suffix: str, content: bytes) -> None:
    copy = lab.results / f"{stem}{suffix}"
    if not copy.is_file() or copy.read_bytes() != content:
        try:
            write_bytes(copy, content)
        except LockedFileError as error:  # somebody else's, or held open: the run goes on without
            _log.warning("%s", error)
            return
        lab.ledger.record_result_files([describe_file(lab.results, copy)])
    for other in (".xlsx", ".csv"):
        if other != suffix:
            _delete_copy(lab, f"{stem}{other}")


def _keep_materials(lab: Lab, content: bytes | None) -> None:
    """Keep a copy of the lab's own materials, for a sheet that can't be read; None: no file."""
    if content is None:
        _delete_copy(lab, f"{MATERIALS_COPY}.yaml")
    else:
        _save_copy(lab, MATERIALS_COPY, ".yaml", content)


def _delete_copy(lab: Lab, name: str) -> None:
    if (lab.results / name).is_file() and name not in foreign_names(lab.results):
        delete(lab.results / name)
        lab.ledger.forget_result_files([name])


def read_last_cells(out: Path) -> tuple[Cell, ...]:
    """Return the cells of the sheet that results were last made with; none without a sheet."""
    copies = [out / f"{SHEET_COPY}{suffix}" for suffix in (".xlsx", ".csv")]
    there = [copy for copy in copies if copy.is_file()]
    materials, _ = read_lab_materials(out / f"{MATERIALS_COPY}.yaml")
    return read_sheet_file(there[0], materials=materials).cells if there else ()


def _read_last_sheet(lab: Lab, error: CellSheetError | OSError) -> tuple[CellSheet, Failure]:
    """Return the last sheet that could be used, or one without a cell, and why it is not today's.

    Raises
    ------
    CellSheetError, OSError
        If there is none, and the folder itself can't be reached.

    """
    copies = [lab.results / f"{SHEET_COPY}{suffix}" for suffix in (".xlsx", ".csv")]
    there = [copy for copy in copies if copy.is_file()]
    finding, name = unusable_sheet(error)
    if not there:
        if isinstance(error, OSError):
            raise error
        sheet, meanwhile = CellSheet(), "No sheet is used until then: capacities are in mAh only."
    else:
        when = datetime.fromtimestamp(there[0].stat().st_mtime, UTC)
        as_it_was = f"the sheet as it was on {when:%Y-%m-%d %H:%M} UTC"
        materials, _ = read_lab_materials(lab.results / f"{MATERIALS_COPY}.yaml")
        sheet = read_sheet_file(there[0], as_it_was, materials)
        meanwhile = f"T{as_it_was[1:]} is used until then."
    finding = replace(finding, sentence=f"{finding.sentence} {meanwhile}")
    failure = Failure(name, f"{finding.sentence} {finding.remedy}")
    return CellSheet(Path(name), sheet.cells, (finding, *sheet.findings)), failure


def unusable_sheet(error: CellSheetError | OSError) -> tuple[Finding, str]:
    """Say of a cell sheet that it can't be used, and why; and return the file's name."""
    if isinstance(error, CellSheetError):
        name = Path(error.file or SHEET_NAMES[0]).name
        said, remedy = f"found {error.found}; expected {error.expected}", error.remedy
    else:
        name, said = SHEET_NAMES[0], f"found a file that can't be opened ({error.strerror})"
        remedy = "close it in the program that holds it"
    sentence = f"{name} can't be used: {said}."
    to_do = f"{remedy[:1].upper()}{remedy[1:]}."
    return Finding("error", "sheet_not_used", sentence, remedy=to_do), name


def inspect_sheet(folder: Path) -> CellSheet:
    """Return the cell sheet of a folder as a run would find it; what is wrong is a finding."""
    try:
        return read_sheet(folder)
    except WorkerDiedError as error:
        file = next(iter(find_sheets(folder)), folder / SHEET_NAMES[0])
        finding, name = unusable_sheet(sheet_death_error(str(error), file))
    except (CellSheetError, OSError) as error:
        finding, name = unusable_sheet(error)
    return CellSheet(folder / name, findings=(finding,))
