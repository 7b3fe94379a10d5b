"""cells.xlsx or cells.csv to cells: read as text, nothing guessed, with messages to act on.

The first row holds the headers, with units where there are any: ``Area / cm²``, ``Area (mm²)``.
Only ``Cell ID``, ``Files`` and ``Configuration`` must be there. A wrong value costs its field, a
row without an id costs the row, and each is named by row, column and remedy; the other cells go on.
"""

from __future__ import annotations

import csv
import difflib
import fnmatch
import io
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from cellpipe.cell_fields import ANODE_WORDS, CATHODE_WORDS, FIELDS, REQUIRED, Field
from cellpipe.domain import Cell, Configuration, Finding, Level, Role
from cellpipe.errors import CellSheetError

NAMES = ("cells.xlsx", "cells.csv")
_KINDS: dict[str, Configuration] = {
    "full": "full", "fullcell": "full", "half": "half", "halfcell": "half",
    "symmetric": "symmetric", "symmetriccell": "symmetric", "symmetrical": "symmetric",
}  # fmt: skip


@dataclass(frozen=True)
class CellSheet:
    """The cells of a sheet in the order of its rows, and what was wrong with it."""

    path: Path | None = None
    cells: tuple[Cell, ...] = ()
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True)
class _Place:
    """Where a field stands in the sheet, and the factor of the unit in its header."""

    column: int
    field: Field
    factor: float


def cell_sheet(folder: Path) -> CellSheet:
    """Read the cell sheet of a folder: cells.xlsx, else cells.csv, else none.

    Raises
    ------
    CellSheetError
        If the sheet can't be opened, or one of the three required columns is missing.

    """
    there = {path.name.lower(): path for path in folder.iterdir() if path.is_file()}
    found = [there[name] for name in NAMES if name in there]
    if not found:
        sentence = (
            "There is no cell sheet in the folder: capacities are in mAh only. Write cells.xlsx or "
            "cells.csv with the columns 'Cell ID', 'Files' and 'Configuration'."
        )
        return CellSheet(findings=(Finding("warning", "no_cell_sheet", sentence),))
    sheet = read_sheet(found[0])
    if len(found) == 1:
        return sheet
    sentence = f"{found[1].name} is not used, for {found[0].name} is there too."
    return replace(sheet, findings=(_finding(sentence), *sheet.findings))


def read_sheet(path: Path) -> CellSheet:
    """Read a cell sheet; see the module for what it looks like."""
    rows = _rows(path)
    findings: list[Finding] = []
    header = rows[0] if rows else []
    places = _places(header, path, findings)
    absent = [f.header for f in FIELDS if f.name in REQUIRED and f.name not in places]
    if absent:
        raise CellSheetError(
            f"no column {' and no column '.join(map(repr, absent))} in row 1",
            expected="the columns 'Cell ID', 'Files' and 'Configuration'",
            remedy="write them into the first row, spelt like this",
            file=path.name,
        )
    cells: dict[str, Cell] = {}
    for number, row in enumerate(rows[1:], 2):
        if not any(text.strip() for text in row):
            continue
        reader = _Row(path.name, number, row, places, findings)
        cell = reader.cell()
        if cell is None:
            continue
        if cell.cell_id.casefold() in cells:
            reader.says("cell_id", f"cell ID {cell.cell_id} is used twice; this row is left out")
            continue
        cells[cell.cell_id.casefold()] = cell
    return CellSheet(path, tuple(cells.values()), tuple(findings))


def _rows(path: Path) -> list[list[str]]:
    try:
        content = path.read_bytes()
    except PermissionError as error:
        raise CellSheetError(
            "a file that is locked", expected="a file that can be read",
            remedy="close it in Excel and start again", file=path.name,
        ) from error  # fmt: skip
    if path.suffix.lower() == ".csv":
        return _csv_rows(content)
    import fastexcel

    try:
        sheet = fastexcel.read_excel(content).load_sheet(0, header_row=None, dtypes="string")
    except Exception as error:
        raise CellSheetError(
            "content that is no workbook", expected="an .xlsx workbook",
            remedy="save it again from Excel, or as cells.csv", file=path.name,
        ) from error  # fmt: skip
    return [[str(v) if v is not None else "" for v in row] for row in sheet.to_polars().rows()]


def _csv_rows(content: bytes) -> list[list[str]]:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("cp1252", "replace")
    first = text.split("\n", 1)[0]
    separator = max(",;\t", key=first.count)
    try:
        return list(csv.reader(io.StringIO(text, newline=None), delimiter=separator))
    except csv.Error as error:
        raise CellSheetError(
            f"text that is no table ({error})", expected="one row per cell",
            remedy="save it again from Excel as CSV or .xlsx", file="cells.csv",
        ) from error  # fmt: skip


def _plain(text: str) -> str:
    return re.sub(r"[\W_]+", "", text).lower()


def _split(header: str) -> tuple[str, str]:
    """Split ``Area / cm²`` or ``Area (cm²)`` into name and unit."""
    found = re.fullmatch(r"\s*(.*?)\s*(?:/\s*(\S.*)|[(\[]\s*(.*?)\s*[)\]])?\s*", header)
    if found is None:
        return header, ""
    return found[1], (found[2] or found[3] or "").strip()


def _places(header: Sequence[str], path: Path, findings: list[Finding]) -> dict[str, _Place]:
    by_name = {_plain(name): f for f in FIELDS for name in (f.header, *f.others)}
    places: dict[str, _Place] = {}
    for column, text in enumerate(header):
        name, unit = _split(text)
        known = by_name.get(_plain(name))
        where = f"{path.name}, row 1, column {column_letter(column)}"
        if known is None:
            _unknown_column(where, text, findings)
        elif known.name in places:
            findings.append(_finding(f"{where}: column '{text}' is there twice; the first counts"))
        elif known.units and unit not in known.units:
            wanted = f"write '{known.label}'"
            found = f"unit '{unit}' is not known" if unit else "the unit is missing"
            findings.append(_finding(f"{where}: column '{text}': {found}; {wanted}"))
        else:
            places[known.name] = _Place(column, known, known.units.get(unit, 1.0))
    return places


def _unknown_column(where: str, text: str, findings: list[Finding]) -> None:
    if not text.strip():
        return
    close = difflib.get_close_matches(_split(text)[0], [f.header for f in FIELDS], 1, 0.75)
    hint = f"did you mean '{close[0]}'?" if close else "it is not used"
    level: Level = "warning" if close else "info"
    findings.append(
        Finding(level, "cell_sheet", f"{where}: column '{text.strip()}' is not known; {hint}")
    )


def _finding(sentence: str) -> Finding:
    return Finding("warning", "cell_sheet", sentence)


def column_letter(column: int) -> str:
    """Give a column's letter as Excel shows it, from 0."""
    letters = ""
    column += 1
    while column:
        column, rest = divmod(column - 1, 26)
        letters = chr(65 + rest) + letters
    return letters


class _Row:
    """One row of the sheet while it is read; what is wrong goes into the findings."""

    def __init__(
        self, file: str, number: int, row: Sequence[str], places: dict[str, _Place],
        findings: list[Finding],
    ) -> None:  # fmt: skip
        self.file, self.number, self.row = file, number, row
        self.places, self.findings = places, findings
        self.inferred: dict[str, str] = {}

    def says(self, name: str, sentence: str) -> None:
        """Add a finding about a field of this row."""
        letter = column_letter(self.places[name].column)
        where = f"{self.file}, row {self.number}, column {letter}"
        self.findings.append(_finding(f"{where}: {sentence}"))

    def text(self, name: str) -> str | None:
        """Give a field as text, None where it is empty or has no column."""
        place = self.places.get(name)
        if place is None or place.column >= len(self.row):
            return None
        return self.row[place.column].strip() or None

    def number_of(self, name: str) -> float | None:
        """Give a field as a number in its unit; a decimal comma is understood."""
        text = self.text(name)
        if text is None:
            return None
        place = self.places[name]
        field = place.field
        plain = re.sub(r"\s", "", text).replace("−", "-")
        if plain.count(",") == 1 and "." not in plain:
            plain = plain.replace(",", ".")
        try:
            value = float(plain) * place.factor
        except ValueError:
            self.says(name, f"{field.header}: '{text}' is not a number")
            return None
        if not math.isfinite(value) or not field.low <= value <= field.high:
            unit = field.unit
            bounds = f"{field.low:g} to {field.high:g} {unit}"
            self.says(
                name, f"{field.header} = {value:g} {unit} is outside {bounds}; is the unit right?"
            )
            return None
        return value

    def cell(self) -> Cell | None:
        """Give the row's cell, or None where it has no id."""
        cell_id = self.text("cell_id")
        if cell_id is None:
            self.says("cell_id", "Cell ID is empty; the row is left out")
            return None
        kind = self._kind()
        role = self._role(kind)
        cathode, anode = self._masses(role)
        return Cell(
            cell_id=cell_id,
            configuration=kind,
            patterns=self._patterns(),
            working_electrode=self.text("working_electrode"),
            working_electrode_role=role,
            cathode_active_mass_mg=cathode,
            anode_active_mass_mg=anode,
            area_cm2=self._area(),
            counter_electrode=self.text("counter_electrode"),
            reference_offset_volt=self.number_of("reference_offset"),
            nominal_capacity_mah_per_g=self.number_of("nominal_capacity"),
            stack_pressure_mpa=self.number_of("stack_pressure"),
            fabrication_pressure_mpa=self.number_of("fabrication_pressure"),
            temperature_celsius=self.number_of("temperature"),
            lower_voltage_volt=self.number_of("lower_voltage"),
            upper_voltage_volt=self.number_of("upper_voltage"),
            electrolyte=self.text("electrolyte"),
            cathode=self.text("cathode"),
            group=self.text("group"),
            comment=self.text("comment"),
            inferred=dict(self.inferred),
        )

    def _patterns(self) -> tuple[str, ...]:
        text = self.text("patterns")
        if text is None:
            self.says("patterns", "Files is empty; write a file name or a pattern such as SSB-01*")
            return ()
        return tuple(part.strip() for part in text.split(";") if part.strip())

    def _kind(self) -> Configuration | None:
        text = self.text("configuration")
        kind = _KINDS.get(_plain(text)) if text else None
        if kind is None:
            found = f"'{text}'" if text else "it is empty and"
            self.says("configuration", f"Configuration: {found} must be full, half or symmetric")
        return kind

    def _role(self, kind: Configuration | None) -> Role | None:
        """Tell from the working electrode's name which electrode it is."""
        text = self.text("working_electrode")
        if text is None:
            if kind == "half":
                self.inferred["working_electrode_role"] = "a half cell is a silicon anode's"
                return "anode"
            return None
        role = electrode_role(text)
        if role is None:
            self.says(
                "working_electrode",
                f"Working electrode: '{text}' is not known; write anode or cathode before it",
            )
        return role

    def _masses(self, role: Role | None) -> tuple[float | None, float | None]:
        """Give cathode and anode active mass; the working electrode's may be a fraction of it."""
        cathode = self.number_of("cathode_active_mass")
        anode = self.number_of("anode_active_mass")
        own = self.number_of("active_mass")
        whole, percent = self.number_of("electrode_mass"), self.number_of("active_fraction")
        source = "Active mass"
        if own is None and whole is not None and percent is not None:
            own, source = whole * percent / 100, "Electrode mass × Active fraction"
        if own is None or role is None:
            if own is not None and cathode is None and anode is None:
                name = "active_mass" if "active_mass" in self.places else "electrode_mass"
                self.says(name, "whose mass is it? write anode or cathode as Working electrode")
            return cathode, anode
        if role == "cathode" and cathode is None:
            cathode = self._inferred("cathode_active_mass_mg", own, source)
        elif role == "anode" and anode is None:
            anode = self._inferred("anode_active_mass_mg", own, source)
        return cathode, anode

    def _area(self) -> float | None:
        area, diameter = self.number_of("area"), self.number_of("diameter")
        if area is None and diameter is not None:
            return self._inferred("area_cm2", math.pi * (diameter / 20) ** 2, "Diameter")
        return area

    def _inferred(self, name: str, value: float, source: str) -> float:
        self.inferred[name] = source
        return value


def electrode_role(text: str) -> Role | None:
    """Tell an anode's from a cathode's active material by its name or formula, or its own word."""
    parts = [part for part in re.split(r"[\s/|@,;:+()-]+", text) if part]
    words = [_plain(part) for part in parts]
    if "cathode" in words or "anode" in words:
        return "cathode" if "cathode" in words else "anode"
    for part, word in zip(parts, words, strict=True):
        stem = re.sub(r"\d+$", "", word)
        if word in ANODE_WORDS or stem in ANODE_WORDS:
            return "anode"
        lithiated = re.fullmatch(r"Li[\d.]*[\[A-Z].*(O\d|PO4)", part) is not None
        if lithiated or word in CATHODE_WORDS or stem in CATHODE_WORDS:
            return "cathode"
    return None


def cells_of(name: str, relative: str, cells: Iterable[Cell]) -> list[Cell]:
    """Give the cells whose patterns match a file's name or its path within the folder."""

    def matches(pattern: str) -> bool:
        wanted = pattern.replace("\\", "/").lower()
        return any(fnmatch.fnmatchcase(text.lower(), wanted) for text in (name, relative))

    return [cell for cell in cells if any(matches(pattern) for pattern in cell.patterns)]


def cell_id_from_name(stem: str) -> tuple[str, str | None]:
    """Conclude a cell's id from a file name: what instruments append is taken off.

    Gives the channel too, which tells cells of one name apart: ``SSB-01_02_GCPL_C01`` is
    (``SSB-01``, ``C01``), ``X_Channel_7_Wb_1`` is (``X``, ``Channel_7``), ``Y_record`` is (``Y``,
    None).
    """
    channel = None
    short = re.sub(r"(_Wb_\d+)?$", "", stem)
    found = re.search(r"_(C[A-Z]?\d+|Channel_\d+)$", short)
    if found is not None:
        channel, short = found[1], short[: found.start()]
    short = re.sub(r"_\d{2}_[A-Za-z]{2,6}\d?$", "", short)
    short = re.sub(r"_record(-\d+)?$", "", short)
    return (short, channel) if short else (stem, None)
