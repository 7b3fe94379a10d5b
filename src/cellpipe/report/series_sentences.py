"""What is said of a cell's spectra as a series: what changed at the interfaces, and energies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from cellpipe.report.wording import format_number, format_percent

_DOI = {"ln(T/R)": "10.1038/s41563-019-0431-3", "ln(1/R)": "10.1351/goldbook.A00102"}
_EXPLAINED = {
    "unchanged": "nothing changed beyond the errors",
    "film": "the film of arc {film_arc} changed its thickness, for the other arcs stayed",
    "leads": "only the series resistance changed: leads, contacts or separator",
    "none of these": "neither contact, a thicker film nor leads explain the change",
}
_NAMES = {
    "contact_odds": "contact", "film_odds": "a film", "contact_and_film_odds": "both",
    "leads_odds": "leads", "unchanged_odds": "no change", "other_odds": "none of these",
}  # fmt: skip
_WORTH_SAYING, _CERTAIN = 0.01, 0.99


def series_sentences(tables: Mapping[str, pl.DataFrame]) -> list[str]:
    """Return the sentences about ``interface_changes`` and ``activation_energies``."""
    changes = tables["interface_changes"].to_dicts()
    several = len(changes) > 1
    said = [
        f"State {row['state']}: {change_sentence(row)}" if several else change_sentence(row)
        for row in changes
    ]
    return said + [energy_sentence(row) for row in tables["activation_energies"].to_dicts()]


def change_sentence(row: Mapping[str, Any]) -> str:
    """Return what a row of ``interface_changes`` says."""
    spectra = f"From spectrum {row['first_spectrum']} to {row['last_spectrum']}"
    pressure = row["stack_pressure_mpa"]
    at = "" if pressure is None else f", at {pressure:g} MPa of stack pressure"
    odds = {name: row[column] for column, name in _NAMES.items() if row[column] >= _WORTH_SAYING}
    likely = sorted(odds.items(), key=lambda pair: -pair[1])
    named = ", ".join(f"{name} {_odds(value)}" for name, value in likely)
    series = format_number(row["series_resistance_ratio"])
    return (
        f"{spectra}{at}: {_explanation(row)} (odds: {named}). By what factor: "
        f"{row['arc_changes']}; in series: R × {series}."
    )


def _odds(value: float) -> str:
    """Return odds in whole per cent, of which none are a hundred."""
    return "above 99 %" if value > _CERTAIN else format_percent(value, 0)


def _explanation(row: Mapping[str, Any]) -> str:
    explained = row["explanation"]
    if explained is None:
        alone = ", for one arc alone can't tell contact from a film" if row["arcs"] == 1 else ""
        return f"what changed can't be told{alone}"
    if explained not in {"contact", "contact and film"}:
        return _EXPLAINED[explained].format(**row)
    ratio, error = row["area_ratio"], row["area_ratio_standard_error"]
    verb = "was lost" if ratio < 1 else "was gained"
    area = f"the area is {format_number(ratio)} ± {format_number(error, 1)} of what it was"
    if explained == "contact":
        return f"contact {verb}: {area}"
    return f"contact {verb} ({area}) and the film of arc {row['film_arc']} grew"


def energy_sentence(row: Mapping[str, Any]) -> str:
    """Return what a row of ``activation_energies`` says."""
    arc = "Series resistance" if row["arc"] == "series" else f"Arc {row['arc']} ({row['process']})"
    low, high = row["lowest_temperature_celsius"], row["highest_temperature_celsius"]
    over = f"{row['temperatures']} temperatures from {low:.0f} to {high:.0f} °C"
    line = f"{row['straight_line_of']} against 1/T (doi {_DOI[row['straight_line_of']]})"
    if not row["straight"]:
        cold, hot = (format_number(row[f"{end}_slope_ev"]) for end in ("coldest", "hottest"))
        return (
            f"{arc}: no activation energy, for {over} lie on no straight line of {line}. The slope "
            f"is {cold} eV over the two coldest and {hot} eV over the two hottest."
        )
    energy, error = row["activation_energy_ev"], row["activation_energy_standard_error_ev"]
    return (
        f"{arc}: activation energy {energy:.3f} ± {error:.3f} eV "
        f"({row['activation_energy_kj_per_mol']:.1f} kJ/mol), 95 % from "
        f"{row['activation_energy_low_ev']:.3f} to {row['activation_energy_high_ev']:.3f} eV, by "
        f"{line} at {over}."
    )
