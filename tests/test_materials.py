"""The list of materials: figures agree with formulas, names are told, a lab adds its own."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from cellpipe.analyses.curves import CRYSTALLINE, SILICON
from cellpipe.baselines.formulas import FARADAY, molar_mass, theoretical_capacity
from cellpipe.baselines.known_materials import (
    ELECTRODES,
    known_materials,
    parse_entry,
    plain_name,
)
from cellpipe.cell_sheet.lab_materials import read_lab_materials
from cellpipe.cell_sheet.sheet import CellSheet, read_cell_sheet
from cellpipe.core.model import Cell

LISTED = known_materials()


def test_the_list_has_the_materials_of_this_field() -> None:
    roles = [role for entry in LISTED.entries.values() for role in entry.role]
    assert len(LISTED.entries) >= 40
    assert min(roles.count(role) for role in ("anode", "cathode", "electrolyte")) >= 15
    assert all(entry.capacity for entry in LISTED.entries.values() if "cathode" in entry.role)


@pytest.mark.parametrize(
    ("formula", "lithium", "expected"),
    [  # F · n / (3.6 · M), worked out by hand with standard atomic weights
        ("Si", 3.75, 3578.6), ("Si", 4.4, 4198.9), ("C6", 1, 371.9), ("LiFePO4", 1, 169.9),
        ("LiCoO2", 1, 273.8), ("Li4Ti5O12", 3, 175.1), ("S", 2, 1672.0), ("Li2S", 2, 1166.8),
        ("LiNi0.8Co0.1Mn0.1O2", 1, 275.5), ("Li", 1, 3861.9), ("FeS2", 4, 893.6),
    ],
)  # fmt: skip
def test_theoretical_capacities_are_those_of_the_formula(
    formula: str, lithium: float, expected: float
) -> None:
    assert theoretical_capacity(formula, lithium) == pytest.approx(expected, abs=0.1)


def test_a_formula_with_a_group_counts_it_as_often_as_it_says() -> None:
    phosphate = molar_mass("PO4")
    assert molar_mass("Li1.3Al0.3Ti1.7(PO4)3") == pytest.approx(
        1.3 * 6.94 + 0.3 * 26.982 + 1.7 * 47.867 + 3 * phosphate
    )


@pytest.mark.parametrize("wrong", ["", "lifepo4", "Xx2O", "Li(", "Li2O+", "3Li"])
def test_what_is_no_formula_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match="formula"):
        molar_mass(wrong)


@pytest.mark.parametrize("name", LISTED.entries)
def test_an_entry_agrees_with_its_own_formula_and_names_the_source_of_each_figure(
    name: str,
) -> None:
    entry = LISTED.entries[name]
    if entry.formula and entry.lithium:
        mass = entry.molar_mass or molar_mass(entry.formula)
        assert entry.capacity == pytest.approx(entry.lithium * FARADAY / 3.6 / mass, abs=0.55)
    if entry.molar_mass and entry.formula:
        assert entry.molar_mass == pytest.approx(molar_mass(entry.formula), rel=1e-3)
    figures = ("capacity", "window", "density", "potential")
    given = {figure for figure in figures if getattr(entry, figure) is not None}
    assert set(entry.sources) == given
    for source in entry.sources.values():
        assert source.startswith("10.") or source in {"computed from formula", "convention"}


def test_no_name_stands_for_two_materials_of_one_role() -> None:
    for one, other in itertools.combinations(LISTED.entries.items(), 2):
        if set(one[1].role) & set(other[1].role):
            names = [{plain_name(n) for n in (name, *entry.names)} for name, entry in (one, other)]
            assert not names[0] & names[1], (one[0], other[0])


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("µSi", "Si"), ("μSi", "Si"), ("mSi", "Si"), ("Si-NP", "Si"), ("silicon", "Si"),
        ("Si/LPSCl/C 60:35:5", "Si"), ("anode: Si", "Si"), ("SiOx", "SiOx"), ("SiO", "SiOx"),
        ("Si-C", "Si-C"), ("Si/C", "Si-C"), ("Ag-C", "Ag-C"), ("Ag/C", "Ag-C"), ("Cu", "Cu"),
        ("Cu foil", "Cu"), ("Li", "Li"), ("Li metal", "Li"), ("In", "In"), ("Li-In", "Li-In"),
        ("In/InLi", "Li-In"), ("Li-In foil", "Li-In"), ("LTO", "LTO"), ("Li4Ti5O12", "LTO"),
        ("Li₄Ti₅O₁₂", "LTO"), ("Li3VO4", "Li3VO4"), ("graphite", "graphite"), ("Gr", "graphite"),
        ("hard carbon", "hard carbon"), ("Sn", "Sn"), ("Ge", "Ge"), ("Al", "Al"),
        ("NCM811", "NCM811"), ("NMC811", "NCM811"), ("NMC 811", "NCM811"), ("nmc-622", "NCM622"),
        ("NMC532", "NCM523"), ("NCM90", "NCM90"), ("NCM111", "NCM111"), ("NCM83", "NCM"),
        ("LiNi0.8Co0.1Mn0.1O2", "NCM811"), ("NCM811@Li2SiOx", "NCM811"), ("LCO", "LCO"),
        ("LiCoO2", "LCO"), ("LFP", "LFP"), ("LMO", "LMO"), ("LNMO", "LNMO"), ("NCA", "NCA"),
        ("S", "S"), ("sulfur", "S"), ("Li2S", "Li2S"), ("FeS2", "FeS2"),
        ("unobtainium", None), ("", None), ("pellet 7", None), ("X", None),
        ("SiOₓ", "SiOx"), ("SiOₓ/C", "SiOx"), ("SiO1.05", "SiOx"), ("SiO₁.₀₅", "SiOx"),
        ("LiNi1/3Mn1/3Co1/3O2", "NCM111"), ("LiCo1/3Ni1/3Mn1/3O2", "NCM111"),
        ("LiNi⅓Mn⅓Co⅓O₂", "NCM111"), ("LiMn0.1Co0.1Ni0.8O2", "NCM811"),
        ("LiNi0,8Co0,1Mn0,1O2", "NCM811"), ("Li[Ni0.8Co0.1Mn0.1]O2", "NCM811"),
        ("Ag/C 25:75", "Ag-C"), ("C/Ag", "Ag-C"), ("Ag NP + C", "Ag-C"), ("LRLO", "Li-rich"),
        ("Li1.2Ni0.2Mn0.6O2", "Li-rich"), ("60Si-35LPSCl-5C", "Si"), ("Silcon", "Si"),
        ("70NCM811-27LPSCl-3VGCF", "NCM811"), ("Li4+xTi5O12", "LTO"), ("Li3+xVO4", "Li3VO4"),
        ("Silizium", "Si"), ("Silicium", "Si"), ("シリコン", "Si"), ("Si負極", "Si"),
        ("Si/SE/C", "Si"), ("NCM811/SE", "NCM811"), ("Si + SE", "Si"), ("Se", "Se"),
        ("porous Si with Ag and C", "Si"), ("SE", None),
        ("黒鉛", "graphite"), ("Kathode: NCM811", "NCM811"), ("Zinn", "Sn"), ("cuivre", "Cu"),
    ],
)  # fmt: skip
def test_electrodes_are_known_as_people_write_them(written: str, name: str | None) -> None:
    found = LISTED.find(written, ELECTRODES)
    assert (found.name if found else None) == name


@pytest.mark.parametrize(
    "written",
    ["SC-NCM811", "sc-NCM811", "SC-NCM83", "SC NCM811", "S-NMC811", "SC811", "NCM811 (SC)", "Ni90",
     "Ni83", "Ni-rich layered oxide", "cathode: Ni90", "LTO coated NCM811", "Al-NCM811", "Li-NMC",
     "Al-doped NCM811", "LiNbO3@SC-NCM83", "Lithium nickel manganese cobalt oxide", "LNO@NCM811",
     "nickel cobalt manganese oxide", "NCM811/graphite", "NCM 85 on Al", "Sn-NCM811"],
)  # fmt: skip
def test_a_full_name_of_a_cathode_goes_before_what_coats_dopes_or_marks_it(written: str) -> None:
    found = LISTED.find(written, ELECTRODES)
    assert found is not None
    assert (found.family, found.roles) == ("NCM", ("cathode",))


@pytest.mark.parametrize("written", ["LTO@LCO", "LTO-LCO", "Li4Ti5O12@LiCoO2", "LTO-coated LCO"])
def test_what_coats_a_cathode_is_not_the_electrode(written: str) -> None:
    found = LISTED.find(written, ELECTRODES)
    assert found is not None
    assert found.name == "LCO"


BLENDS = (
    ("Graphite/SiOx (80:20)", 2318), ("graphite + 5 % Si", 3579), ("graphite-SiOx", 2318),
    ("Gr + SiOx", 2318), ("graphite/silicon", 3579), ("Ge-Si", 3579), ("Sn-Si", 3579),
    ("graphite, 10 % SiO1.05", 2318), ("HC/Si", 3579), ("Si/S", 3579), ("Sb-Sn", 993),
)  # fmt: skip


@pytest.mark.parametrize(("written", "capacity"), BLENDS)
def test_a_mixture_of_anodes_is_limited_by_the_richest_and_may_hold_less(
    written: str, capacity: float
) -> None:
    found = LISTED.find(written, ELECTRODES)
    assert found is not None
    assert found.is_upper
    assert (found.roles, found.capacity) == (("anode",), pytest.approx(capacity, abs=1))


def test_a_mixture_has_the_potentials_of_all_that_is_in_it() -> None:
    found = LISTED.find("graphite/LTO", ELECTRODES)
    assert found is not None
    assert found.window == (0.0, 2.5)


@pytest.mark.parametrize(
    ("written", "name"),
    [("Si on Cu", "Si"), ("Cu/Si", "Si"), ("Ag/C on SUS", "Ag-C"), ("Li on Cu", "Li"),
     ("Cu/Li", "Cu"), ("LTO on Al foil", "LTO"), ("S/C on Al", "S"), ("Cu/Ag-C", "Ag-C")],
)  # fmt: skip
def test_what_an_electrode_lies_on_is_not_the_electrode(written: str, name: str) -> None:
    found = LISTED.find(written, ELECTRODES)
    assert found is not None
    assert found.name == name


@pytest.mark.parametrize(
    "written",
    ["SC", "TiN", "tin oxide", "copper sulfide", "silicon nitride", "nickel sulfide", "Cu2S",
     "SnO2", "in situ", "Si3N4", "LiPON"],
)  # fmt: skip
def test_a_compound_or_a_shorthand_is_not_the_element_that_it_begins_with(written: str) -> None:
    assert LISTED.find(written, ELECTRODES) is None


@pytest.mark.parametrize(
    ("written", "name"),
    [("LPSCl", "Li6PS5Cl"), ("Argyrodit", "Li6PS5Cl"), ("75Li2S-25P2S5", "Li3PS4"),
     ("77.5Li2S-22.5P2S5", "sulfide"), ("in-house LPSCl", "Li6PS5Cl"),
     ("Li₆PS₅Cl", "Li6PS5Cl"), ("LGPS", "LGPS"), ("LZC", "Li2ZrCl6"),
     ("Li5.5PS4.5Cl1.5", "Li5.5PS4.5Cl1.5"), ("LLZTO", "LLZO"), ("PEO-LiTFSI", "PEO"),
     ("LIPON", "LiPON"), ("LIC", "Li3InCl6")],
)  # fmt: skip
def test_electrolytes_are_known_as_people_write_them(written: str, name: str) -> None:
    found = LISTED.find(written, ("electrolyte",))
    assert found is not None
    assert found.name == name


def test_the_steps_of_silicon_lie_within_the_window_of_the_list() -> None:
    low, high = LISTED.entries["Si"].window or (0.0, 0.0)
    places = [place for steps in SILICON.values() for place in steps] + [CRYSTALLINE[0]]
    assert all(low < place < high for place in places)


def lab_file(folder: Path, text: str) -> Path:
    path = folder / "materials.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_lab_adds_a_material_and_changes_one_of_the_list(tmp_path: Path) -> None:
    text = (
        "Si:\n  names: [our silicon]\n  window: [0.05, 1.0]\n"
        "MC1:\n  names: [mystery cathode]\n  role: [cathode]\n  family: NCM\n  capacity: 250\n"
    )
    materials, said = read_lab_materials(lab_file(tmp_path, text))
    assert not said
    silicon = materials.find("Our-Silicon", ELECTRODES)
    assert silicon is not None
    assert (silicon.name, silicon.window) == ("Si", (0.05, 1.0))
    assert silicon.capacity == pytest.approx(3578.6, abs=0.1)
    assert materials.find("µSi", ELECTRODES) == silicon  # its other names stay
    own = materials.find("Mystery cathode", ELECTRODES)
    assert own is not None
    assert (own.name, own.capacity) == ("MC1", 250)
    assert materials.find("NCM811", ELECTRODES) == LISTED.find("NCM811", ELECTRODES)


def test_the_example_of_the_page_is_read_as_it_says(tmp_path: Path) -> None:
    page = Path(__file__).parents[1] / "docs" / "materials.md"
    example = page.read_text(encoding="utf-8").partition("```yaml\n")[2].partition("```")[0]
    materials, said = read_lab_materials(lab_file(tmp_path, example))
    assert not said
    assert materials.find("Si-7", ELECTRODES) == materials.find("µSi", ELECTRODES)
    own = materials.find("LiXYZ", ELECTRODES)
    assert own is not None
    assert own.capacity == pytest.approx(276, abs=1)


def test_an_own_capacity_of_a_known_material_counts() -> None:
    assert parse_entry({"role": ["anode"], "family": "x", "capacity": 5}).material("x").capacity


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("MC1:\n  role: [cathode]\n", ("entry MC1", "field family", "found nothing")),
        ("MC1:\n  role: [katode]\n  family: x\n", ("entry MC1", "field role", "'katode'",
                                                   "'anode', 'cathode'")),
        ("MC1:\n  role: [anode]\n  family: x\n  capacity: 3,579\n",
         ("entry MC1", "field capacity", "'3,579'", "number")),
        ("MC1:\n  role: [anode]\n  family: x\n  capazity: 5\n", ("field capazity", "not known")),
        ("MC1:\n  role: [anode]\n  family: x\n  formula: Si\n  lithium: 3.75\n  capacity: 372\n",
         ("entry MC1", "field capacity", "3579 mAh/g", "372")),
        ("MC1:\n  role: [anode]\n  family: x\n  formula: si\n", ("entry MC1", "formula")),
        ("MC1: 5\n", ("entry MC1", "found 5")),
        ("Si:\n  capacity: -1\n", ("entry Si", "field capacity", "-1", "greater than 0")),
        ("MC1:\n  role: [anode]\n  family: x\n  window: [4, 2]\n", ("field window", "lowest")),
        ("MC1:\n  role: [anode]\n  family: x\n  pattern: '('\n", ("field pattern",)),
        ("MC1:\n  role: [anode]\n  family: x\n  formula: Li0\n  lithium: 1\n", ("'Li0'",)),
        ("MC1:\n  role: [anode]\n  family: x\n  formula: (Li)0\n", ("entry MC1", "formula")),
        ("MC1:\n  role: [anode]\n  family: x\n  window: 0-1.5\n", ("'0-1.5'", "[lowest, highest]")),
        ("MC1: 1\nMC1: 2\n", ("entry MC1", "stands twice", "lines 1 and 2")),
        ("MC1:\n  role: anode\n  role: cathode\n", ("entry MC1", "'role' stands twice")),
        ("MC1: !!python/object/apply:os.system [true]\n", ("entry MC1", "python")),
    ],
)  # fmt: skip
def test_a_wrong_entry_is_named_with_its_field_and_what_is_expected(
    tmp_path: Path, text: str, parts: tuple[str, ...]
) -> None:
    good = "Good:\n  role: [anode]\n  family: alloy\n  capacity: 500\n"
    materials, (finding,) = read_lab_materials(lab_file(tmp_path, text + good))
    assert finding.sentence.startswith("materials.yaml: entry ")
    for part in parts:
        assert part in finding.sentence, finding.sentence
    assert materials.find("Good", ELECTRODES) is not None
    assert materials.find("NCM811", ELECTRODES) is not None


@pytest.mark.parametrize(
    "text",
    ["a: [", "- 1\n- 2\n", "a: &x {role: [anode]}\nb: *x\n", "[" * 5000],
)
def test_a_file_that_is_no_list_costs_itself_only(tmp_path: Path, text: str) -> None:
    materials, (finding,) = read_lab_materials(lab_file(tmp_path, text))
    assert materials is LISTED
    assert (finding.level, finding.code) == ("error", "materials")
    assert "none of its materials is used" in finding.sentence


def test_a_file_that_is_no_yaml_is_said_with_its_line(tmp_path: Path) -> None:
    _, (finding,) = read_lab_materials(lab_file(tmp_path, "MC1:\n\trole: [anode]\n"))
    assert finding.sentence.startswith("materials.yaml: line 2, column 1: found a tab")


@pytest.mark.parametrize(
    ("field", "value"), [("role", "cathode"), ("names", "our oxide"), ("names", "[811]"),
                         ("formula", "LiNi₀.₈Mn₀.₂O₂\n  lithium: 1")],
)  # fmt: skip
def test_one_word_for_a_list_a_number_for_a_name_and_small_digits_are_read(
    tmp_path: Path, field: str, value: str
) -> None:
    given = {"role": "[cathode]", "family": "x"} | {field: value}
    text = "MC1:\n" + "".join(f"  {name}: {each}\n" for name, each in given.items())
    materials, said = read_lab_materials(lab_file(tmp_path, text))
    assert not said
    own = materials.find("MC1" if field != "names" else value.strip("[]"), ("cathode",))
    assert own is not None
    assert own.name == "MC1"


def test_an_empty_file_adds_nothing(tmp_path: Path) -> None:
    materials, said = read_lab_materials(lab_file(tmp_path, "# to come\n"))
    assert (list(materials), said) == (list(LISTED), ())


HEAD = "Cell ID,Files,Configuration,Working electrode,Counter electrode,Cathode,Electrolyte\n"


def sheet(folder: Path, *rows: str, head: str = HEAD) -> CellSheet:
    (folder / "cells.csv").write_text(head + "".join(f"{row}\n" for row in rows), encoding="utf-8")
    return read_cell_sheet(folder)


def names(cell: Cell) -> dict[str, str]:
    return {place: material.name for place, material in cell.materials.items()}


def test_the_sheet_understands_the_names_with_their_roles(tmp_path: Path) -> None:
    found = sheet(
        tmp_path, "A,A*,half,µSi,Li-In,,LPSCl", "B,B*,full,NMC811,Si-C,,LGPS",
        "C,C*,half,Cu,Li,,LLZO", "D,D*,full,Ag-C,,NCM622,Li6PS5Cl", "E,E*,half,Li3VO4,In,,LZC",
    )  # fmt: skip
    assert [names(cell) for cell in found.cells] == [
        {"working": "Si", "counter": "Li-In", "anode": "Si", "electrolyte": "Li6PS5Cl"},
        {"working": "NCM811", "counter": "Si-C", "cathode": "NCM811", "anode": "Si-C",
         "electrolyte": "LGPS"},
        {"working": "Cu", "counter": "Li", "anode": "Cu", "electrolyte": "LLZO"},
        {"working": "Ag-C", "cathode": "NCM622", "anode": "Ag-C", "electrolyte": "Li6PS5Cl"},
        {"working": "Li3VO4", "counter": "In", "anode": "Li3VO4", "electrolyte": "Li2ZrCl6"},
    ]  # fmt: skip
    roles = [cell.working_electrode_role for cell in found.cells]
    assert roles == ["anode", "cathode", "anode", "anode", "anode"]
    assert not found.findings


def test_unknown_names_stay_and_are_said_once(tmp_path: Path) -> None:
    found = sheet(
        tmp_path, "A,A*,half,anode: Si,Xy,,wonderglass", "B,B*,half,cathode,Xy,Zq,wonderglass"
    )
    (finding,) = found.findings
    assert finding.code == "material_unknown"
    for name in ("'Xy'", "'wonderglass'", "'Zq'"):
        assert finding.sentence.count(name) == 1
    assert [cell.counter_electrode for cell in found.cells] == ["Xy", "Xy"]


def test_the_sheet_uses_a_lab_s_own_materials(tmp_path: Path) -> None:
    lab_file(tmp_path, "MC1:\n  role: [cathode]\n  family: NCM\n  capacity: 250\n")
    found = sheet(tmp_path, "A,A*,half,MC1,Li,,LPSCl")
    assert found.cells[0].working_electrode_role == "cathode"
    assert found.cells[0].materials["working"].capacity == 250
    assert not found.findings


def test_a_thin_film_s_mass_is_a_mass(tmp_path: Path) -> None:
    head = "Cell ID,Files,Configuration,Working electrode,Active mass / mg\n"
    found = sheet(tmp_path, "A,A*,half,Si,0.02", head=head)
    assert found.cells[0].anode_active_mass_mg == 0.02
    assert not found.findings


@pytest.mark.parametrize(
    ("written", "taken"),
    [('"3,579"', None), ("3.579", None), ("3579", 3579.0), ('"3579,5"', 3579.5),
     ('"200,125"', 200.125), ('"3,5"', 3.5)],
)  # fmt: skip
def test_a_sign_of_thousands_that_may_be_a_decimal_one_is_asked_about(
    tmp_path: Path, written: str, taken: float | None
) -> None:
    head = "Cell ID,Files,Configuration,Working electrode,1C capacity / mAh/g\n"
    found = sheet(tmp_path, f"A,A*,half,Si,{written}", head=head)
    assert found.cells[0].nominal_capacity_mah_per_g == taken
    asked = [finding.sentence for finding in found.findings]
    assert bool(asked) is (taken is None)
    assert all("may be 3.579 or 3579 mAh/g" in sentence for sentence in asked)
