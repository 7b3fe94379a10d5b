"""Show the results of ``cellpipe eis`` on the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl
from rich.table import Table
from rich.text import Text

from cellpipe.cli.console import format_percent, make_console, pluralize
from cellpipe.report.growth_sentences import law_sentence
from cellpipe.report.key_numbers import conductivity_text
from cellpipe.report.series_sentences import series_sentences
from cellpipe.report.wording import format_with_error

if TYPE_CHECKING:
    from cellpipe.pipeline.single_file import FittedFile


def show_eis(fitted: FittedFile) -> None:
    """Print the fit results of the spectra of one file."""
    console = make_console()
    resistances = fitted.tables["interfacial_resistance"]
    arcs = fitted.tables["impedance_arcs"]
    circuits = ", ".join(fitted.tables["circuit_fits"]["circuit"].unique().to_list())
    spectra = pluralize(resistances.height, "spectrum").replace("spectrums", "spectra")
    console.print(Text(f"{fitted.path}: {spectra}, {circuits or 'no circuit fitted'}"))
    console.print(_arcs_table(resistances, arcs))
    for row in resistances.iter_rows(named=True):
        number = f"Spectrum {row['spectrum']}"
        conductivity, unit = conductivity_text(row)
        for what in ("interface", "conductivity"):
            name = {"interface": "interfacial_resistance", "conductivity": "ionic_conductivity"}
            if row[f"{name[what]}_remark"] is not None:
                console.print(Text(f"{number}, {what}: {row[f'{name[what]}_remark']}."))
        if unit:
            console.print(Text(f"{number}: conductivity {conductivity} {unit}."))
    if resistances.height == 1:
        console.print(_parameters_table(fitted))
    age = fitted.age_hour
    old = "" if age is None else f", for a cell that was {age:g} h old at the first spectrum"
    for row in (
        fitted.tables["resistance_growth"]
        .filter(pl.col("trend").is_not_null() | pl.col("varies").is_not_null())
        .to_dicts()
    ):
        what = "Interfacial resistance" if row["arc"] == "all" else f"Arc {row['arc']}"
        console.print(Text(
            f"{what}{old}: {law_sentence(row)}"
        ))  # fmt: skip
    for sentence in series_sentences(fitted.tables):
        console.print(Text(sentence))
    for finding in fitted.findings:
        console.print(Text(f"{finding.level}: {finding.sentence}"))


def _arcs_table(resistances: pl.DataFrame, arcs: pl.DataFrame) -> Table:
    table = Table(title="Resistances / Ω", title_justify="left", title_style="bold")
    names = arcs.unique("arc", keep="first", maintain_order=True)
    table.add_column("Spectrum", justify="right")
    table.add_column("In series", justify="right")
    for arc in names.iter_rows(named=True):
        table.add_column(f"Arc {arc['arc']}: {arc['process']}", justify="right")
    table.add_column("Interface", justify="right")
    table.add_column("Residual", justify="right")
    for row in resistances.iter_rows(named=True):
        of_row = arcs.filter(pl.col("spectrum") == row["spectrum"])
        by_arc = {arc["arc"]: _format_arc(arc) for arc in of_row.iter_rows(named=True)}
        total, error_column = (
            row["interfacial_resistance_ohm"],
            "interfacial_resistance_standard_error_ohm",
        )
        table.add_row(
            str(row["spectrum"]),
            _format_with_error(
                row["series_resistance_ohm"], row["series_resistance_standard_error_ohm"],
                sure=True,
            ),
            *(by_arc.get(name, "–") for name in names["arc"]),
            _format_with_error(total, row[error_column], sure=row["identifiable"]),
            format_percent(row["relative_residual"], 2),
        )  # fmt: skip
    table.caption = (
        "±: one standard error; ?: the data does not determine it. In series: R0, and the arcs of "
        "bulk and grain boundaries."
    )
    return table


def _format_arc(arc: dict[str, Any]) -> str:
    return _format_with_error(
        arc["resistance_ohm"], arc["resistance_standard_error_ohm"], sure=arc["identifiable"]
    )


def _format_with_error(value: float | None, error: float | None, *, sure: bool) -> str:
    """Return value ± standard error; with ? if the data does not determine the value."""
    shown = format_with_error(value, error, 4)
    return shown if sure or value is None or shown.endswith("?") else f"{shown} ?"


def _parameters_table(fitted: FittedFile) -> Table:
    table = Table(title="Parameters", title_justify="left", title_style="bold")
    for head in ("Element", "Parameter", "Value", "Standard error", "of that noise", "Unit"):
        table.add_column(
            head, justify="left" if head in {"Element", "Parameter", "Unit"} else "right"
        )
    for row in fitted.tables["circuit_fits"].iter_rows(named=True):
        unsure = "" if row["identifiable"] else " ?"
        table.add_row(
            row["element"], row["parameter"], f"{row['value']:.5g}{unsure}",
            *("–" if row[c] is None else f"{row[c]:.2g}" for c in ("standard_error", "precision")),
            row["unit"],
        )  # fmt: skip
    table.caption = "?: the data does not determine it"
    return table
