"""Write the page of a cell: one self-contained HTML file."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING

import polars as pl

from cellpipe.baselines.verdict import describe_standing
from cellpipe.core.model import Cell
from cellpipe.report.figures.arcs import arcs_panel
from cellpipe.report.figures.comparison import capacity_panel
from cellpipe.report.figures.cycling import cycling_panel
from cellpipe.report.figures.differential import differential_panel
from cellpipe.report.figures.impedance import impedance_panel
from cellpipe.report.figures.panel import Panel
from cellpipe.report.figures.peaks import peak_panel
from cellpipe.report.figures.profiles import profile_panel
from cellpipe.report.figures.rates import rate_panel
from cellpipe.report.figures.resistance import resistance_panel
from cellpipe.report.figures.retention import retention_panel
from cellpipe.report.figures.scale import capacity_scale
from cellpipe.report.html import cell_tables
from cellpipe.report.html.comparison_tables import number_grid, text_grid, verdict_grid
from cellpipe.report.key_numbers import describe_cell, key_numbers
from cellpipe.report.provenance import software_versions
from cellpipe.report.wording import kind_words

if TYPE_CHECKING:
    from jinja2 import Environment, Template

_SHOWN_FINDINGS = 12


@cache
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    return Environment(
        loader=PackageLoader("cellpipe.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def load_template(name: str) -> Template:
    """Load a template of this package; values put into it are escaped."""
    return _environment().get_template(name)


def cell_page(
    cell: Cell,
    tables: Mapping[str, pl.DataFrame],
    files: pl.DataFrame,
    *,
    name: str,
    version: str,
    analyses: Mapping[str, int],
) -> str:
    """Write the page of a cell; ``name`` is the file name of its workbook without the suffix.

    ``version`` and ``analyses`` (versions by name) say what made the numbers.
    """
    words = kind_words(cell)
    findings = tables["findings"]
    return load_template("cell.html.j2").render(
        cell=cell,
        workbook=f"{name}.xlsx",
        line=describe_cell(cell, words),
        key_numbers=key_numbers(tables["cells"], words),
        checks=_checks(findings),
        shown_checks=_SHOWN_FINDINGS,
        notes=findings.filter(pl.col("level") == "info").to_dicts(),
        panels=cell_panels(cell, tables),
        discharge=words.discharge,
        cycles=cell_tables.cycle_grid(tables["cycles"], words),
        arcs=cell_tables.arc_grid(tables["impedance_arcs"], tables["interfacial_resistance"]),
        fits=cell_tables.fit_grid(tables["circuit_fits"], tables["interfacial_resistance"]),
        standing=describe_standing(tables["baseline_comparison"].to_dicts()),
        conditions=_conditions(tables["baseline_comparison"]),
        verdicts=verdict_grid(tables["baseline_comparison"], tables["baselines"]),
        published=number_grid(tables["baseline_comparison"], tables["baselines"]),
        in_text=text_grid(cell, tables["cells"], tables["cycles"]),
        sheet=cell_tables.sheet_grid(cell),
        files=cell_tables.file_grid(files),
        made_with=software_versions(version, analyses),
        version=version,
    )


def _conditions(comparison: pl.DataFrame) -> str:
    """Return a sentence with the cell's conditions as the comparison used them."""
    said = comparison["cell_conditions"].to_list()
    return f"This cell: {said[0]}." if said else ""


def _checks(findings: pl.DataFrame) -> list[dict[str, object]]:
    """Return errors, then warnings, each in the order in which they were found."""
    by_level = [findings.filter(pl.col("level") == level) for level in ("error", "warning")]
    return [row for part in by_level for row in part.to_dicts()]


def cell_panels(cell: Cell, tables: Mapping[str, pl.DataFrame]) -> list[Panel]:
    """Return all figures of a cell, in the page's order."""
    words = kind_words(cell)
    cycles, growth = tables["cycles"], tables["interfacial_resistance"]
    scale = capacity_scale(cell, cycles, tables["cells"])
    comparison, baselines = tables["baseline_comparison"], tables["baselines"]
    peaks = tables["differential_capacity_peaks"]
    return [
        cycling_panel(cycles, scale, words),
        profile_panel(cell, cycles, tables["voltage_profiles"], scale, words),
        differential_panel(cell, cycles, tables["differential_capacity"], scale, words),
        peak_panel(cell, cycles, peaks, scale),
        rate_panel(cycles, tables["half_cycles"], scale),
        impedance_panel(tables["impedance"], tables["circuit_fits"], growth),
        arcs_panel(tables["impedance"], tables["circuit_fits"], tables["impedance_arcs"]),
        resistance_panel(growth, cycles, tables["resistance_growth"]),
        retention_panel(cycles, comparison, baselines),
        capacity_panel(comparison),
    ]
