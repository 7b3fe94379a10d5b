"""The lab among the published cells: what is drawn, what is left out, and that it says so."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from made_cells import odd_cells

from cellpipe.baselines import table1
from cellpipe.baselines.published_points import published_points, published_pressures
from cellpipe.core.contracts import empty_table
from cellpipe.report.figures.field import field_panel
from cellpipe.report.figures.initial_efficiency import initial_efficiency_panel
from cellpipe.report.figures.panel import Panel, plot_style

STATED = {"A": 50.0}
BLANK = dict.fromkeys(empty_table("cells").columns)


def cells(rows: list[dict[str, object]]) -> pl.DataFrame:
    """Return rows of ``cells``, that of a sound full cell but for what is given."""
    usual = BLANK | {
        "cell_id": "A", "configuration": "full", "in_sheet": True, "files": 1, "cycles": 60,
        "complete_cycles": 60, "initial_cycle": 1, "capacity_retention": 0.9,
        "retention_cycle": 60, "retention_reference_cycle": 1,
        "first_areal_discharging_capacity_mah_per_cm2": 3.0,
        "initial_coulombic_efficiency": 0.8, "electrolyte_family": "sulfide",
    }  # fmt: skip
    return pl.DataFrame([usual | row for row in rows], schema=empty_table("cells").schema)


def comparable(*cell_ids: str) -> pl.DataFrame:
    rows = {"cell_id": cell_ids, "comparable": [True] * len(cell_ids)}
    return pl.DataFrame(rows, schema={"cell_id": pl.String, "comparable": pl.Boolean})


def drawn(panel: Panel) -> dict[str, list[tuple[float, float]]]:
    """Return the points of a figure by the names of what they are."""
    assert panel.draw is not None
    found: dict[str, list[tuple[float, float]]] = {}
    with plot_style():
        for axes in panel.draw().axes:
            for line in axes.lines:
                points = np.asarray(line.get_xydata(), dtype=float)
                found[str(line.get_label()).lstrip("_")] = [(x, y) for x, y in points]
    return found


def test_published_cells_stand_at_their_printed_numbers() -> None:
    points = {row["name"]: row for row in published_points(table1()).to_dicts()}
    areal = {name: row["areal_capacity_mah_per_cm2"] for name, row in points.items()}
    assert areal["Cao 2022"] == pytest.approx(145 * 10e-3)
    assert areal["Zhou 2023"] == 3.0
    assert areal["Poetke 2021"] is None  # the loading printed is the anode's
    assert areal["Zeng 2024"] is areal["Han 2024"] is None  # none is printed
    assert (areal["[90]"], points["[90]"]["retention_low"]) == (17.9, None)
    zhou = points["Zhou 2023"]
    assert (zhou["retention_low"], zhou["retention_high"]) == pytest.approx((0.8, 2.5 / 3))
    assert (zhou["cycle"], zhou["electrolyte"]) == (1500, "halide")
    assert published_pressures() == {"[74]": 1.0, "[73]": 15.0}


def test_every_published_cell_of_the_labs_kinds_is_drawn_or_named_below() -> None:
    rows = cells([{}, {"cell_id": "B", "configuration": "half"}])
    panel = field_panel(rows, comparable("A", "B"), table1(), STATED, of_lab=True)
    shown = drawn(panel)
    for name in table1()["first_author_year"]:
        assert name in shown or name in panel.caption
    assert shown["A"] == [(60.0, 3.0)]
    assert "50 MPa (1 of 2 cells)" in panel.caption
    assert "1 MPa in [74]" in panel.caption


def test_a_cell_that_is_not_comparable_is_not_drawn() -> None:
    rows = cells([{}, {"cell_id": "B", "contradictions": "a mass ten times too small"}])
    shown = drawn(field_panel(rows, comparable("A"), table1(), STATED, of_lab=True))
    assert "A" in shown
    assert "B" not in shown


@pytest.mark.parametrize(
    ("rows", "among", "sentence"),
    [
        ([{}], (), "This cell can't be compared"),
        ([{"first_areal_discharging_capacity_mah_per_cm2": None}], ("A",), "needs an area"),
        ([{"retention_cycle": None, "initial_cycle": None}], ("A",), "no complete cycle"),
    ],
)
def test_a_field_without_the_cell_says_why(
    rows: list[dict[str, object]], among: tuple[str, ...], sentence: str
) -> None:
    panel = field_panel(cells(rows), comparable(*among), table1(), STATED, of_lab=False)
    assert panel.draw is None
    assert sentence in panel.absent


def test_a_cell_of_one_cycle_has_no_colour_and_stands_at_that_cycle() -> None:
    rows = cells([{"retention_cycle": 1, "capacity_retention": 1.0}])
    panel = field_panel(rows, comparable("A"), table1(), STATED, of_lab=False)
    assert panel.draw is not None
    with plot_style():
        (mark,) = (line for axes in panel.draw().axes for line in axes.lines
                   if line.get_label() == "_this cell")  # fmt: skip
    assert mark.get_markerfacecolor() == "white"


def test_efficiencies_that_mean_nothing_are_left_out_and_counted() -> None:
    rows = cells([
        {}, {"cell_id": "B", "initial_coulombic_efficiency": 0.7, "initial_remark": "cut"},
        {"cell_id": "C", "initial_coulombic_efficiency": 0.6, "contradictions": "too much"},
        {"cell_id": "D", "initial_coulombic_efficiency": 0.5, "configuration": "symmetric"},
        {"cell_id": "E", "initial_coulombic_efficiency": 0.84, "group": "g"},
    ])  # fmt: skip
    panel = initial_efficiency_panel(rows, of_lab=True)
    values = sorted(round(x, 3) for points in drawn(panel).values() for x, _ in points)
    assert [v for v in values if v in {80.0, 84.0, 70.0, 60.0, 50.0}] == [80.0, 84.0]
    assert {75.9, 77.6, 82.0, 83.2, 96.2} <= set(values)  # those of the review
    assert "3 of 5 cells are not drawn" in panel.caption


def test_a_lab_of_three_thousand_cells_has_a_picture_of_bounded_size() -> None:
    many = cells([{"cell_id": f"C{n}", "group": f"g{n % 40}"} for n in range(3000)])
    of_all = comparable(*many["cell_id"])
    for panel in (field_panel(many, of_all, table1(), STATED, of_lab=True),
                  initial_efficiency_panel(many, of_lab=True)):  # fmt: skip
        assert len(panel.picture) < 400_000


def test_names_of_groups_and_cells_are_text_and_nothing_else() -> None:
    rows = cells([{"cell_id": "<b>$x^2$\x1b", "group": "<i>\x07$a_1$"}])
    named = comparable("<b>$x^2$\x1b")
    for panel in (field_panel(rows, named, table1(), STATED, of_lab=True),
                  initial_efficiency_panel(rows, of_lab=True)):  # fmt: skip
        assert "<b>" not in panel.picture
        assert "<i>" not in panel.picture
        assert not {"\x1b", "\x07"} & set(panel.picture)


def test_pages_of_odd_cells_have_both_or_the_reason_why_not() -> None:
    for one in odd_cells().values():
        tables = one.tables
        for panel in (
            field_panel(
                tables["cells"], tables["baseline_comparison"], table1(), STATED, of_lab=False
            ),
            initial_efficiency_panel(tables["cells"], of_lab=False),
        ):
            assert panel.picture or panel.absent
