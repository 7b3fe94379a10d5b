"""Where the words are shown: what each table has a row of, by its heading or its sheet's name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from shown_words import (
    ARCS,
    BESIDE,
    CELLS,
    CHANGES,
    CURVE,
    CYCLES,
    EIS,
    ENERGIES,
    FADE,
    FILES,
    FINDINGS,
    FITS,
    GROWTH,
    INDEX,
    MISSING,
    PROTOCOL,
    RELAXATION,
    REPLICATES,
    RESISTANCE,
    REVIEW,
    SHEET,
    Words,
)


@dataclass(frozen=True)
class Place:
    """What a shown table has a row of.

    ``keys`` are templates by head that lead to the row of ``table``. ``form``: ``rows`` (a row of
    the table each), ``records`` (one row, a number a line), ``columns`` (records, a cell a column),
    ``matrix`` (a row of the table in each field), ``wide`` (a parameter of a fit in each field),
    ``curve`` (the points of a half cycle in order).
    """

    table: str
    words: Words
    keys: Mapping[str, str] = field(default_factory=dict)
    form: str = "rows"
    unit: str = ""  # the head below which a row's unit stands


_BY_ARC = {"Spectrum": "{spectrum}", "Arc": "{arc}"}
_BY_PARAMETER = {"Spectrum": "{spectrum}", "Element": "{element}", "Parameter": "{parameter}"}
_BY_PEAK = {"Spectrum": "{spectrum}", "Peak": "{peak}"}
_BY_ROW = {"Cell": "{cell_id}", "From": "{source}, row {row}", "Row": "{row}"}
PLACES: dict[str, Place] = {
    "Protocol": Place("protocol_segments", PROTOCOL, {"Stretch": "{stretch}"}),
    "Cycles": Place("cycles", CYCLES, {"Cycle": "{cycle}"}),
    "Arcs of the impedance spectra": Place("impedance_arcs", ARCS, _BY_ARC),
    "Arcs": Place("impedance_arcs", ARCS, _BY_ARC),
    "Changes of the interfaces": Place("interface_changes", CHANGES, {"State": "{state}"}),
    "Activation energies": Place(
        "activation_energies", ENERGIES, {"Series": "{series}", "Arc": "{arc}"}
    ),
    "Impedance fits": Place("circuit_fits", FITS, _BY_PARAMETER),
    "Fits": Place("circuit_fits", FITS, _BY_PARAMETER),
    "Parameters": Place("circuit_fits", {}, form="wide"),
    "Peaks of the relaxation times": Place("relaxation_peaks", RELAXATION, _BY_PEAK),
    "Relaxation peaks": Place("relaxation_peaks", RELAXATION, _BY_PEAK),
    "Relaxation times": Place("relaxation_times", RELAXATION,
                              {"Spectrum": "{spectrum}", "Point": "{point}"}),
    "Resistance": Place("interfacial_resistance", RESISTANCE, {"Spectrum": "{spectrum}"}),
    "Fade": Place("capacity_fade", FADE, {}),
    "Growth": Place("resistance_growth", GROWTH, {"State": "{state}", "Arc": "{arc}"}),
    "EIS": Place("impedance", EIS, {"Spectrum": "{spectrum}",
                                     "Frequency (Hz)": "{frequency_hertz}"}),
    "Profiles": Place("voltage_profiles", CURVE, form="curve"),
    "dQdV": Place("differential_capacity", CURVE, form="curve"),
    "Beside published cells": Place(
        "baseline_comparison", BESIDE, _BY_ROW | {"Published cell": "{first_author_year}"}
    ),
    "Baselines": Place("baseline_comparison", BESIDE, _BY_ROW),
    "Retention beside published cells": Place(
        "baseline_comparison",
        {"": "{%sign}{cell_retention:%} / {baseline_retention_low:%}"
             "[[–{baseline_retention_high:%}]][[*]] @{cycle}"},
        {"Cell": "{cell_id}", "": "{first_author_year} (row {row})"}, form="matrix",
    ),
    "What the cell sheet would add": Place("cells", MISSING, {"Cell": "{cell_id}"}),
    "Figures in the review's text": Place(
        "review_text", REVIEW,
        {"Published cell": "{system}", "Quantity": "{quantity}", "Conditions": "{conditions}",
         "Reference": "[{ref}]"},
    ),
    "Findings": Place("findings", FINDINGS, {"Sentence": "{sentence}", "Subject": "{subject}"}),
    "Provenance": Place("files", FILES, {"File": "{path}"}),
    "Where these numbers come from": Place("files", FILES, {"File": "{path}"}),
    "Could not be used": Place("files", FILES, {"File": "{path}"}),
    "Key numbers": Place("cells", CELLS, form="records"),
    "Numbers": Place("cells", CELLS, form="records", unit="Unit"),
    "Numbers side by side": Place("cells", CELLS, form="columns"),
    "Cell sheet": Place("cell_sheet", SHEET, form="records", unit="Unit"),
    "Cell sheet, as it was read": Place("cell_sheet", SHEET, form="records"),
    "Cell sheets side by side": Place("cell_sheet", SHEET, form="columns"),
    "Cells": Place("cells", CELLS, {"Cell": "{cell_id}"}),
    "All cells": Place("cells", INDEX, {"Cell": "{cell_id}"}, unit="Unit and basis"),
    "Replicates": Place("cells", REPLICATES, {"Group": "{group}"}, form="group"),
    "Mean and standard deviation": Place("cells", REPLICATES, {"Group": "{group}"}, form="group"),
    "Values": Place("cells", {}, form="values"),
    "Extra fields": Place("cells", {}, form="values"),
}  # fmt: skip
