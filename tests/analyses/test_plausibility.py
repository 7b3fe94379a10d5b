"""What contradicts physics is seen, with its cause where a slip explains it; sound cells are not.

The cells below are sound ones of this field, and each slip is one that people make in a sheet.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import polars as pl
import pytest

from cellpipe.analyses.cells import ANALYSIS
from cellpipe.analyses.contradiction import Contradiction
from cellpipe.analyses.execution import restrict_cell
from cellpipe.analyses.plausibility import (
    contradiction_findings,
    find_contradictions,
    is_confirmed,
)
from cellpipe.baselines.known_materials import known_materials
from cellpipe.cell_sheet.cell_materials import resolve_materials
from cellpipe.core.contracts import empty_table
from cellpipe.core.model import Cell

SILICON = Cell(
    "half", "half", working_electrode="Si", working_electrode_role="anode",
    anode_active_mass_mg=1.2, area_cm2=0.785, counter_electrode="Li-In",
    reference_offset_volt=0.62, nominal_capacity_mah_per_g=3579, fabrication_pressure_mpa=370,
    lower_voltage_volt=-0.6, upper_voltage_volt=0.9, electrolyte="LPSCl",
)  # fmt: skip
FULL = Cell(
    "full", "full", working_electrode="NCM811", working_electrode_role="cathode",
    cathode="NCM811", counter_electrode="µSi", cathode_active_mass_mg=15.7,
    anode_active_mass_mg=1.2, area_cm2=0.785, np_ratio=1.1, nominal_capacity_mah_per_g=200,
    fabrication_pressure_mpa=370, lower_voltage_volt=2.5, upper_voltage_volt=4.2,
)  # fmt: skip
CATHODE = Cell(
    "cathode", "half", working_electrode="NMC622", working_electrode_role="cathode",
    cathode_active_mass_mg=10.0, area_cm2=0.785, counter_electrode="In",
    reference_offset_volt=0.62, nominal_capacity_mah_per_g=180,
)  # fmt: skip
FILM = Cell(
    "film", "half", working_electrode="Si thin film", working_electrode_role="anode",
    anode_active_mass_mg=0.02, area_cm2=0.5, counter_electrode="Li", reference_offset_volt=0.0,
)  # fmt: skip
# First half cycle and second of the first cycle, mAh; mean and end voltages of discharge, charge.
MEASURED: dict[str, dict[str, Any]] = {
    "half": {"discharge": 4.32, "charge": 3.72, "mean": (-0.40, -0.17), "ends": (-0.6, 0.9)},
    "full": {"discharge": 2.9, "charge": 3.4, "mean": (3.4, 3.7), "ends": (2.5, 4.2)},
    "cathode": {"discharge": 1.75, "charge": 2.0, "mean": (3.1, 3.3), "ends": (1.9, 3.7)},
    "film": {"discharge": 0.07, "charge": 0.06, "mean": (0.2, 0.45), "ends": (0.01, 1.2)},
}


def tables(
    discharge: float, charge: float, mean: tuple[float, float], ends: tuple[float, float],
    retention: float = 1.0, current: float = 0.3,
) -> tuple[pl.DataFrame, pl.DataFrame]:  # fmt: skip
    """Return two complete cycles, of which the second has the retention, and their half cycles."""
    rows = [
        {
            "cycle": n, "complete": True, "charging_capacity_ah": charge / 1e3 * left,
            "discharging_capacity_ah": discharge / 1e3 * left,
            "coulombic_efficiency": min(charge, discharge) / max(charge, discharge),
            "capacity_retention_at_rate": left, "mean_discharging_voltage_volt": mean[0],
            "mean_charging_voltage_volt": mean[1], "end_discharging_voltage_volt": ends[0],
            "end_charging_voltage_volt": ends[1],
        }
        for n, left in ((1, 1.0), (2, retention))
    ]  # fmt: skip
    halves = [
        {
            "half_cycle": n,
            "direction": d,
            "capacity_ah": q / 1e3,
            "constant_current_ampere": current / 1e3,
            "end_voltage_volt": end,
        }
        for n, (d, q, end) in enumerate(
            (("discharge", discharge, ends[0]), ("charge", charge, ends[1])), 1
        )
    ]
    cycles = pl.concat(
        [empty_table("cycles"), pl.DataFrame(rows)], how="diagonal_relaxed"
    )  # fmt: skip
    half_cycles = pl.concat(
        [empty_table("half_cycles"), pl.DataFrame(halves)], how="diagonal_relaxed"
    )
    return cycles, half_cycles


def with_materials(cell: Cell) -> Cell:
    return replace(cell, materials=resolve_materials(cell, known_materials()))


def said(cell: Cell, **measured: Any) -> dict[str, str]:
    """Return the kinds of contradictions of a cell, each with the slip that is named for it."""
    given = MEASURED[cell.cell_id] | measured
    shown = restrict_cell(with_materials(cell), ANALYSIS.fields)  # what the analysis names
    found = find_contradictions(shown, *tables(**given))
    return {c.kind: c.slip for c in found if not c.is_check}


@pytest.mark.parametrize("cell", [SILICON, FULL, CATHODE, FILM], ids=lambda cell: cell.cell_id)
def test_a_sound_cell_contradicts_nothing(cell: Cell) -> None:
    assert said(cell) == {}


def test_a_first_lithiation_above_theory_is_healthy_if_less_comes_back() -> None:
    mass = SILICON.anode_active_mass_mg or 0.0
    assert said(SILICON, discharge=3.738 * mass, charge=3.3 * mass) == {}
    assert "specific capacity" in said(SILICON, discharge=4.3 * mass, charge=3.9 * mass)
    assert "first lithiation" in said(SILICON, discharge=4.6 * mass, charge=3.7 * mass)


# A slip: the cell, what is changed of its sheet or of its numbers, the kind, words of the cause.
SLIPS: tuple[tuple[str, Cell, dict[str, Any], dict[str, Any], str, str], ...] = (
    ("mass ÷ 10", SILICON, {"anode_active_mass_mg": 0.12}, {}, "specific capacity",
     "with 1.2 mg it would be 3100 mAh/g"),
    ("mass in g", SILICON, {"anode_active_mass_mg": 0.0012}, {}, "specific capacity",
     "written in g, not in mg: with 1.2 mg"),
    ("mass in g, no area", SILICON, {"anode_active_mass_mg": 0.0012, "area_cm2": None}, {},
     "specific capacity", "written in g, not in mg"),
    ("mass × 10", SILICON, {"anode_active_mass_mg": 12.0}, {}, "loading",
     "the mass would be 1.2 mg"),
    ("area in mm²", SILICON, {"area_cm2": 78.5}, {}, "area",
     "written in mm²: it would be 0.785 cm²"),
    ("area ÷ 100", SILICON, {"area_cm2": 0.01}, {}, "areal capacity", "it would be 1 cm²"),
    ("area ÷ 10", SILICON, {"area_cm2": 0.0785}, {}, "areal capacity", "it would be 0.785 cm²"),
    ("1C of another electrode", SILICON, {"nominal_capacity_mah_per_g": 200}, {}, "1C capacity",
     ""),
    ("1C ÷ 10", SILICON, {"nominal_capacity_mah_per_g": 357.9}, {}, "1C capacity",
     "1C would be 3579"),
    ("1C in Ah/g", SILICON, {"nominal_capacity_mah_per_g": 3.579}, {}, "1C capacity",
     "sign of thousands was taken for a decimal one"),
    ("no offset for Li-In", SILICON, {"reference_offset_volt": 0.0}, {}, "reference offset",
     "the offset of Li-In is 0.62 V"),
    ("offset of reversed sign", SILICON, {"reference_offset_volt": -0.62}, {},
     "reference offset", "its sign is reversed"),
    ("half for full", SILICON,
     {"configuration": "full", "cathode": "NCM811", "counter_electrode": None}, {},
     "mean voltage", "it is a half cell of the anode"),
    ("full for half", SILICON, {}, {"mean": (3.9, 4.7), "ends": (2.5, 4.9)}, "mean voltage",
     "it is a full cell"),
    ("mA taken for A", SILICON, {}, {"discharge": 4320.0, "charge": 3720.0}, "specific capacity",
     "in mAh or mA, and was taken for Ah or A"),
    ("cathode's mass ÷ 10", FULL, {"cathode_active_mass_mg": 1.57}, {},
     "specific capacity of the cathode", "with 15.7 mg it would be 184.7 mAh/g"),
    ("anode's mass ÷ 10", FULL, {"anode_active_mass_mg": 0.12}, {},
     "specific capacity of the anode", "with 1.2 mg it would be 2417 mAh/g"),
    ("masses swapped", FULL, {"cathode_active_mass_mg": 1.2, "anode_active_mass_mg": 15.7}, {},
     "specific capacity of the cathode", "the two masses are swapped"),
    ("cathode's mass × 10", FULL, {"cathode_active_mass_mg": 157.0}, {},
     "loading of the cathode", "the mass would be 15.7 mg"),
    ("N/P × 10", FULL, {"np_ratio": 11.0}, {}, "N/P ratio", "N/P would be 1.1"),
    ("N/P of 5", FULL, {"np_ratio": 5.0}, {}, "N/P ratio", ""),
    ("1C of the anode", FULL, {"nominal_capacity_mah_per_g": 3579}, {}, "1C capacity",
     "it is that of the other electrode, Si"),
    ("window of another cell", FULL, {"lower_voltage_volt": 0.01, "upper_voltage_volt": 1.0}, {},
     "voltage window", ""),
    ("area of 154", FULL, {"area_cm2": 154.0}, {}, "area", "it would be 1.54 cm²"),
    ("cathode called Si", CATHODE, {"working_electrode": "Si", "working_electrode_role": "anode",
     "anode_active_mass_mg": 10.0}, {}, "mean voltage", "the working electrode is the cathode"),
    ("retention of 425 %", FULL, {}, {"retention": 4.25, "discharge": 0.68}, "retention", ""),
    ("mass ÷ 2", SILICON, {"anode_active_mass_mg": 0.6}, {}, "specific capacity", ""),
)  # fmt: skip


@pytest.mark.parametrize(
    ("cell", "changed", "measured", "kind", "cause"),
    [pytest.param(*slip[1:], id=slip[0]) for slip in SLIPS],
)
def test_a_slip_is_seen_and_named_only_where_it_explains_the_number(
    cell: Cell, changed: dict[str, Any], measured: dict[str, Any], kind: str, cause: str
) -> None:
    found = said(replace(cell, **changed), **measured)
    assert kind in found, found
    assert cause in found[kind] if cause else not found[kind], found


def test_a_symmetric_pellet_of_154_square_centimetres_needs_too_large_a_press() -> None:
    cell = Cell("full", "symmetric", area_cm2=154.0, fabrication_pressure_mpa=370)
    cycles, halves = empty_table("cycles"), empty_table("half_cycles")
    (found,) = find_contradictions(cell, cycles, halves)
    assert found.kind == "area"
    assert "1.54 cm²" in found.slip
    assert "580.8 t" in found.sentence  # 370 MPa on 154 cm²
    sound = replace(cell, area_cm2=1.54)
    assert not find_contradictions(sound, cycles, halves)


def test_slips_within_what_cells_of_this_field_have_are_not_seen() -> None:
    """An area × 10 and a mass × 3 give numbers that other sound cells have."""
    assert said(replace(SILICON, area_cm2=7.85)) == {}
    assert said(replace(SILICON, anode_active_mass_mg=3.6)) == {}


def test_a_first_lithiation_that_still_runs_is_held_against_theory_with_a_wider_margin() -> None:
    def kinds(mass: float) -> list[str]:
        cell = with_materials(replace(SILICON, anode_active_mass_mg=mass))
        cycles, halves = tables(**MEASURED["half"])
        found = find_contradictions(cell, cycles.clear(), halves.filter(direction="discharge"))
        return [each.kind for each in found]

    assert kinds(1.2) == kinds(0.9) == []  # 3600 and 4800 mAh/g: side reactions are in it
    assert kinds(0.12) == ["specific capacity"]


def test_a_large_cell_that_has_just_begun_holds_little_yet() -> None:
    cell = replace(with_materials(FULL), area_cm2=25.0, cathode_active_mass_mg=500.0,
                   anode_active_mass_mg=40.0)  # fmt: skip
    cycles, halves = tables(**MEASURED["full"] | {"charge": 0.5, "discharge": 0.1})
    begun = halves.filter(direction="charge")
    assert not find_contradictions(cell, cycles.clear(), begun)
    assert [c.kind for c in find_contradictions(cell, cycles, halves)] == ["area"]


def test_what_deposits_lithium_has_no_theory_by_its_own_mass() -> None:
    cell = replace(SILICON, working_electrode="Ag-C", anode_active_mass_mg=0.3)
    assert "specific capacity" not in said(cell)


def test_a_mass_of_an_unknown_material_is_held_against_lithium_and_no_slip_is_named() -> None:
    cell = replace(SILICON, working_electrode="anode: X7", anode_active_mass_mg=0.12)
    assert said(cell) == {"specific capacity": ""}


def test_each_finding_says_number_limit_source_and_what_confirms_it() -> None:
    cell = with_materials(replace(SILICON, anode_active_mass_mg=0.12))
    found = find_contradictions(cell, *tables(**MEASURED["half"]))
    phrases, (finding,) = contradiction_findings(cell, found)
    assert phrases == "specific capacity 31000 mAh/g"
    assert (finding.level, finding.code) == ("error", "contradiction_specific_capacity")
    for part in ("31000 mAh/g", "3579 mAh/g", "1.05 times", "10.1021/cr500207g",
                 "'specific capacity 31000 mAh/g'"):  # fmt: skip
        assert part in finding.sentence


def test_what_is_confirmed_covers_its_kind_and_number_and_nothing_else() -> None:
    cell = with_materials(replace(SILICON, anode_active_mass_mg=0.9))
    (found,) = find_contradictions(cell, *tables(**MEASURED["half"]))
    assert is_confirmed(found, "Specific capacity: 4133 mAh/g")
    assert is_confirmed(found, "area 3 cm²; specific capacity 4,0e3")
    assert is_confirmed(replace(found, value=4500), found.phrase)
    for other in ("yes", "specific capacity", "area 4133 cm²", "specific capacity 400 mAh/g", None):
        assert not is_confirmed(found, other), other
    assert not is_confirmed(replace(found, value=5000), found.phrase)
    phrases, (note,) = contradiction_findings(replace(cell, confirmed=found.phrase), [found])
    assert phrases is None
    assert (note.level, note.code) == ("info", "confirmed_contradiction")
    phrases, findings = contradiction_findings(replace(cell, confirmed="yes"), [found])
    assert phrases == found.phrase
    assert [f.code for f in findings] == ["contradiction_specific_capacity", "confirmed_nothing"]


def test_what_is_too_small_is_confirmed_down_to_its_number() -> None:
    cell = with_materials(replace(SILICON, reference_offset_volt=-0.62))
    found = find_contradictions(cell, *tables(**MEASURED["half"]))
    offset = next(c for c in found if c.kind == "reference offset")
    assert is_confirmed(offset, offset.phrase)
    assert not is_confirmed(offset, "reference offset 0.62 V")


@pytest.mark.parametrize(
    ("kind", "value", "written"),
    [("areal capacity", 90, "areal capacity 90 mAh/cm2"), ("area", 90, "Area = 90cm2"),
     ("areal capacity", 90, "areal capacity 90 mAh cm^-2"), ("loading", 90, "loading: 90 mg/cm2"),
     ("current density", 90, "current density 90 mA/cm2"), ("1C capacity", 27, "1C capacity 27"),
     ("specific capacity", 3600, "specific capacity: 3,600 mAh/g"),
     ("specific capacity", 3.6, "specific capacity: 3,600 mAh/g"),
     ("specific capacity", 3600, "specific capacity 3 600 mAh/g"),
     ("specific capacity", 3.7e6, "specific capacity 3,700,000 mAh/g")],
)  # fmt: skip
def test_a_unit_may_have_digits_and_a_number_a_sign_of_thousands(
    kind: str, value: float, written: str
) -> None:
    found = Contradiction(kind, value, "", "")
    assert is_confirmed(found, written)
    assert not is_confirmed(replace(found, value=1.2 * value), written)


def test_a_number_that_may_be_another_one_is_asked_about() -> None:
    cell = replace(SILICON, confirmed="specific capacity 3,900 mAh/g")
    found = Contradiction("specific capacity", 31000, "mAh/g", "")
    _, findings = contradiction_findings(cell, [found])
    assert "If '3,900' means 3900" in findings[-1].sentence


@pytest.mark.parametrize(
    ("cell", "measured"),
    [
        (replace(FILM, working_electrode="LCO film", working_electrode_role="cathode",
                 anode_active_mass_mg=None, cathode_active_mass_mg=11.5, area_cm2=25.0,
                 electrolyte="LiPON"),
         {"discharge": 1.5, "charge": 1.5, "mean": (3.6, 3.8), "ends": (3.0, 4.2)}),
        (replace(FILM, working_electrode="a-Si film 50 nm", anode_active_mass_mg=1.2,
                 area_cm2=78.0), {"discharge": 4.6, "charge": 3.9}),
    ],
)  # fmt: skip
def test_a_thin_film_of_a_large_area_whose_mass_has_its_charge_is_sound(
    cell: Cell, measured: dict[str, Any]
) -> None:
    assert said(cell, **measured) == {}
    pressed = replace(cell, working_electrode="Si", working_electrode_role="anode",
                      anode_active_mass_mg=1.2, area_cm2=78.0, electrolyte="LPSCl")  # fmt: skip
    assert "mm²" in said(pressed, discharge=4.6, charge=3.9)["area"]


@pytest.mark.parametrize(
    ("name", "mass"), [("Si wafer", 92.0), ("Sn foil", 57.0), ("Al foil", 42.0)]
)
def test_a_foil_or_a_wafer_may_hold_more_than_the_cell_uses(name: str, mass: float) -> None:
    used = {"discharge": 2.2, "charge": 2.0}
    cell = replace(SILICON, working_electrode=name, anode_active_mass_mg=mass,
                   nominal_capacity_mah_per_g=None)  # fmt: skip
    assert said(cell, **used) == {}
    assert "specific capacity" in said(replace(cell, anode_active_mass_mg=0.3), **used)
    full = replace(FULL, counter_electrode=name, anode_active_mass_mg=mass, np_ratio=None)
    assert said(full) == {}
    if name == "Sn foil":  # a powder, of which the charge says how much there is
        powder = replace(full, counter_electrode="Sn")
        assert "would be 5.7 mg" in said(powder)["loading of the anode"]


def test_a_half_cell_that_is_called_full_or_symmetric_is_told_by_its_voltages() -> None:
    called_full = replace(SILICON, configuration="full")
    assert "half cell" in said(called_full)["lowest voltage"]
    unnamed = replace(called_full, counter_electrode=None)
    assert "lowest voltage" in said(unnamed)
    assert "lowest voltage" not in said(unnamed, ends=(2.5, 4.2), mean=(3.4, 3.7))
    symmetric = replace(CATHODE, configuration="symmetric")
    assert "lowest voltage" in said(symmetric)
    lithium = replace(symmetric, working_electrode="Li", counter_electrode="Li")
    assert "lowest voltage" in said(lithium)
    assert said(lithium, ends=(-0.1, 0.1), mean=(-0.05, 0.05)) == {}
    mixed = replace(SILICON, configuration="symmetric")  # its voltage changes the sign
    assert said(mixed)["lowest voltage"] == "it is a half cell of Si"
    cycles, halves = tables(**MEASURED["cathode"])  # one way only, nothing is known of the other
    once = find_contradictions(with_materials(lithium), cycles.clear(), halves.head(1))
    assert not once


@pytest.mark.parametrize("percent", [250, 300])
def test_a_retention_above_200_percent_is_looked_at_and_keeps_the_cell(percent: float) -> None:
    cell = with_materials(CATHODE)
    less = {"discharge": 0.5, "charge": 0.55, "retention": percent / 100}
    found = find_contradictions(cell, *tables(**MEASURED["cathode"] | less))
    phrases, (finding,) = contradiction_findings(cell, found)
    assert phrases is None
    assert (finding.level, finding.code) == ("warning", "high_retention")
    assert "warmed" in finding.sentence
    broken = find_contradictions(cell, *tables(**MEASURED["cathode"] | less | {"charge": 1.3}))
    assert contradiction_findings(cell, broken)[0] == f"retention {percent} %"


def test_a_mixture_may_hold_much_less_than_its_richest_part() -> None:
    blend = replace(FULL, counter_electrode="Graphite/SiOx (90:10)", anode_active_mass_mg=6.0,
                    np_ratio=1.1)  # fmt: skip
    assert said(blend) == {}


def test_a_cathode_s_mass_that_its_charge_and_1c_contradict_is_seen() -> None:
    cell = replace(CATHODE, cathode_active_mass_mg=100.0)
    assert "the mass would be 10 mg" in said(cell)["loading"]
    thick = replace(CATHODE, cathode_active_mass_mg=60.0)  # 76 mg/cm² that give what they should
    assert said(thick, discharge=10.5, charge=12.0) == {}


def test_a_file_that_is_a_thousandth_of_mass_and_1c_is_seen_by_its_current() -> None:
    less = {"discharge": 1.75e-3, "charge": 2.0e-3}
    assert "mA" in said(CATHODE, **less, current=0.3e-3)["specific capacity"]
    assert said(CATHODE, **less) == {}  # a broken cell at a usual current
