"""Voltages held against materials and reference, and a retention against a cell's first cycle."""

from __future__ import annotations

from collections.abc import Iterator

from cellpipe.analyses.contradiction import Contradiction, Facts
from cellpipe.analyses.slips import plain
from cellpipe.core.model import Cell

OFFSET_TOLERANCE = 0.15  # V, between a reference's potential and the sheet's offset
VOLTAGE_TOLERANCE = 0.35  # V, beyond a material's window
UNKNOWN_OFFSETS = (0.0, 1.6)  # V, of references of this field
LARGEST_RETENTION = 2.0
_SIGN = 0.05  # V, beyond which a voltage has a sign
_METALS = frozenset({"lithium", "indium"})  # families of what a half cell is measured against
_BARE = _METALS | {"lithium deposit"}  # and of what lithium is plated on from it


def hold_offset(facts: Facts) -> Iterator[Contradiction]:
    """Hold the reference offset against the potential of the counter electrode."""
    cell, counter = facts.cell, facts.cell.materials.get("counter")
    offset = cell.reference_offset_volt
    if cell.configuration != "half" or offset is None or counter is None:
        return
    if counter.potential is None or abs(offset - counter.potential) <= OFFSET_TOLERANCE:
        return
    sentence = (
        f"The reference offset is {offset:g} V in the cell sheet, but the counter electrode "
        f"{counter.name} is at {counter.potential:g} V against Li+/Li (convention)."
    )
    slip = f"the offset of {counter.name} is {counter.potential:g} V"
    if abs(offset + counter.potential) <= OFFSET_TOLERANCE:
        slip = f"its sign is reversed; {slip}"
    yield Contradiction(
        "reference offset", offset, "V", sentence, slip, is_above=offset > counter.potential
    )


def hold_mean_voltages(facts: Facts) -> Iterator[Contradiction]:
    """Hold the mean voltages of charge and discharge against the materials' windows."""
    cell, mean = facts.cell, facts.mean
    window = _allowed_voltages(cell)
    if mean is None or window is None:
        return
    low, high, words = window
    if low <= min(mean) and max(mean) <= high:
        return
    is_above = max(mean) > high
    value = max(mean) if is_above else min(mean)
    sentence = (
        f"The mean voltage is {min(mean):.3g} V in discharge and {max(mean):.3g} V in charge; "
        f"{words} {low:.3g} to {high:.3g} V (convention)."
    )
    yield Contradiction("mean voltage", value, "V", sentence, _voltage_slip(cell, mean), is_above)


def _allowed_voltages(cell: Cell) -> tuple[float, float, str] | None:
    """Return the lowest and the highest mean voltage of a cell, and what they are in words."""
    if cell.configuration == "symmetric":
        return -10.0, 10.0, "a symmetric cell has"
    if cell.configuration == "half":
        material, offset = cell.materials.get("working"), cell.reference_offset_volt
        if material is None or material.window is None:
            return None
        offsets = UNKNOWN_OFFSETS if offset is None else (offset, offset)
        low = material.window[0] - VOLTAGE_TOLERANCE - offsets[1]
        high = material.window[1] + VOLTAGE_TOLERANCE - offsets[0]
        given = "of unknown offset" if offset is None else f"with {offset:g} V offset"
        return low, high, f"a half cell of {material.name} {given} has"
    cathode, anode = cell.materials.get("cathode"), cell.materials.get("anode")
    if cell.configuration != "full" or cathode is None or cathode.window is None:
        return None
    below, above = anode.window if anode and anode.window else (0.0, 1.6)
    names = f"{cathode.name}‖{anode.name if anode else 'anode'}"
    low, high = cathode.window[0] - above, cathode.window[1] - below + VOLTAGE_TOLERANCE
    return low, high, f"a full cell {names} has"


def _voltage_slip(cell: Cell, mean: tuple[float, float]) -> str:
    """Return whether another configuration or offset explains the voltages."""
    low, high = mean
    offset = cell.reference_offset_volt or 0.0
    if cell.configuration == "half" and cell.working_electrode_role == "anode" and low > 2.0:
        return "it is a full cell, or the working electrode is the cathode"
    if cell.configuration == "half" and cell.working_electrode_role == "cathode" and high < 1.6:
        return "the working electrode is the anode"
    if cell.configuration == "full" and high < 1.6:
        return "it is a half cell of the anode"
    material = cell.materials.get("working")
    if cell.configuration == "half" and material and material.window:
        for other, name in ((0.62, "Li-In"), (0.0, "Li")):
            lowest, highest = material.window
            is_inside = lowest - 0.1 <= low + other and high + other <= highest
            if is_inside and abs(other - offset) > OFFSET_TOLERANCE:
                return f"the reference is {name}, whose offset is {other:g} V"
    return ""


def hold_window(facts: Facts) -> Iterator[Contradiction]:
    """Hold the sheet's voltage window against the ends of the half cycles."""
    low, high = facts.cell.lower_voltage_volt, facts.cell.upper_voltage_volt
    if low is None or high is None or facts.ends is None:
        return
    measured = min(facts.ends), max(facts.ends)
    if measured[0] < high and low < measured[1]:
        return
    sentence = (
        f"The voltage window is {low:g} to {high:g} V in the cell sheet, but the half cycles "
        f"end at {measured[0]:.3g} and {measured[1]:.3g} V, wholly outside it."
    )
    yield Contradiction("voltage window", high, "V", sentence, is_above=low >= measured[1])


def retention_above_usual(facts: Facts) -> Contradiction | None:
    """Return a retention at equal rate above what cells gain; None if it is usual."""
    if facts.retention is None or facts.retention <= LARGEST_RETENTION:
        return None
    if facts.cell.configuration == "symmetric":
        return None
    percent = 100 * facts.retention
    sentence = (
        f"A cycle has {plain(percent)} % of the first one's capacity at the same rate; cells of "
        f"this field seldom reach {100 * LARGEST_RETENTION:.0f} % (convention)."
    )
    cause = (
        "The first cycle was not whole, the cell was warmed or pressed later, or its material is "
        "activated by cycling."
    )
    return Contradiction("retention", percent, "%", sentence, cause)


def hold_configuration(facts: Facts) -> Iterator[Contradiction]:
    """Hold the configuration against the electrodes that are named and the voltages' sign."""
    cell, ends = facts.cell, facts.half_ends
    if ends is None or cell.configuration not in {"full", "symmetric"}:
        return
    counter, working = cell.materials.get("counter"), cell.materials.get("working")
    if cell.configuration == "symmetric":
        yield from _symmetric_of_one_sign(ends)
        if working and counter and counter.family in _METALS and working.family not in _BARE:
            sentence = (
                f"The cell sheet says symmetric, but its electrodes are {working.name} and "
                f"{counter.name}; its half cycles end at {ends[0]:.3g} to {ends[1]:.3g} V."
            )
            slip = f"it is a half cell of {working.name}"
            yield Contradiction("lowest voltage", ends[0], "V", sentence, slip, is_above=False)
        return
    if cell.materials.get("cathode") is not None or cell.working_electrode_role == "cathode":
        return
    is_against_metal = counter is not None and counter.family in _METALS
    is_anode = cell.working_electrode_role == "anode"
    if not (is_against_metal and is_anode) and ends[0] >= -_SIGN:
        return
    if cell.cathode and ends[0] >= -_SIGN:  # a cathode that the list does not have
        return
    names = working.name if working else "the working electrode"
    against = f" against {counter.name}" if counter else ""
    sentence = (
        f"The cell sheet says full and names no cathode; {names}{against} ends at "
        f"{ends[0]:.3g} and {ends[1]:.3g} V."
    )
    slip = "it is a half cell of the anode" if is_anode else ""
    yield Contradiction("lowest voltage", ends[0], "V", sentence, slip, is_above=False)


def _symmetric_of_one_sign(ends: tuple[float, float]) -> Iterator[Contradiction]:
    if min(abs(ends[0]), abs(ends[1])) <= _SIGN or ends[0] * ends[1] < 0:
        return
    sentence = (
        f"The cell sheet says symmetric, but all half cycles end between {ends[0]:.3g} and "
        f"{ends[1]:.3g} V: the voltage of a symmetric cell changes its sign with the current."
    )
    value = ends[0] if ends[0] > 0 else ends[1]
    slip = "it is a half or a full cell"
    yield Contradiction("lowest voltage", value, "V", sentence, slip, is_above=value > 0)
