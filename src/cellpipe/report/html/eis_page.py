"""Write the page of one file's spectra, for ``cellpipe eis``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

from cellpipe._version import __version__
from cellpipe.core.model import Finding
from cellpipe.report.figures.arcs import arcs_panel
from cellpipe.report.figures.impedance import impedance_panel
from cellpipe.report.figures.panel import Panel
from cellpipe.report.figures.resistance import resistance_panel
from cellpipe.report.figures.series import bode_panel, waterfall_panel
from cellpipe.report.html import cell_tables, series_tables
from cellpipe.report.html.cell_page import load_template
from cellpipe.report.series_sentences import series_sentences


def eis_page(
    name: str,
    tables: Mapping[str, pl.DataFrame],
    findings: Sequence[Finding],
    *,
    age_known: bool = False,
) -> str:
    """Return the page of a file's spectra: all figures, arcs and parameters.

    Parameters
    ----------
    name
        Name of the file.
    tables
        ``impedance``, ``circuit_fits``, ``impedance_arcs``, ``interfacial_resistance``,
        ``resistance_growth``, ``interface_changes``, ``activation_energies``,
        ``relaxation_times``, ``relaxation_peaks`` and ``cycles``.
    findings
        Findings to show; those of level info are notes.
    age_known
        Whether ``cycles`` gives the start of the cell's life; else time runs from the first
        spectrum.

    """
    growth, fits = tables["interfacial_resistance"], tables["circuit_fits"]
    circuits = ", ".join(fits["circuit"].unique().sort().to_list()) or "no circuit"
    return load_template("eis.html.j2").render(
        name=name,
        line=f"{growth.height} spectra, fitted with {circuits}",
        checks=[finding for finding in findings if finding.level != "info"],
        notes=[finding for finding in findings if finding.level == "info"],
        panels=_panels(tables, age_known=age_known),
        said=series_sentences(tables),
        changes=series_tables.change_grid(tables["interface_changes"]),
        energies=series_tables.energy_grid(tables["activation_energies"]),
        arcs=cell_tables.arc_grid(tables["impedance_arcs"], growth),
        peaks=cell_tables.peak_grid(tables["relaxation_peaks"]),
        fits=cell_tables.fit_grid(fits, growth),
        version=__version__,
    )


def _panels(tables: Mapping[str, pl.DataFrame], *, age_known: bool) -> list[Panel]:
    impedance, fits = tables["impedance"], tables["circuit_fits"]
    growth = tables["interfacial_resistance"]
    return [
        impedance_panel(impedance, fits, growth),
        arcs_panel(impedance, fits, tables["impedance_arcs"], tables["relaxation_times"]),
        bode_panel(impedance, fits),
        waterfall_panel(impedance, fits),
        resistance_panel(
            growth, tables["cycles"], tables["resistance_growth"], age_known=age_known
        ),
    ]
