"""Reading of cells from cells.xlsx or cells.csv as text, without guesses.

The first row holds the headers, with units if any: ``Area / cm²``, ``Area (mm²)``. Only
``Cell ID``, ``Files`` and ``Configuration`` are required. Rows whose ID begins with # are comments.
Columns that are none of the fields are the lab's own and are kept as they are written. An invalid
value is ignored, and a row without an ID is left out, each with a finding that names row, column
and remedy; the other cells are used.
"""

from __future__ import annotations

import difflib
import fnmatch
import functools
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from cellpipe.baselines.known_materials import Materials, known_materials
from cellpipe.cell_sheet.cell_materials import unknown_names
from cellpipe.cell_sheet.fields import FIELDS, REQUIRED
from cellpipe.cell_sheet.lab_materials import read_lab_materials
from cellpipe.cell_sheet.merged_cells import merged_findings
from cellpipe.cell_sheet.row import (
    FieldColumn,
    Row,
    column_letter,
    normalize_word,
    sheet_finding,
    to_nfc,
)
from cellpipe.cell_sheet.sheet_content import read_rows
from cellpipe.core.errors import CellSheetError
from cellpipe.core.model import Cell, Finding
from cellpipe.system.regular_files import is_special
from cellpipe.system.scan import MATERIALS_NAME, SHEET_NAMES

_MOST_TITLE_ROWS = 20  # among which headers are looked for that are not in row 1


@dataclass(frozen=True)
class CellSheet:
    """The cells of a sheet in the order of its rows, and findings about it."""

    path: Path | None = None
    cells: tuple[Cell, ...] = ()
    findings: tuple[Finding, ...] = ()


def find_sheets(folder: Path) -> list[Path]:
    """Return the cell sheets in a folder, the one that counts first."""
    named = (path for path in folder.iterdir() if path.name.lower() in SHEET_NAMES)
    by_name = {path.name.lower(): path for path in named if path.is_file() or is_special(path)}
    return [by_name[name] for name in SHEET_NAMES if name in by_name]


def read_cell_sheet(folder: Path) -> CellSheet:
    """Read the cell sheet of a folder: cells.xlsx, else cells.csv, else an empty one.

    Raises
    ------
    CellSheetError
        If the sheet can't be opened, or one of the three required columns is missing.

    """
    paths = find_sheets(folder)
    if not paths:
        sentence = (
            "There is no cell sheet in the folder: capacities are in mAh only. cellpipe init "
            "writes one to fill in: cells.xlsx, with the columns 'Cell ID', 'Files', "
            "'Configuration' and others."
        )
        return CellSheet(findings=(Finding("warning", "no_cell_sheet", sentence),))
    materials, said = read_lab_materials(folder / MATERIALS_NAME)
    sheet = read_sheet_file(paths[0], materials=materials)
    sheet = replace(sheet, findings=(*said, *sheet.findings))
    if len(paths) == 1:
        return sheet
    sentence = f"{paths[1].name} is not used, for {paths[0].name} is there too."
    return replace(sheet, findings=(sheet_finding(sentence), *sheet.findings))


def read_sheet_file(
    path: Path, name: str | None = None, materials: Materials | None = None
) -> CellSheet:
    """Read a cell sheet in the layout described above; messages call it ``name``.

    ``materials`` are those that its names may stand for; None: the known ones.

    Raises
    ------
    CellSheetError
        If the sheet can't be opened, or one of the three required columns is missing.

    """
    (rows, merged), is_csv = read_rows(path), path.suffix.lower() == ".csv"
    top = next((number for number, row in enumerate(rows) if any(row)), 0)  # of empty rows above
    path = path.with_name(name or path.name)
    findings: list[Finding] = []
    materials = known_materials() if materials is None else materials
    header = rows[top] if rows else []
    places, own = _parse_header(header, path, findings)
    absent = [f.header for f in FIELDS if f.name in REQUIRED and f.name not in places]
    if absent:
        _refuse_title(rows[top:], path, top)
        raise CellSheetError(
            f"no column {' and no column '.join(map(repr, absent))} in row 1",
            expected="the columns 'Cell ID', 'Files' and 'Configuration'",
            remedy="write them into the first row, spelt like this",
            file=path.name,
        )
    cells: dict[str, Cell] = {}
    for number, row in enumerate(rows[top + 1 :], top + 2):
        if not any(text.strip() for text in row) or _is_remark(row, places):
            continue
        if is_csv and has_extra_values(row, header):
            where = f"{path.name}, row {number}"
            findings.append(
                sheet_finding(f"{where}: {overfull_message(row, header)}; the row is left out")
            )
            continue
        before = len(findings)
        reader = Row(path.name, number, row, places, findings, materials, own)
        cell = reader.parse_cell()
        if cell is None:
            continue
        if cell.cell_id.casefold() in cells:
            first = cells[cell.cell_id.casefold()]
            reader.cell_id = first.cell_id
            del findings[before:]
            reader.add_finding(
                "cell_id", "cell_id_twice",
                f"Cell ID: {first.cell_id} is there twice; the first row is used, and the one with "
                f"the Files '{'; '.join(cell.patterns) or 'none'}' is left out.",
                "Give each cell an ID of its own, and one row.",
            )  # fmt: skip
            continue
        cells[cell.cell_id.casefold()] = cell
        findings += merged_findings(merged, number - 1, cell.cell_id, rows, places)
    findings += unknown_names(cells.values(), path.name)
    return CellSheet(path, tuple(cells.values()), tuple(findings))


def _refuse_title(rows: Sequence[Sequence[str]], path: Path, above: int) -> None:
    """Refuse a sheet whose headers stand below a title, and say where they are.

    ``above`` counts the empty rows above these rows.

    Raises
    ------
    CellSheetError
        If they do.

    """
    for number, row in enumerate(rows[1:_MOST_TITLE_ROWS], above + 2):
        places, _ = _parse_header(row, path, [])
        if set(REQUIRED) <= places.keys():
            title = next(text.strip() for text in rows[0] if text.strip())
            raise CellSheetError(
                f"a title, '{title}', in row {above + 1}, and the headers in row {number}",
                expected="the headers in the first row",
                remedy=f"delete {_rows_above(number)}", file=path.name,
            )  # fmt: skip


def _rows_above(number: int) -> str:
    return "row 1" if number == 2 else f"the rows 1 to {number - 1}"


def _is_remark(row: Sequence[str], places: dict[str, FieldColumn]) -> bool:
    """Return whether a row is a comment, whose cell ID begins with #, as in the template."""
    column = places["cell_id"].column
    return column < len(row) and row[column].lstrip().startswith("#")


def has_extra_values(row: Sequence[str], header: Sequence[str]) -> bool:
    """Return whether a .csv row has more values than headers, so that none is reliable."""
    return any(text.strip() for text in row[len(header) :])


def overfull_message(row: Sequence[str], header: Sequence[str]) -> str:
    """Return a message about a row with extra values."""
    count = max(place for place, text in enumerate(row, 1) if text.strip())
    return (
        f"found {count} values, expected {len(header)}, as in the header; remedy: a decimal comma "
        "where commas stand between the columns is to be a point, or the value to be in quotes"
    )


def _split_header(header: str) -> tuple[str, str]:
    """Split ``Area / cm²`` or ``Area (cm²)`` into name and unit."""
    match = re.fullmatch(r"\s*(.*?)\s*(?:/\s*(\S.*)|[(\[]\s*(.*?)\s*[)\]])?\s*", header)
    if match is None:
        return header, ""
    return match[1], (match[2] or match[3] or "").strip()


def _parse_header(
    header: Sequence[str], path: Path, findings: list[Finding]
) -> tuple[dict[str, FieldColumn], dict[str, int]]:
    """Return the columns of the fields by their names, and those of the lab by their headers."""
    by_name = {normalize_word(name): f for f in FIELDS for name in (f.header, *f.aliases)}
    places: dict[str, FieldColumn] = {}
    own: dict[str, int] = {}
    for column, text in enumerate(header):
        name, unit = _split_header(text)
        if (
            normalize_word(text) in by_name and not by_name[normalize_word(text)].units
        ):  # slash within the name
            name, unit = text, ""
        known = by_name.get(normalize_word(name))
        where = f"{path.name}, row 1, column {column_letter(column)}"
        if known is None:
            _keep_own_column(where, column, text, own, findings)
        elif known.name in places:
            findings.append(
                sheet_finding(f"{where}: column '{text}' is there twice; the first counts")
            )
        elif known.units and unit not in known.units:
            remedy = f"write '{known.label}'"
            found = f"unit '{unit}' is not known" if unit else "the unit is missing"
            findings.append(sheet_finding(f"{where}: column '{text}': {found}; {remedy}"))
        else:
            places[known.name] = FieldColumn(column, known, known.units.get(unit, 1.0))
    if own:
        findings.append(_own_finding(path.name, own))
    return places, own


def _keep_own_column(
    where: str, column: int, text: str, own: dict[str, int], findings: list[Finding]
) -> None:
    """Keep a column of the lab's own; one whose header is nearly that of a field is asked about."""
    header = to_nfc(" ".join(text.split()))
    if not header:
        return
    if header in own:
        findings.append(
            sheet_finding(f"{where}: column '{header}' is there twice; the first counts")
        )
        return
    own[header] = column
    close = difflib.get_close_matches(_split_header(text)[0], [f.header for f in FIELDS], 1, 0.75)
    if close:
        sentence = f"{where}: column '{header}' is not known; did you mean '{close[0]}'?"
        findings.append(sheet_finding(sentence))


def _own_finding(name: str, own: Mapping[str, int]) -> Finding:
    """Return the note about all columns of the lab's own."""
    shown = ", ".join(f"'{header}' ({column_letter(column)})" for header, column in own.items())
    sentence = (
        f"{name}, row 1: columns that are none of cellpipe's are kept as your own, and used in no "
        f"number: {shown}."
    )
    return Finding("info", "own_columns", sentence)


class PatternIndex:
    """The patterns of a sheet's cells, by the text that each begins with.

    A sheet of thousands of rows is looked up for thousands of files: only rows whose pattern
    begins as the file's name or path does are tried.
    """

    def __init__(self, cells: Iterable[Cell]) -> None:
        self._cells = list(cells)
        self._by_beginning: dict[str, set[int]] = {}
        for place, cell in enumerate(self._cells):
            for pattern in cell.patterns:
                beginning = re.split(r"[*?\[]", _normalize_pattern(pattern))[0]
                self._by_beginning.setdefault(beginning, set()).add(place)
        self._lengths = sorted({len(beginning) for beginning in self._by_beginning})

    def find_cells(self, name: str, relative: str) -> list[Cell]:
        """Return the cells whose patterns match a file's name or its path within the folder."""
        texts = (to_nfc(name).lower(), to_nfc(relative).lower())
        places: set[int] = set()
        for text in texts:
            for length in self._lengths:
                places |= self._by_beginning.get(text[:length], set())
        candidates = (self._cells[place] for place in sorted(places))
        return [cell for cell in candidates if any(map(_matcher(cell.patterns).match, texts))]


def find_cells(name: str, relative: str, cells: Iterable[Cell]) -> list[Cell]:
    """Return the cells whose patterns match a file's name or its path within the folder."""
    return PatternIndex(cells).find_cells(name, relative)


@functools.lru_cache(maxsize=20_000)
def _matcher(patterns: tuple[str, ...]) -> re.Pattern[str]:
    """Return one expression for all patterns of a cell, ignoring case and kind of slash."""
    return re.compile("|".join(fnmatch.translate(_normalize_pattern(each)) for each in patterns))


def _normalize_pattern(pattern: str) -> str:
    return pattern.replace("\\", "/").lower()


def cell_id_from_name(stem: str) -> tuple[str, str | None]:
    """Return a cell ID from a file name without suffixes of instruments, and the channel.

    The channel distinguishes cells of the same name: ``SSB-01_02_GCPL_C01`` is (``SSB-01``,
    ``C01``), ``X_Channel_7_Wb_1`` is (``X``, ``Channel_7``), ``Y_record`` and ``Y_part2`` are
    (``Y``, None).
    """
    channel = None
    stem = to_nfc(stem)
    short = re.sub(r"(_Wb_\d+|[ _-]+(part|teil)[ _-]?\d+)?$", "", stem, flags=re.IGNORECASE)
    match = re.search(r"_(C[A-Z]?\d+|Channel_\d+)$", short)
    if match is not None:
        channel, short = match[1], short[: match.start()]
    short = re.sub(r"_\d{2}_[A-Za-z]{2,6}\d?$", "", short)
    short = re.sub(r"_record(-\d+)?$", "", short)
    return (short, channel) if short else (stem, None)
