"""Capacities, masses and their ratios, held against the theory of the materials."""

from __future__ import annotations

from collections.abc import Iterator

from cellpipe.analyses.contradiction import (
    DENSEST,
    MARGIN,
    ONE_WAY_MARGIN,
    Contradiction,
    Facts,
    electrodes_of,
    source_of,
    theory_limit,
)
from cellpipe.analyses.cycles import active_mass
from cellpipe.analyses.slips import Electrode, explain_ratio, explain_specific_capacity, plain
from cellpipe.baselines.formulas import FARADAY, molar_mass
from cellpipe.core.model import Cell, Material

LARGEST_LITHIATION_FROM = 0.7  # share that comes back, of a first lithiation that is a sound one
NOMINAL_SHARES = (0.02, 3.0)  # 1C over theory, and the best cycle over 1C
_BEST = "what comes back in the best cycle"
SLOWEST_RATE = 0.002  # C
_NP_SHARES = (0.25, 0.4)  # of theory, that an anode and a cathode give at least


def hold_specific_capacities(facts: Facts) -> Iterator[Contradiction]:
    """Hold what comes back per active mass against the theory of its material."""
    cell = facts.cell
    masses = electrodes_of(cell)
    for name, mass, material in masses:
        limit = theory_limit(material)
        if facts.charge is None or limit is None:
            continue
        specific = 1e3 * facts.charge / mass
        margin = ONE_WAY_MARGIN if facts.is_one_way else MARGIN
        if specific <= margin * limit[0]:
            continue
        others = [(other, known) for side, other, known in masses if side != name]
        other, known = others[0] if others else (None, None)
        expected = _expected_capacity(cell, name, limit[0])
        electrode = Electrode(
            facts.charge, mass, cell.area_cm2, expected, other, known.capacity if known else None
        )
        slip = explain_specific_capacity(electrode) if material else ""
        of = f" of the {name}" if cell.configuration == "full" else ""
        came = "what went in; nothing came back yet" if facts.is_one_way else _BEST
        sentence = (
            f"The specific capacity{of} is {plain(specific)} mAh/g ({came}, "
            f"with {plain(mass)} mg), {specific / limit[0]:.3g} times {plain(limit[0])} "
            f"mAh/g, {limit[1]}; the limit is {margin:g} times it."
        )
        yield Contradiction(f"specific capacity{of}", specific, "mAh/g", sentence, slip)


def hold_small_capacities(facts: Facts) -> Iterator[Contradiction]:
    """Hold a file whose charge and current are a thousandth against mass and 1C.

    A cell that holds next to nothing at a usual rate may be broken; one whose half cycles last
    hours at a current that would take months for 1C has its numbers in another unit.
    """
    cell = facts.cell
    for name, mass, material in electrodes_of(cell):
        limit = theory_limit(material)
        if not facts.is_whole or not facts.charge or not facts.current or limit is None:
            continue
        if material is None or material.is_upper:
            continue
        specific, expected = 1e3 * facts.charge / mass, _expected_capacity(cell, name, limit[0])
        rate = 1e3 * facts.current / mass / expected
        share = 1e3 * specific / expected
        if not 0.3 <= share <= 1.1 or rate > SLOWEST_RATE:
            continue
        of = f" of the {name}" if cell.configuration == "full" else ""
        sentence = (
            f"The specific capacity{of} is {plain(specific)} mAh/g at {rate:.1g}C, of "
            f"{plain(expected)} mAh/g: nobody cycles that slowly ({SLOWEST_RATE:g}C, convention)."
        )
        slip = "the file's charge and current are in A or Ah, and were taken for mA or mAh"
        kind = f"specific capacity{of}"
        yield Contradiction(kind, specific, "mAh/g", sentence, slip, is_above=False)
        return


def _expected_capacity(cell: Cell, name: str, theory: float) -> float:
    """Return the capacity that an electrode usually gives: 1C of the sheet where it can be one."""
    nominal = cell.nominal_capacity_mah_per_g
    _, basis = active_mass(cell)
    is_own = basis == f"{name} active mass" and nominal is not None
    return nominal if is_own and nominal and 0.2 * theory <= nominal <= theory else theory


def hold_lithiations(facts: Facts) -> Iterator[Contradiction]:
    """Hold a first lithiation of silicon against its lithium-richest phase."""
    for name, mass, material in electrodes_of(facts.cell):
        is_silicon = material is not None and material.family == "silicon"
        if facts.cell.configuration != "half" or name != "anode" or not material or not is_silicon:
            continue
        if material.most_capacity is None or facts.first_lithiation is None:
            continue
        specific = 1e3 * facts.first_lithiation / mass
        returned = facts.first_efficiency or 0.0
        if specific <= MARGIN * material.most_capacity or returned < LARGEST_LITHIATION_FROM:
            continue
        x = 3.6 * specific * molar_mass("Si") / FARADAY
        sentence = (
            f"The first lithiation is {plain(specific)} mAh/g, x = {x:.3g} in LixSi, of which "
            f"{100 * returned:.0f} % came back; the limit is {MARGIN:g} times "
            f"{plain(material.most_capacity)} mAh/g of {material.most_phase} "
            f"({source_of(material)})."
        )
        yield Contradiction("first lithiation", specific, "mAh/g", sentence)


def hold_nominal_capacity(facts: Facts) -> Iterator[Contradiction]:
    """Hold the 1C of the sheet against the material, and against what the cell gives."""
    cell, nominal = facts.cell, facts.cell.nominal_capacity_mah_per_g
    mass, basis = active_mass(cell)
    name = (basis or "").partition(" ")[0]
    place = "working" if cell.configuration == "half" else name
    material = cell.materials.get(place)
    limit = theory_limit(material) if material else None
    if nominal is None or cell.configuration == "symmetric":
        return
    largest = None if limit is None or material is None else (material.most_capacity or limit[0])
    other = cell.materials.get("anode" if name == "cathode" else "cathode")
    kind, unit = "1C capacity", "mAh/g"
    if limit and material and largest and nominal > MARGIN * largest:
        slip = explain_ratio(nominal, limit[0], "1C")
        if other is not None and other.capacity and 0.3 <= nominal / other.capacity <= MARGIN:
            slip = f"it is that of the other electrode, {other.name}"
        sentence = (
            f"1C is {plain(nominal)} mAh/g in the cell sheet, {nominal / largest:.3g} times what "
            f"{material.name} can hold ({plain(largest)} mAh/g, {source_of(material)}): C-rates "
            "are wrong by that."
        )
        yield Contradiction(kind, nominal, unit, sentence, slip)
    elif limit and material and not material.is_upper and nominal < NOMINAL_SHARES[0] * limit[0]:
        sentence = (
            f"1C is {plain(nominal)} mAh/g in the cell sheet, {nominal / limit[0]:.2g} times what "
            f"{material.name} holds ({plain(limit[0])} mAh/g, {source_of(material)})."
        )
        slip = explain_ratio(nominal, limit[0], "1C")
        yield Contradiction(kind, nominal, unit, sentence, slip, is_above=False)
    elif mass and facts.charge is not None:
        specific = 1e3 * facts.charge / mass
        if specific > NOMINAL_SHARES[1] * nominal:
            sentence = (
                f"The best cycle gives {plain(specific)} mAh/g, {specific / nominal:.3g} times the "
                f"1C capacity of the cell sheet ({plain(nominal)} mAh/g; the limit is "
                f"{NOMINAL_SHARES[1]:g} times it): C-rates are wrong by that."
            )
            slip = ""
            if other is not None and other.capacity and 0.3 <= nominal / other.capacity <= MARGIN:
                slip = f"1C is that of the other electrode, {other.name}"
            slip = slip or explain_ratio(nominal, specific, "1C")
            yield Contradiction(kind, nominal, unit, sentence, slip, is_above=False)


def hold_np_ratio(facts: Facts) -> Iterator[Contradiction]:
    """Hold the N/P ratio of the sheet against its masses."""
    cell, given = facts.cell, facts.cell.np_ratio
    cathode_mass, anode_mass = cell.cathode_active_mass_mg, cell.anode_active_mass_mg
    cathode, anode = cell.materials.get("cathode"), cell.materials.get("anode")
    if not given or not cathode_mass or not anode_mass or not cathode or not cathode.capacity:
        return
    if cell.configuration != "full" or (anode is not None and anode.capacity is None):
        return
    most = DENSEST if anode is None else anode.most_capacity or anode.capacity or DENSEST
    is_open = anode is None or anode.is_upper or not anode.capacity  # may hold much less
    least = 0.0 if is_open or not anode else _NP_SHARES[0] * (anode.capacity or 0.0)
    ratio = anode_mass / cathode_mass
    low = ratio * least / (cathode.most_capacity or cathode.capacity)
    high = ratio * MARGIN * most / (_NP_SHARES[1] * cathode.capacity)
    if low <= given <= high:
        return
    usual = ratio * ((anode.capacity if anode else None) or DENSEST) / cathode.capacity
    sentence = (
        f"The N/P ratio is {given:.3g} in the cell sheet, but its masses ({plain(anode_mass)} mg "
        f"{anode.name if anode else 'of the anode'}, {plain(cathode_mass)} mg {cathode.name}) "
        f"allow {f'{low:.2g} to' if low else 'at most'} {high:.2g}: {usual:.2g} by theory."
    )
    slip = _np_slip(facts, given / usual, cathode.capacity, anode)
    slip = slip or explain_ratio(given, usual, "N/P")
    yield Contradiction("N/P ratio", given, "", sentence, slip, is_above=given > high)


def _np_slip(facts: Facts, off: float, cathode: float, anode: Material | None) -> str:
    """Return which mass explains an N/P ratio, if the charge says so; empty if none does."""
    cell, charge = facts.cell, facts.charge
    anode_mass, cathode_mass = cell.anode_active_mass_mg or 0.0, cell.cathode_active_mass_mg or 0.0
    capacity = (anode.capacity if anode else None) or DENSEST
    tried = [(f, 1.0) for f in (10.0, 0.1, 1000.0, 0.001)] + [(1.0, f) for f in (10.0, 0.1)]
    for of_anode, of_cathode in tried:
        if charge is None or not 0.4 <= off / (of_anode / of_cathode) <= 2.5:
            continue
        per_cathode = 1e3 * charge / (of_cathode * cathode_mass) / cathode
        per_anode = 1e3 * charge / (of_anode * anode_mass) / capacity
        if 0.3 <= per_cathode <= MARGIN and 0.1 <= per_anode <= MARGIN:
            name = "anode" if of_anode != 1 else "cathode"
            mass = of_anode * anode_mass if of_anode != 1 else of_cathode * cathode_mass
            return f"the mass of the {name} is {plain(mass)} mg"
    return ""
