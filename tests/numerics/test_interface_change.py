"""Claims: contact, film and leads are told apart by two arcs and not by one."""

from __future__ import annotations

import numpy as np
import pytest

from cellpipe.numerics.impedance.interface_change import (
    BOTH,
    CONTACT,
    FILM,
    LEADS,
    OTHER,
    UNCHANGED,
    ArcState,
    InterfaceChange,
    explain_change,
)

START = np.array([3.0, -8.0, 4.0, -3.0, 2.5])  # ln R and ln τ of two arcs, ln R in series


def change_by(
    change: list[float], error: float = 0.01, transfers: tuple[bool, ...] = (False, True)
) -> InterfaceChange:
    size = len(change)
    start = START if size == len(START) else START[-size:]
    first = ArcState(start, error**2 * np.eye(size))
    return explain_change([first], [ArcState(start + change, first.spread)], transfers)


@pytest.mark.parametrize(
    ("change", "verdict"),
    [
        ([0, 0, 0, 0, 0], UNCHANGED),
        ([0.5, 0, 0.5, 0, 0], CONTACT),
        ([0.5, 0, 0.5, 0, 0.3], CONTACT),  # whatever the series resistance does
        ([-0.4, 0, -0.4, 0, 0], CONTACT),  # regained
        ([0.5, 0, 0, 0, 0], FILM),
        ([0.5, 0, 0, 0, 0.3], FILM),
        ([0.8, 0, 0.3, 0, 0], BOTH),
        ([0, 0, 0, 0, 0.4], LEADS),
        ([0.5, 0.5, 0, 0, 0], OTHER),  # R rises, C stays
        ([0, 0, 0.5, 0.5, 0], OTHER),
        ([0.5, 0, -0.5, 0, 0], OTHER),
    ],
)
def test_each_change_has_its_explanation(change: list[float], verdict: str) -> None:
    found = change_by(change)
    assert found.verdict == verdict
    assert sum(found.odds.values()) == pytest.approx(1)


@pytest.mark.parametrize("change", [[0.5, 0.0, 0.0], [-0.5, 0.0, 0.0], [0.5, 0.0, 0.4]])
def test_one_arc_cant_tell_contact_from_a_film(change: list[float]) -> None:
    found = change_by(change, transfers=(False,))
    assert found.verdict is None
    assert found.odds[CONTACT] == pytest.approx(found.odds[FILM])
    assert found.odds[CONTACT] > 0.3


def test_a_charge_transfer_that_changes_alone_may_have_lost_area_of_its_own() -> None:
    found = change_by([0, 0, 0.5, 0, 0])
    assert found.verdict is None
    assert found.odds[CONTACT] == pytest.approx(found.odds[FILM], rel=0.05)


@pytest.mark.parametrize("lost", [0.2, 0.7])
def test_the_area_that_was_lost_is_that_of_the_capacitances(lost: float) -> None:
    found = change_by([lost, 0, lost, 0, 0])
    assert found.area_ratio == pytest.approx(np.exp(-lost))
    assert found.capacitance_ratios == pytest.approx([np.exp(-lost)] * 2)
    with_film = change_by([lost + 0.5, 0, lost, 0, 0])
    assert with_film.area_ratio == pytest.approx(np.exp(-lost))
    assert with_film.film_arc == 0


def test_what_the_errors_hide_is_not_told() -> None:
    assert change_by([0.5, 0, 0.3, 0, 0], error=0.4).verdict is None


def test_two_of_three_arcs_may_share_the_contact_that_was_lost() -> None:
    start = ArcState(np.array([3.0, -8, 3.5, -5, 4, -3, 2.5]), 1e-4 * np.eye(7))
    last = ArcState(start.value + np.array([0.5, 0, 0.5, 0, 0, 0, 0]), start.spread)
    found = explain_change([start], [last], (False, False, True))
    assert found.verdict == CONTACT
    assert found.area_ratio == pytest.approx(np.exp(-0.5))  # that of the arcs that share it
