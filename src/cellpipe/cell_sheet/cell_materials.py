"""Which materials a row of the sheet names, and which of its names are not known."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from cellpipe.baselines.known_materials import Materials
from cellpipe.baselines.materials import electrolyte_family
from cellpipe.core.model import Cell, Finding, Material

_ANODE = ("anode", "reference")
_MOST_NAMED = 12


def resolve_materials(cell: Cell, materials: Materials) -> dict[str, Material]:
    """Return the materials of a cell by what they are in it; unknown names are left out.

    ``working`` and ``counter`` are as the sheet has them. ``cathode`` and ``anode`` are those
    electrodes of it, whichever column names them.
    """
    working = materials.find(cell.working_electrode, ("cathode", "anode", "reference"))
    counter = materials.find(cell.counter_electrode, ("cathode", "anode", "reference"))
    cathode = materials.find(cell.cathode, ("cathode",))
    plain = materials.find("Si", _ANODE)
    silicon = (materials.find(cell.silicon, _ANODE) or plain) if cell.silicon else None
    sides = (working, counter)
    is_half_anode = cell.configuration == "half" and cell.working_electrode_role == "anode"
    if "working_electrode_role" in cell.inferred:
        working = silicon or plain
    elif working is None and is_half_anode:
        working = silicon
    found = {
        "working": working,
        "counter": counter,
        "cathode": cathode or _first_of(sides, "cathode"),
        "anode": _first_of(sides, "anode") or silicon,
        "electrolyte": materials.find(cell.electrolyte, ("electrolyte",)),
    }
    return {name: each for name, each in found.items() if each is not None}


def _first_of(sides: Iterable[Material | None], role: str) -> Material | None:
    return next((each for each in sides if each is not None and role in each.roles), None)


def unknown_names(cells: Iterable[Cell], file: str) -> list[Finding]:
    """Return one finding that names the materials of a sheet that no list has, each once."""
    unknown: dict[str, None] = {}
    for cell in cells:
        for name in _names_of(cell, cell.materials):
            unknown.setdefault(name)
    if not unknown:
        return []
    names = [f"'{name}'" for name in unknown]
    shown = ", ".join(names[:_MOST_NAMED])
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    sentence = (
        f"{file}: {shown}{more} {'is' if len(names) == 1 else 'are'} not in the list of materials: "
        "the name stays as it is, and nothing is held against that material's theory. A file "
        "materials.yaml beside the sheet can add it."
    )
    return [Finding("info", "material_unknown", sentence, len(names))]


def _names_of(cell: Cell, known: Mapping[str, Material]) -> list[str]:
    """Return the names of a row that stand for no known material."""
    pairs = [
        (cell.working_electrode, "working" in known or cell.working_electrode_role is None),
        (cell.counter_electrode, "counter" in known),
        (cell.cathode, "cathode" in known),
        (cell.electrolyte, "electrolyte" in known or electrolyte_family(cell.electrolyte)),
    ]
    words = {"anode", "cathode"}
    return [
        name
        for name, is_known in pairs
        if name and not is_known and name.strip().lower() not in words
    ]
