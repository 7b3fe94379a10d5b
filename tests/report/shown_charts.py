"""Hold a workbook's native charts against their words."""

from __future__ import annotations

import re
from collections.abc import Iterator

from shown_lab import Lab, NotMapped
from shown_parts import Curve
from shown_places import PLACES, Place
from shown_templates import meaning_of, unit_of_label


def fit_faults(curves: list[Curve]) -> Iterator[str]:
    """Return why the lines of a Nyquist chart are not the fits of the spectra beside them."""
    spectra, fits = (
        [(curve.first, len(curve.points)) for curve in curves if re.fullmatch(name, curve.series)]
        for name in (r"spectrum \d+", "fit")
    )
    if fits != spectra:
        yield f"chart: the fits take the rows {fits}, their spectra {spectra}"


def curve_faults(lab: Lab, curve: Curve, cell_id: str | None) -> Iterator[str]:
    """Return why a chart's series does not plot what its words say.

    Its words are the name of the series with the titles of the axes; the column behind it has a
    head; both must mean the same column in the same unit.
    """
    place = PLACES[curve.sheet]
    unit = unit_of_label(curve.y_title)
    quantity = curve.y_title.removesuffix(f" ({unit})")
    per = next((f", per {r}" for r in [_basis_of(lab, cell_id)] if unit == "mAh/g"), "")
    words = (f"{quantity}, {curve.series} ({unit})", f"{curve.series} ({unit}{per})", curve.series,
             curve.y_title)  # fmt: skip
    for title, head, labels in (
        ("x", curve.x_head, (f"{curve.x_title.removesuffix(f' ({unit})')}, {curve.series} ({unit})",
                             f"{curve.x_title}, {curve.series}", curve.x_title)),
        ("y", curve.y_head, words),
    ):  # fmt: skip
        known = [label for label in labels if _is_word(place, label)]
        if not known:
            yield f"chart on {curve.sheet}: no label of {labels} is in the vocabulary"
            continue
        meant = (meaning_of(place.words, known[0], place.table)[1], unit_of_label(known[0]))
        plotted = (meaning_of(place.words, head, place.table)[1], unit_of_label(head))
        if meant != plotted:
            said = f"{known[0]!r} is said, and {head!r} is plotted"
            yield f"chart on {curve.sheet}, {title}: {said}: {plotted[0]} instead of {meant[0]}"
    if spectrum := re.fullmatch(r"spectrum (\d+)", curve.series):
        if {row["Spectrum"] for row in curve.rows} != {float(spectrum[1])}:
            yield f"chart: {curve.series} plots points of others"
        stored = lab.rows(place.table, cell_id=cell_id, spectrum=int(spectrum[1]))
        if len(curve.points) != len(stored):
            yield f"chart: {curve.series} plots {len(curve.points)} points of {len(stored)}"
    elif curve.series != "fit" and len(curve.points) != _height(lab, place.table, cell_id):
        yield f"chart on {curve.sheet}: {curve.series} plots {len(curve.points)} rows"


def _is_word(place: Place, label: str) -> bool:
    try:
        meaning_of(place.words, label, place.table)
    except NotMapped:
        return False
    return bool(label)


def _basis_of(lab: Lab, cell_id: str | None) -> str | None:
    return None if cell_id is None else lab.row("cells", cell_id=cell_id)["capacity_basis"]


def _height(lab: Lab, table: str, cell_id: str | None) -> int:
    return len(lab.rows(table, cell_id=cell_id) if cell_id else lab.table(table))
