"""The cell sheet: what no cycler file says of a cell, one row per cell."""

import io

import xlsxwriter

from .arbin import CREATED
from .lab import AREA_CM2, BUILDS, NCM811_1C, PLANS, SILICON_1C

HEADERS = (
    "Cell ID", "Files", "Configuration", "Working electrode", "Electrode mass / mg",
    "Active fraction / %", "Cathode active mass / mg", "Anode active mass / mg", "Area / cm²",
    "Counter electrode", "Reference offset / V", "1C capacity / mAh/g", "Stack pressure / MPa",
    "Fabrication pressure / MPa", "Temperature / °C", "Lower voltage / V", "Upper voltage / V",
    "Electrolyte", "Cathode", "Group", "Comment",
)  # fmt: skip
SILICON_PERCENT = 60.0  # of the half cells' composite

Entry = str | float | None

# Cell: stack pressure in MPa, fabrication pressure in MPa, temperature in °C, group, comment.
_NOTES: dict[str, tuple[float | None, float, float, str | None, str]] = {
    "SSB-01": (75.0, 370.0, 25.0, None, "impedance every 5 cycles"),
    "SSB-02": (75.0, 370.0, 25.0, None, "impedance every 5 cycles"),
    "SSB-03a": (75.0, 370.0, 25.0, "replicates", "same batch as SSB-03b"),
    "SSB-03b": (75.0, 370.0, 25.0, "replicates", "same batch as SSB-03a"),
    "SSB-04": (75.0, 370.0, 30.0, None, "23 mg/cm² NCM811"),
    "SSB-05": (None, 370.0, 25.0, None, "measured in the partner lab"),
    "SSB-06": (50.0, 370.0, 60.0, None, "at 60 °C"),
    "SSB-08": (75.0, 370.0, 25.0, None, "copied while the cycler was still writing"),
}


def cell_sheet() -> bytes:
    """Return the workbook with its one sheet, `cells`."""
    buffer = io.BytesIO()
    with xlsxwriter.Workbook(buffer, {"in_memory": True}) as book:
        book.set_properties({"created": CREATED})
        bold = book.add_format({"bold": True, "text_wrap": True, "valign": "top"})
        sheet = book.add_worksheet("cells")
        sheet.write_row(0, 0, HEADERS, bold)
        sheet.freeze_panes(1, 1)
        sheet.set_column(0, len(HEADERS) - 1, 15)
        for number, cell in enumerate(_NOTES, start=1):
            for column, entry in enumerate(_row(cell)):
                if entry is not None:
                    sheet.write(number, column, entry)
    return buffer.getvalue()


def _row(cell: str) -> list[Entry]:
    """Return the entries of one cell in the order of the headers."""
    build, window = BUILDS[cell], PLANS[cell].window
    pressure, pressed, celsius, group, comment = _NOTES[cell]
    tail: list[Entry] = [pressure, pressed, celsius, window.lower, window.upper, "Li6PS5Cl"]
    if build.is_full:
        masses: list[Entry] = [None, None, build.cathode_mg, build.silicon_mg]
        front: list[Entry] = ["full", "NCM811", *masses, AREA_CM2, "µSi", None, NCM811_1C]
        return [cell, f"{cell}_*", *front, *tail, "NCM811", group, comment]
    electrode = round(build.silicon_mg / SILICON_PERCENT * 100.0, 3)
    masses = [electrode, SILICON_PERCENT, None, None]
    front = ["half", "Si", *masses, AREA_CM2, "Li-In", 0.62, SILICON_1C]
    return [cell, f"{cell}_*", *front, *tail, None, group, comment]
