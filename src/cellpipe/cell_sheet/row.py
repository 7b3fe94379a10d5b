"""Parsing of one row of the cell sheet to a cell, with findings about invalid values."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from cellpipe.baselines.known_materials import ELECTRODES, Materials
from cellpipe.cell_sheet.cell_materials import resolve_materials
from cellpipe.cell_sheet.fields import LARGEST_LOADING, Field
from cellpipe.core.model import Cell, Configuration, Finding, Role

_KINDS: dict[str, Configuration] = {
    "full": "full", "fullcell": "full", "half": "half", "halfcell": "half",
    "symmetric": "symmetric", "symmetriccell": "symmetric", "symmetrical": "symmetric",
}  # fmt: skip


@dataclass(frozen=True)
class FieldColumn:
    """Column of a field in the sheet, and the factor of the unit in its header."""

    column: int
    field: Field
    factor: float


def to_nfc(text: str) -> str:
    """Return text in NFC, with ü as one character as typed; file names from a Mac have two."""
    return unicodedata.normalize("NFC", text)


def normalize_word(text: str) -> str:
    """Return a header or a word without case, spaces and punctuation."""
    return re.sub(r"[\W_]+", "", text).lower()


_MONTH = r"(?:jan|feb|mar|mär|mrz|apr|may|mai|jun|jul|aug|sep|oct|okt|nov|dec|dez)\.?"
_DATE = re.compile(  # as a workbook holds it, and as a .csv has the short ones
    r"(\d{4}-\d\d-\d\d)[ T]\d\d:\d\d:\d\d(\.\d+)?"
    rf"|\d{{1,2}}[-. ]{{1,2}}{_MONTH}|{_MONTH}[-. ]{{1,2}}\d{{2}}",
    re.IGNORECASE,
)
_GOES_ON = frozenset({"no", "n", "nein", "false", "0", "running", "runs", "not yet", "-", "–"})


def sheet_finding(sentence: str, remedy: str = "") -> Finding:
    """Return a warning about the sheet."""
    return Finding("warning", "cell_sheet", sentence, remedy=remedy)


def excel_date(text: str) -> str | None:
    """Return the date that Excel has made of what was typed; None if it is none."""
    match = _DATE.fullmatch(text.strip())
    return None if match is None else match[1] or text.strip()


def column_letter(column: int) -> str:
    """Return Excel's letters for a column, counted from 0."""
    letters = ""
    column += 1
    while column:
        column, rest = divmod(column - 1, 26)
        letters = chr(65 + rest) + letters
    return letters


class Row:
    """Parser of one row of the sheet; problems are appended to the findings."""

    def __init__(
        self, file: str, number: int, row: Sequence[str], places: dict[str, FieldColumn],
        findings: list[Finding], materials: Materials, own: Mapping[str, int],
    ) -> None:  # fmt: skip
        self.file, self.number, self.row, self.own = file, number, row, own
        self.materials = materials
        self.places, self.findings = places, findings
        self.inferred: dict[str, str] = {}
        self.refused: dict[str, str] = {}
        self.cell_id = self.text("cell_id")

    def add_finding(self, name: str, code: str, sentence: str, remedy: str = "") -> None:
        """Add a finding about a field of this row's cell.

        Where no cell ID is known, its subject is the sheet, and it says where in it.
        """
        if self.cell_id is None:
            place = self.places[name]
            where = (
                f"row {self.number}, column {place.field.header} ({column_letter(place.column)})"
            )
            self.findings.append(sheet_finding(f"{self.file}, {where}: {sentence}", remedy))
            return
        said = f"Cell sheet, {sentence}"
        self.findings.append(Finding("warning", code, said, remedy=remedy, cell_id=self.cell_id))

    def refuse(self, name: str, why: str, remedy: str) -> None:
        """Add a finding that says of a value, as it was written, that it is refused, and why."""
        header, text = self.places[name].field.header, self.text(name) or ""
        self.refused[header] = text
        self.add_finding(name, f"{name}_refused", f"{header}: '{text}' is refused: {why}.", remedy)

    def text(self, name: str) -> str | None:
        """Return a field as text; None if it is empty or has no column."""
        place = self.places.get(name)
        if place is None or place.column >= len(self.row):
            return None
        return to_nfc(self.row[place.column].strip()) or None

    def parse_number(self, name: str, high: float | None = None) -> float | None:
        """Return a field as a number in its unit; a decimal comma is accepted.

        None, with a finding, if it is not a number or outside the bounds; ``high`` is the upper
        one where it is not that of the field.
        """
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
            if excel_date(text):
                remedy = "Format the column as a number, and write the value again."
                self.refuse(name, "Excel has made a date of what was typed", remedy)
            elif re.match(r"[-+]?\d", plain):
                remedy = f"Write the number alone; its unit stands in the header{_unit_of(field)}."
                self.refuse(name, "it is not a number", remedy)
            else:
                remedy = f"Write a number{_unit_of(field)}, or leave it empty."
                self.refuse(name, "it is not a number", remedy)
            return None
        doubt = thousands_doubt(text, value, place)
        if doubt:
            self.refuse(name, *doubt)
            return None
        high = field.high if high is None else high
        if not math.isfinite(value) or not field.low <= value <= high:
            unit = field.unit
            bounds = f"{field.low:g} to {high:g} {unit}".rstrip()
            found = f"{value:g} {unit}".rstrip()
            remedy = "Correct the number, or the unit in the header."
            if field.unit == "mg" and value > high and not self.text("area"):
                remedy = f"{remedy} That of a larger cell is read where its Area is written, too."
            self.refuse(name, f"{found} is outside {bounds}", remedy)
            return None
        return value

    def parse_cell(self) -> Cell | None:
        """Return the row's cell; None if it has no cell ID, or a date in its place."""
        cell_id = self.cell_id
        if cell_id is None:
            sentence = f"it is empty{self._named_by_files()}; the row is left out."
            self.add_finding("cell_id", "cell_sheet", sentence, "Write a name for the cell.")
            return None
        date = excel_date(cell_id)
        if date is not None:
            self.cell_id = None  # what was typed is not known
            sentence = (
                f"Excel has made the date {date} of the name that was typed{self._named_by_files()}"
                "; the row is left out, and its files are computed in mAh meanwhile."
            )
            remedy = "Format the column Cell ID as text, and write the name again."
            self.add_finding("cell_id", "cell_sheet", sentence, remedy)
            return None
        kind = self._parse_configuration()
        role = self._parse_role(kind)
        area = self._parse_area()
        cathode, anode = self._parse_masses(role, area)
        lower, upper = self._parse_window()
        cell = Cell(
            cell_id=cell_id,
            configuration=kind,
            patterns=self._parse_patterns(),
            working_electrode=self.text("working_electrode"),
            working_electrode_role=role,
            cathode_active_mass_mg=cathode,
            anode_active_mass_mg=anode,
            area_cm2=area,
            counter_electrode=self.text("counter_electrode"),
            reference_offset_volt=self._parse_offset(kind),
            nominal_capacity_mah_per_g=self.parse_number("nominal_capacity"),
            stack_pressure_mpa=self.parse_number("stack_pressure"),
            fabrication_pressure_mpa=self.parse_number("fabrication_pressure"),
            temperature_celsius=self.parse_number("temperature"),
            lower_voltage_volt=lower,
            upper_voltage_volt=upper,
            electrolyte=self.text("electrolyte"),
            cathode=self.text("cathode"),
            electrode_composition=self.text("electrode_composition"),
            silicon=self.text("silicon"),
            electrolyte_thickness_um=self.parse_number("electrolyte_thickness"),
            np_ratio=self.parse_number("np_ratio"),
            group=self.text("group"),
            comment=self.text("comment"),
            confirmed=self.text("confirmed"),
            ended=self._parse_ended(),
            inferred=dict(self.inferred),
            own_columns=self._own_columns(),
            refused=dict(self.refused),
        )
        return replace(cell, materials=resolve_materials(cell, self.materials))

    def _named_by_files(self) -> str:
        """Name a row without a cell ID by what its Files say."""
        files = self.text("patterns")
        return f" (in the row of the Files '{files}')" if files else ""

    def _parse_ended(self) -> str | None:
        """Return what is said of the end of the test; None if it is said to go on."""
        text = self.text("ended")
        return None if text is None or text.casefold() in _GOES_ON else text

    def _own_columns(self) -> dict[str, str]:
        """Return the lab's own columns as written, without those that are empty."""
        texts = {
            header: to_nfc(self.row[column].strip())
            for header, column in self.own.items()
            if column < len(self.row)
        }
        return {header: text for header, text in texts.items() if text}

    def _parse_patterns(self) -> tuple[str, ...]:
        text = self.text("patterns")
        if text is None:
            self.add_finding(
                "patterns",
                "files_empty",
                "Files is empty; files that name the cell, or in a folder that does, are taken.",
                "Write a file name or a pattern such as SSB-01*.",
            )
            return ()
        return tuple(part.strip() for part in text.split(";") if part.strip())

    def _parse_configuration(self) -> Configuration | None:
        text = self.text("configuration")
        kind = _KINDS.get(normalize_word(text)) if text else None
        remedy = "Write full, half or symmetric."
        if kind is None and text:
            self.refuse("configuration", "it is not one of full, half and symmetric", remedy)
        elif kind is None:
            said = "Configuration is empty: the kind of the cell is not known."
            self.add_finding("configuration", "configuration_empty", said, remedy)
        return kind

    def _parse_role(self, kind: Configuration | None) -> Role | None:
        """Return the role of the working electrode from its name."""
        text = self.text("working_electrode")
        if text is None:
            if kind == "half":
                self.inferred["working_electrode_role"] = "a half cell is a silicon anode's"
                return "anode"
            return None
        role = electrode_role(text, self.materials)
        if role is None:
            self.add_finding(
                "working_electrode",
                "working_electrode_not_known",
                f"Working electrode: '{text}' is not known to be an anode or a cathode.",
                "Write anode or cathode before it.",
            )
        return role

    def _parse_mass(self, name: str, area: float | None) -> float | None:
        """Return a mass, mg; that of a large cell may be above the bound that a pellet has."""
        place = self.places.get(name)
        if place is None:
            return None
        return self.parse_number(name, max(place.field.high, LARGEST_LOADING * (area or 0.0)))

    def _parse_masses(
        self, role: Role | None, area: float | None
    ) -> tuple[float | None, float | None]:
        """Return cathode and anode active mass, mg; one may be a fraction of the electrode mass."""
        cathode = self._parse_mass("cathode_active_mass", area)
        anode = self._parse_mass("anode_active_mass", area)
        own = self._parse_mass("active_mass", area)
        whole, percent = (
            self._parse_mass("electrode_mass", area),
            self.parse_number("active_fraction"),
        )
        if own is not None and whole is not None and own > whole:
            why = f"the active mass, {own:g} mg, is more than the electrode's, {whole:g} mg"
            self.refuse("active_mass", why, "Correct one of them; neither is used.")
            self.refused[self.places["electrode_mass"].field.header] = f"{whole:g} mg"
            own = whole = None
        source = "Active mass"
        if own is None and whole is not None and percent is not None:
            own, source = whole * percent / 100, "Electrode mass × Active fraction"
        if own is None or role is None:
            if own is not None and cathode is None and anode is None:
                name = "active_mass" if "active_mass" in self.places else "electrode_mass"
                self.refuse(
                    name, "it is not known whose mass it is",
                    "Write anode or cathode as Working electrode.",
                )  # fmt: skip
            return cathode, anode
        if role == "cathode" and cathode is None:
            cathode = self._mark_inferred("cathode_active_mass_mg", own, source)
        elif role == "anode" and anode is None:
            anode = self._mark_inferred("anode_active_mass_mg", own, source)
        return cathode, anode

    def _parse_offset(self, kind: Configuration | None) -> float | None:
        offset = self.parse_number("reference_offset")
        if (
            kind == "half"
            and "reference_offset" in self.places
            and not self.text("reference_offset")
        ):
            hint = "Reference offset is empty."
            remedy = "Write 0.62 for In/InLi, 0 for Li metal."
            self.add_finding("reference_offset", "reference_offset_empty", hint, remedy)
        return offset

    def _parse_window(self) -> tuple[float | None, float | None]:
        """Return the voltage window, V; neither end if they are swapped."""
        lower, upper = self.parse_number("lower_voltage"), self.parse_number("upper_voltage")
        if lower is not None and upper is not None and lower >= upper:
            why = f"the lower voltage, {lower:g} V, is not below the upper one, {upper:g} V"
            self.refuse("lower_voltage", why, "Swap them if they are swapped; neither is used.")
            self.refused[self.places["upper_voltage"].field.header] = f"{upper:g} V"
            return None, None
        return lower, upper

    def _parse_area(self) -> float | None:
        area, diameter = self.parse_number("area"), self.parse_number("diameter")
        if area is None and diameter is not None:
            return self._mark_inferred("area_cm2", math.pi * (diameter / 20) ** 2, "Diameter")
        return area

    def _mark_inferred(self, name: str, value: float, source: str) -> float:
        self.inferred[name] = source
        return value


def electrode_role(text: str, materials: Materials) -> Role | None:
    """Return anode or cathode for an active material by its name, formula or that word itself."""
    parts = [part for part in re.split(r"[\s/|@,;:+()-]+", text) if part]
    words = [normalize_word(part) for part in parts]
    if "cathode" in words or "anode" in words:
        return "cathode" if "cathode" in words else "anode"
    known = materials.find(text, ELECTRODES)
    if known is not None:
        return "cathode" if "cathode" in known.roles else "anode"
    is_oxide = any(re.fullmatch(r"Li[\d.]*[\[A-Z].*(O\d|PO4)", part) for part in parts)
    is_electrolyte = materials.find(text, ("electrolyte",)) is not None
    return "cathode" if is_oxide and not is_electrolyte else None


def _unit_of(field: Field) -> str:
    return f", {field.unit}" if field.unit else ""


def thousands_doubt(text: str, value: float, place: FieldColumn) -> tuple[str, str] | None:
    """Return what is to be asked of a number that may have lost a factor of 1000, and the remedy.

    ``3,579`` is 3.579 with a decimal comma and 3579 with one of thousands; where the smaller one
    is no value of the field, and the larger one is, neither is taken.
    """
    field, plain = place.field, re.sub(r"\s", "", text)
    if not field.least or not value < field.least:
        return None
    larger = 1000 * value
    if not re.fullmatch(r"\d{1,3}[.,]\d{3}", plain) or not field.least <= larger <= field.high:
        return None
    return (
        f"it may be {value:g} or {larger:g} {field.unit}, and {value:g} is hardly one",
        f"Write {larger / place.factor:g} without a sign of thousands, if that is meant.",
    )
