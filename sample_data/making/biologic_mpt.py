"""BioLogic `.mpt`: EC-Lab's text export, cp1252, tab-separated, with or without decimal commas."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

GCPL_NAMES = (
    "mode", "ox/red", "error", "control changes", "Ns changes", "counter inc.", "Ns", "time/s",
    "dq/mA.h", "(Q-Qo)/mA.h", "control/V/mA", "Ewe/V", "I Range", "Q charge/discharge/mA.h",
    "half cycle", "<I>/mA", "Q discharge/mA.h", "Q charge/mA.h", "Capacity/mA.h", "control/V",
    "control/mA", "cycle number",
)  # fmt: skip
PEIS_NAMES = (
    "freq/Hz", "Re(Z)/Ohm", "-Im(Z)/Ohm", "|Z|/Ohm", "Phase(Z)/deg", "time/s", "<Ewe>/V",
    "<I>/mA", "Cs/µF", "Cp/µF", "cycle number", "I Range", "|Ewe|/V", "|I|/A", "Ns",
    "(Q-Qo)/mA.h",
)  # fmt: skip


@dataclass(frozen=True)
class TextHeading:
    """What stands above the columns of an export."""

    technique: str
    file_name: str
    begun: datetime
    technique_begun: datetime
    channel: int
    comment: str
    electrode: str
    electrolyte: str
    area_cm2: float
    active_mass_mg: float
    capacity_mah: float
    parameters: Sequence[tuple[str, Sequence[str]]]
    loops: Sequence[int]


def mpt_file(
    heading: TextHeading, names: Sequence[str], rows: Sequence[str], *, comma: bool
) -> bytes:
    """Return the bytes of an export. With `comma` every number has a decimal comma."""
    above = _heading_lines(heading, comma=comma)
    count = len(above) + 3
    head = ["EC-Lab ASCII FILE", f"Nb header lines : {count:<28}", *above]
    body = [row.replace(".", ",") for row in rows] if comma else list(rows)
    text = "\r\n".join([*head, "\t".join(names) + "\t", *body]) + "\r\n"
    return text.encode("cp1252")


def _heading_lines(heading: TextHeading, *, comma: bool) -> list[str]:
    """All lines between the count of header lines and the names of the columns."""
    fixed = [
        "",
        heading.technique,
        "",
        f"Run on channel : {heading.channel} (SN 15266)",
        "User : ",
        "Electrode connection : standard",
        "Potential control : Ewe",
        f"Ewe ctrl range : min = {_number(-2.5, 2, comma)} V, max = {_number(5.0, 2, comma)} V",
        "Safety Limits :",
        "\tDo not start on E overload",
        f"Acquisition started on : {_moment(heading.begun)}",
        f"Technique started on : {_moment(heading.technique_begun)}",
        "Loaded Setting File : NONE",
        "Saved on :",
        f"\tFile : {heading.file_name.removesuffix('.mpt')}.mpr",
        "\tDirectory : C:\\Users\\lab\\Documents\\EC-Lab\\Data\\",
        "\tHost : 192.168.0.12",
        "Device : SP-300 (SN 1854)",
        "Address : 192.168.0.20",
        "EC-Lab for windows v11.46 (software)",
        "Internet server v11.46 (firmware)",
        "Command interpretor v11.46 (firmware)",
        f"Electrode material : {heading.electrode}",
        "Initial state : ",
        f"Electrolyte : {heading.electrolyte}",
        f"Comments : {heading.comment}",
        f"Mass of active material : {_number(heading.active_mass_mg, 3, comma)} mg",
        f" at x = {_number(0.0, 3, comma)}",
        f"Battery capacity : {_number(heading.capacity_mah, 3, comma)} mA.h",
        f"Electrode surface area : {_number(heading.area_cm2, 3, comma)} cm²",
        f"Characteristic mass : {_number(heading.active_mass_mg, 3, comma)} mg",
        "Cycle Definition : Charge/Discharge alternance",
    ]
    return [*fixed, *_parameter_lines(heading, comma=comma), "", *_loop_lines(heading.loops), ""]


def _number(value: float, digits: int, comma: bool) -> str:
    """Return a number of the header."""
    text = f"{value:.{digits}f}"
    return text.replace(".", ",") if comma else text


def _moment(moment: datetime) -> str:
    """Month, day, year and milliseconds, as EC-Lab prints them."""
    return moment.strftime("%m/%d/%Y %H:%M:%S.") + f"{moment.microsecond // 1000:03d}"


def _parameter_lines(heading: TextHeading, *, comma: bool) -> list[str]:
    """Columns of 20 characters: the name, then one value per sequence."""
    lines = []
    for name, values in heading.parameters:
        shown = [
            value.replace(".", ",") if comma and value[0] != "<" else value for value in values
        ]
        lines.append("".join(f"{cell:<20}" for cell in (name, *shown)))
    return lines


def _loop_lines(starts: Sequence[int]) -> list[str]:
    """Which points belong to which loop."""
    pairs = list(pairwise(starts))
    lines = [f"Loop {n} from point number {a} to {b - 1}" for n, (a, b) in enumerate(pairs)]
    return [f"Number of loops : {len(pairs)}", *lines]


def exponent_text(value: float, digits: int) -> str:
    """Return a number as EC-Lab prints it: 15 or 7 decimals and an exponent of three digits."""
    mantissa, exponent = f"{value:.{digits}E}".split("E")
    return f"{mantissa}E{exponent[0]}{int(exponent[1:]):03d}"


def galvanostatic_rows(table: NDArray[np.void], currents: Sequence[float]) -> list[str]:
    """Return the rows of a GCPL export, with the columns that EC-Lab derives when it exports.

    `cycle number` is the half cycle divided by two; charge and discharge are the positive and the
    negative part of `Q charge/discharge`.
    """
    rows = []
    for record, current in zip(table, currents, strict=True):
        flags, half, q_half = int(record["flags"]), int(record["half"]), float(record["q_half"])
        mode, control = flags & 3, float(record["control"])
        bits = [mode, *(int(bool(flags & bit)) for bit in (0x04, 0x08, 0x10, 0x20, 0x80))]
        charges = [max(0.0, -q_half), max(0.0, q_half), abs(q_half)]
        controls = [control if mode == 2 else 0.0, control if mode == 1 else 0.0]
        cells = [
            *(str(bit) for bit in bits),
            str(int(record["sequence"])),
            *(exponent_text(float(record[name]), 15) for name in ("time", "dq", "q")),
            *(exponent_text(float(record[name]), 7) for name in ("control", "volt")),
            str(int(record["range"])),
            exponent_text(q_half, 15),
            str(half),
            exponent_text(current, 15),
            *(exponent_text(charge, 15) for charge in charges),
            *(exponent_text(value, 7) for value in controls),
            exponent_text(float(half // 2), 15),
        ]
        rows.append("\t".join(cells))
    return rows


def impedance_rows(table: NDArray[np.void]) -> list[str]:
    """Return the rows of a PEIS export."""
    digits = {"time": 15, "cycle": 15, "q": 15}
    whole = {"range", "sequence"}
    names = table.dtype.names or ()
    return [
        "\t".join(
            str(int(row[name])) if name in whole
            else exponent_text(float(row[name]), digits.get(name, 7))
            for name in names
        )
        for row in table
    ]  # fmt: skip
