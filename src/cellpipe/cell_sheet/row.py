"""Parsing of one row of the cell sheet to a cell, with findings about invalid values."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from cellpipe.baselines.known_materials import ELECTRODES, Materials
from cellpipe.cell_sheet.cell_materials import resolve_materials
from cellpipe.cell_sheet.fields import Field
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


def sheet_finding(sentence: str) -> Finding:
    """Return a warning about the sheet."""
    return Finding("warning", "cell_sheet", sentence)


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

    def add_finding(self, name: str, sentence: str) -> None:
        """Add a finding about a field of this row."""
        letter = column_letter(self.places[name].column)
        where = f"{self.file}, row {self.number}, column {letter}"
        self.findings.append(sheet_finding(f"{where}: {sentence}"))

    def text(self, name: str) -> str | None:
        """Return a field as text; None if it is empty or has no column."""
        place = self.places.get(name)
        if place is None or place.column >= len(self.row):
            return None
        return to_nfc(self.row[place.column].strip()) or None

    def parse_number(self, name: str) -> float | None:
        """Return a field as a number in its unit; a decimal comma is accepted.

        None, with a finding, if it is not a number or outside the bounds.
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
            hint = ""
            if re.match(r"[-+]?\d", plain):
                hint = "; write the number alone, the unit stands in the header"
            self.add_finding(name, f"{field.header}: '{text}' is not a number{hint}")
            return None
        doubt = thousands_doubt(text, value, place)
        if doubt:
            self.add_finding(name, doubt)
            return None
        if not math.isfinite(value) or not field.low <= value <= field.high:
            unit = field.unit
            bounds = f"{field.low:g} to {field.high:g} {unit}".rstrip()
            found = f"{field.header} = {value:g} {unit}".rstrip()
            self.add_finding(name, f"{found} is outside {bounds}; is the unit right?")
            return None
        return value

    def parse_cell(self) -> Cell | None:
        """Return the row's cell; None if it has no cell ID."""
        cell_id = self.text("cell_id")
        if cell_id is None:
            self.add_finding("cell_id", "Cell ID is empty; the row is left out")
            return None
        kind = self._parse_configuration()
        role = self._parse_role(kind)
        cathode, anode = self._parse_masses(role)
        lower, upper = self._parse_window()
        cell = Cell(
            cell_id=cell_id,
            configuration=kind,
            patterns=self._parse_patterns(),
            working_electrode=self.text("working_electrode"),
            working_electrode_role=role,
            cathode_active_mass_mg=cathode,
            anode_active_mass_mg=anode,
            area_cm2=self._parse_area(),
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
            inferred=dict(self.inferred),
            own_columns=self._own_columns(),
        )
        return replace(cell, materials=resolve_materials(cell, self.materials))

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
                "Files is empty; files that name the cell, or in a folder that does, are taken. "
                "Write a file name or a pattern such as SSB-01*",
            )
            return ()
        return tuple(part.strip() for part in text.split(";") if part.strip())

    def _parse_configuration(self) -> Configuration | None:
        text = self.text("configuration")
        kind = _KINDS.get(normalize_word(text)) if text else None
        if kind is None:
            found = f"'{text}'" if text else "it is empty and"
            self.add_finding(
                "configuration", f"Configuration: {found} must be full, half or symmetric"
            )
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
                f"Working electrode: '{text}' is not known; write anode or cathode before it",
            )
        return role

    def _parse_masses(self, role: Role | None) -> tuple[float | None, float | None]:
        """Return cathode and anode active mass, mg; one may be a fraction of the electrode mass."""
        cathode = self.parse_number("cathode_active_mass")
        anode = self.parse_number("anode_active_mass")
        own = self.parse_number("active_mass")
        whole, percent = self.parse_number("electrode_mass"), self.parse_number("active_fraction")
        if own is not None and whole is not None and own > whole:
            found = f"Active mass = {own:g} mg is more than Electrode mass = {whole:g} mg"
            self.add_finding("active_mass", f"{found}; neither is used")
            own = whole = None
        source = "Active mass"
        if own is None and whole is not None and percent is not None:
            own, source = whole * percent / 100, "Electrode mass × Active fraction"
        if own is None or role is None:
            if own is not None and cathode is None and anode is None:
                name = "active_mass" if "active_mass" in self.places else "electrode_mass"
                self.add_finding(
                    name, "whose mass is it? write anode or cathode as Working electrode"
                )
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
            hint = "Reference offset is empty (0.62 for In/InLi, 0 for Li metal)"
            self.add_finding("reference_offset", hint)
        return offset

    def _parse_window(self) -> tuple[float | None, float | None]:
        """Return the voltage window, V; neither end if they are swapped."""
        lower, upper = self.parse_number("lower_voltage"), self.parse_number("upper_voltage")
        if lower is not None and upper is not None and lower >= upper:
            found = f"Lower voltage = {lower:g} V is not below Upper voltage = {upper:g} V"
            self.add_finding("lower_voltage", f"{found}; are they swapped?")
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


def thousands_doubt(text: str, value: float, place: FieldColumn) -> str:
    """Return what is to be asked of a number that may have lost a factor of 1000; else nothing.

    ``3,579`` is 3.579 with a decimal comma and 3579 with one of thousands; where the smaller one
    is no value of the field, and the larger one is, neither is taken.
    """
    field, plain = place.field, re.sub(r"\s", "", text)
    if not field.least or not value < field.least:
        return ""
    larger = 1000 * value
    if not re.fullmatch(r"\d{1,3}[.,]\d{3}", plain) or not field.least <= larger <= field.high:
        return ""
    return (
        f"{field.header}: '{text}' may be {value:g} or {larger:g} {field.unit}, and {value:g} is "
        f"hardly one; it is not used. Write {larger / place.factor:g} without a sign of thousands, "
        f"if that is meant"
    )
