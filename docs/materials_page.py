"""The page of materials and limits, from the list of materials and the limits in the code."""

from __future__ import annotations

from cellpipe.analyses import contradiction, plausible_areas, plausible_capacities, slips
from cellpipe.analyses import plausible_voltages as voltages
from cellpipe.analyses.plausibility import CONFIRMED_WITHIN
from cellpipe.baselines.known_materials import Entry, known_materials

_HEAD = """# Materials and limits

The names of electrodes and electrolytes in the cell sheet are looked up in the list below: case,
spaces, `-` and `_` don't count, small digits are digits and µ is u. `Si/LPSCl/C 60:35:5`,
`anode: µSi` and `NCM85` are understood, too. Of several names, a cathode goes before what coats,
dopes or marks it (`SC-NCM811`, `LTO@LCO`), a mixture of anodes (`graphite + 5 % Si`) is limited by
what holds most, and what it lies on (`Si on Cu`) does not count. A name that is not in the list
stays as it is; nothing is held against its theory, and one note names all such names of a sheet.

## A lab's own materials

A file `materials.yaml` beside the cell sheet adds materials, or changes those of the list. An entry
that is called like one here replaces what it says anew, adds its names and keeps the rest:

```yaml
Si:
  names: [our silicon, Si-7]
My cathode:
  names: [MC1, LiXYZ]
  role: [cathode]
  family: NCM
  formula: LiNi0.7Co0.1Mn0.2O2
  lithium: 1
  window: [2.5, 4.5]
  sources: {capacity: computed from formula}
```

With `formula` and `lithium` the theoretical capacity is computed; a `capacity` or a `molar_mass`
that is written, too, is held against them. Without a formula, `capacity` (mAh/g) counts. An entry
that can't be used is left out, and a finding names the file, the entry, the field, what was found
and what is expected; the others are used.

"""


def materials_page() -> str:
    """Every material with its names and figures, and every limit that numbers are held against."""
    entries = known_materials().entries
    parts = [_HEAD, _limits(), f"\n## The list\n\n{len(entries)} materials. "]
    parts.append(
        "Capacities and molar masses are computed from the formulas with standard atomic weights; "
        "windows, potentials and densities are handbook values (convention). ≤ marks an upper "
        "bound, where the composition is open.\n\n"
        "| Material | Names | Role | Family | mAh/g | Counted to | Window (V vs Li⁺/Li) | g/cm³ | "
        "g/mol | Source of the capacity |\n|---|---|---|---|---|---|---|---|---|---|\n"
    )
    parts += [_row(name, entry) for name, entry in entries.items()]
    return "".join(parts)


def _row(name: str, entry: Entry) -> str:
    material = entry.material(name)
    capacity = ""
    if material.capacity is not None:
        capacity = f"{'≤ ' if material.is_upper else ''}{material.capacity:.0f}"
    phase = material.phase
    if material.most_capacity is not None:
        capacity += f" ({material.most_capacity:.0f})"
        phase += f" ({material.most_phase})"
    window = "" if material.window is None else f"{material.window[0]:g} to {material.window[1]:g}"
    if material.potential is not None:
        window += f"; as a reference {material.potential:g}"
    shown = [
        name, ", ".join(entry.names), ", ".join(material.roles), material.family, capacity, phase,
        window, _number(material.density), _number(material.molar_mass), material.source,
    ]  # fmt: skip
    return f"| {' | '.join((each or '–').replace('|', '‖') for each in shown)} |\n"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.6g}"


def limit_rows() -> list[tuple[str, str, str]]:
    """Return each kind of contradiction, the limit, and where it is from."""
    margin, densest = contradiction.MARGIN, contradiction.DENSEST
    low, high = plausible_areas.LOADINGS
    least, most = plausible_capacities.NOMINAL_SHARES
    largest = slips.LARGEST_AREAL
    return [
        ("specific capacity", f"what comes back in the best complete cycle (silicon: the "
         f"delithiation) is at most {margin:g} × the theoretical capacity of the material; of an "
         f"unknown one, of lithium's {densest:g} mAh/g; what went in first, where nothing came "
         f"back yet, at most {contradiction.ONE_WAY_MARGIN:g} ×", "formula, or DOI of the list"),
        ("specific capacity", "a thousandth of the usual one, at less than "
         f"{plausible_capacities.SLOWEST_RATE:g}C", "convention"),
        ("first lithiation", f"of a silicon half cell at most {margin:g} × Li22Si5 (x = 4.4), "
         f"where {100 * plausible_capacities.LARGEST_LITHIATION_FROM:g} % or more came back",
         "formula"),
        ("1C capacity", f"between {least:g} × the theoretical capacity and {margin:g} × the "
         f"largest one; the best cycle gives at most {most:g} × 1C", "formula; convention"),
        ("N/P ratio", "the sheet's is within what both masses allow, from a fourth of the anode's "
         "theory over all of the cathode's to all of the anode's over 0.4 of the cathode's",
         "formula"),
        ("areal capacity", f"at most {largest:g} mAh/cm²", "convention"),
        ("area", f"no more than {slips.LARGE_AREA:g} cm² with less than "
         f"{slips.LITTLE_CHARGE:g} mAh/cm² in a complete cycle; above "
         f"{plausible_areas.PRESSED_AREA:g} cm² with less than 0.5 mAh/cm², area times pressure is "
         f"at most {plausible_areas.LARGEST_FORCE / 1e6:g} MN; a film whose mass has its charge "
         "may be large", "convention"),
        ("loading", f"{low:g} to {high:g} mg/cm², and by theory at most {largest:g} mAh/cm²: the "
         "limits follow the area, so that 0.02 mg of a thin film is a mass; foils and wafers may "
         f"hold more; a cathode of more than {plausible_areas.THICKEST_CATHODE:g} mg/cm² gives "
         "what its mass should", "convention"),
        ("current density", f"at most {plausible_areas.LARGEST_CURRENT_DENSITY:g} mA/cm²",
         "convention"),
        ("reference offset", f"within {voltages.OFFSET_TOLERANCE:g} V of the potential of the "
         "counter electrode", "convention"),
        ("mean voltage", f"of charge and discharge within the material's window and "
         f"{voltages.VOLTAGE_TOLERANCE:g} V; of a full cell within that of both electrodes",
         "convention"),
        ("lowest voltage", "a full cell without a named cathode is not measured against Li or "
         "Li-In and does not end below 0 V; the voltage of a symmetric cell changes its sign, "
         "and its electrodes are alike",
         "convention"),
        ("voltage window", "the sheet's overlaps what was measured", "the file"),
        ("retention", f"at equal rate at most {100 * voltages.LARGEST_RETENTION:g} %, where the "
         "first cycle's efficiency or a specific capacity is broken, too; else it is a check",
         "convention"),
    ]  # fmt: skip


def _limits() -> str:
    rows = "".join(f"| {kind} | {limit} | {source} |\n" for kind, limit, source in limit_rows())
    return (
        "## What numbers are held against\n\nA number beyond its limit contradicts physics: the "
        "mass, the area, the unit or the kind of the cell is wrong, or the file is. The finding "
        "says the number, the limit, its source, and the likely slip (a decimal point, g for mg, "
        "mm² for cm², mA for A, masses swapped, full for half …) if the number is a usual one "
        "without it. The cell stands in red on its page, the index, in the digest, in `cellpipe "
        "status` and in the workbooks; it is in no comparison and no group mean, and is not "
        "handed on.\n\nTo keep such a number, write what the finding asks for into the sheet's "
        "column `Confirmed`, such as `specific capacity 3900 mAh/g`; several with `;`. That covers "
        f"this kind up to {100 * (CONFIRMED_WITHIN - 1):.0f} % beyond the number, and no other.\n\n"
        f"| Kind | Limit | From |\n|---|---|---|\n{rows}"
    )
