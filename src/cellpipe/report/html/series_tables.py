"""Build the page's tables about a series of spectra: changes of the interfaces, energies."""

from __future__ import annotations

from functools import partial

import polars as pl

from cellpipe.report.html.cell_tables import format_text
from cellpipe.report.html.grid import Grid, GridColumn, build_grid
from cellpipe.report.wording import format_integer, format_number, format_percent

_THREE, _TWO = partial(format_number, digits=3), partial(format_number, digits=2)
_WHOLE = partial(format_percent, decimals=0)


def change_grid(changes: pl.DataFrame) -> Grid:
    """Return what changed at the interfaces, one state per row; nothing where there is none."""
    columns = [
        GridColumn("State", "state", format_integer),
        GridColumn("First", "first_spectrum", format_integer),
        GridColumn("Last", "last_spectrum", format_integer),
        GridColumn("Interface arcs", "arcs", format_integer),
        GridColumn("Explanation", "explanation", _explanation, text=True),
        GridColumn("Unchanged", "unchanged_odds", _WHOLE),
        GridColumn("Contact", "contact_odds", _WHOLE),
        GridColumn("Film", "film_odds", _WHOLE),
        GridColumn("Both", "contact_and_film_odds", _WHOLE),
        GridColumn("Leads", "leads_odds", _WHOLE),
        GridColumn("None of these", "other_odds", _WHOLE),
        GridColumn("Area, last over first", "area_ratio", _THREE),
        GridColumn("Standard error of it", "area_ratio_standard_error", _TWO),
        GridColumn("Stack pressure (MPa)", "stack_pressure_mpa", _THREE),
    ]
    return build_grid(changes, columns, "")


def _explanation(value: str | None) -> str:
    return "can't be told" if value is None else value


def energy_grid(energies: pl.DataFrame) -> Grid:
    """Return the activation energies, one arc per row; nothing where there is none."""
    table = energies.with_columns(
        line=pl.when("straight").then(pl.lit("yes")).otherwise(pl.lit("no"))
    )
    columns = [
        GridColumn("Series", "series", format_integer),
        GridColumn("Arc", "arc", format_text, text=True),
        GridColumn("Process", "process", format_text, text=True),
        GridColumn("E (eV)", "activation_energy_ev", _THREE),
        GridColumn("Standard error (eV)", "activation_energy_standard_error_ev", _TWO),
        GridColumn("95 % from (eV)", "activation_energy_low_ev", _THREE),
        GridColumn("to (eV)", "activation_energy_high_ev", _THREE),
        GridColumn("E (kJ/mol)", "activation_energy_kj_per_mol", _THREE),
        GridColumn("Line of", "straight_line_of", format_text, text=True),
        GridColumn("Temperatures", "temperatures", format_integer),
        GridColumn("From (°C)", "lowest_temperature_celsius", _THREE),
        GridColumn("To (°C)", "highest_temperature_celsius", _THREE),
        GridColumn("Straight", "line", format_text, text=True),
        GridColumn("Coldest slope (eV)", "coldest_slope_ev", _THREE),
        GridColumn("Hottest slope (eV)", "hottest_slope_ev", _THREE),
    ]
    return build_grid(table, columns, "")
