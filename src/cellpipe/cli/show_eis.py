"""Show the results of ``cellpipe eis`` on the terminal."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import polars as pl
from rich.table import Table
from rich.text import Text

from cellpipe.cli.console import format_number, format_percent, make_console, pluralize
from cellpipe.report.growth_sentences import law_sentence
from cellpipe.report.key_numbers import conductivity_text
from cellpipe.report.series_sentences import series_sentences
from cellpipe.report.wording import format_with_error

if TYPE_CHECKING:
    from cellpipe.numerics.impedance.circuit_comparison import CircuitComparison
    from cellpipe.pipeline.single_file import ComparedFile, FittedFile


def show_eis(fitted: FittedFile) -> None:
    """Print the fit results of the spectra of one file."""
    console = make_console()
    resistances = fitted.tables["interfacial_resistance"]
    arcs = fitted.tables["impedance_arcs"]
    circuits = ", ".join(fitted.tables["circuit_fits"]["circuit"].unique().to_list())
    spectra = pluralize(resistances.height, "spectrum").replace("spectrums", "spectra")
    console.print(Text(f"{fitted.path}: {spectra}, {circuits or 'no circuit fitted'}"))
    console.print(_arcs_table(resistances, arcs, _fixed_arcs(fitted.tables["circuit_fits"])))
    for row in resistances.iter_rows(named=True):
        number = f"Spectrum {row['spectrum']}"
        conductivity, unit = conductivity_text(row)
        for what in ("interface", "conductivity"):
            name = {"interface": "interfacial_resistance", "conductivity": "ionic_conductivity"}
            if row[f"{name[what]}_remark"] is not None:
                console.print(Text(f"{number}, {what}: {row[f'{name[what]}_remark']}."))
        if unit:
            console.print(Text(f"{number}: conductivity {conductivity} {unit}."))
    if resistances.height == 1 or fitted.tables["circuit_fits"]["constraint"].drop_nulls().len():
        console.print(_parameters_table(fitted))
    if fitted.symmetric:
        console.print(_electrode_table(resistances, arcs))
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


def show_comparison(compared: ComparedFile) -> None:
    """Print the fit results of several circuits, their comparison, and what it says."""
    for fitted in compared.fitted:
        show_eis(fitted)
    console = make_console()
    console.print(_comparison_table(compared.comparison))
    console.print(Text(compared.comparison.verdict))


def _comparison_table(found: CircuitComparison) -> Table:
    spectra = "1 spectrum" if found.spectra == 1 else f"{found.spectra} spectra"
    table = Table(
        title=f"Circuits compared on {found.points} points of {spectra}", title_justify="left",
        title_style="bold",
    )  # fmt: skip
    table.add_column("Circuit", overflow="fold")
    for head in ("Parameters", "χ²", "BIC", "Residual"):
        table.add_column(head, justify="right")
    table.add_column("Not determined")
    least = found.scores[0].criterion
    for score in found.scores:
        table.add_row(
            score.circuit, str(score.parameters), f"{score.chi_square:.4g}",
            f"{score.criterion - least:+.1f}", format_percent(score.relative_residual, 2),
            ", ".join(score.undetermined) or "–",
        )  # fmt: skip
    table.caption = "χ²: sum of |ΔZ|²/|Z|². BIC: above that of the best; 6 is strong evidence."
    return table


def _electrode_table(resistances: pl.DataFrame, arcs: pl.DataFrame) -> Table:
    """Return what one of the two electrodes of a symmetric cell has of each interface."""
    table = Table(title="One electrode", title_justify="left", title_style="bold")
    for head in ("Spectrum", "Arc"):
        table.add_column(head, justify="right" if head == "Spectrum" else "left")
    for head in ("R / Ω", "R / Ω cm²", "C / F", "C / F cm⁻²"):
        table.add_column(head, justify="right")
    for row in arcs.filter(pl.col("electrode_resistance_ohm").is_not_null()).iter_rows(named=True):
        table.add_row(
            str(row["spectrum"]), f"{row['arc']}: {row['process']}",
            _format_half(row, "resistance_ohm"),
            *("–" if row[name] is None else format_number(row[name], 4)
              for name in ("areal_resistance_ohm_cm2", "electrode_capacitance_farad",
                           "capacitance_farad_per_cm2")),
        )  # fmt: skip
    for row in resistances.filter(
        pl.col("electrode_interfacial_resistance_ohm").is_not_null()
    ).iter_rows(named=True):
        areal = row["areal_interfacial_resistance_ohm_cm2"]
        table.add_row(
            str(row["spectrum"]), "Interface", _format_half(row, "interfacial_resistance_ohm"),
            "–" if areal is None else format_number(areal, 4), "–", "–",
        )  # fmt: skip
    table.caption = (
        "A symmetric cell: two equal electrodes in series, so that each has half of the "
        "resistance and twice the capacitance of an interface. Bulk, grain boundaries and R0 are "
        "the electrolyte's and not halved."
    )
    return table


def _format_half(row: dict[str, Any], name: str) -> str:
    """Return half of a resistance and of its error."""
    error = row[f"{name.removesuffix('_ohm')}_standard_error_ohm"]
    half = None if error is None else error / 2
    return _format_with_error(row[name] / 2, half, sure=row["identifiable"])


def _fixed_arcs(fits: pl.DataFrame) -> set[str]:
    """Return the names of the arcs whose resistance was prescribed: arc 2 is R2 or ZARC2."""
    fixed = fits.filter(
        (pl.col("constraint") == "fixed") & pl.col("parameter").is_in(["R", "R_ct"])
    )
    names = set(fixed["element"])
    return names | {re.sub(r"^(R|ZARC|Zarc|K)(?=\d)", "", name) for name in names}


def _arcs_table(resistances: pl.DataFrame, arcs: pl.DataFrame, fixed: set[str]) -> Table:
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
        by_arc = {
            arc["arc"]: f"{format_number(arc['resistance_ohm'], 4)} fixed"
            if arc["arc"] in fixed
            else _format_arc(arc)
            for arc in of_row.iter_rows(named=True)
        }
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
    constrained = fitted.tables["circuit_fits"]["constraint"].drop_nulls().len() > 0
    heads = ("Element", "Parameter", "Value", "Standard error", "of that noise", "Unit")
    for head in (*heads, *(["Prescribed"] if constrained else [])):
        right = head in {"Value", "Standard error", "of that noise"}
        table.add_column(head, justify="right" if right else "left")
    fits = fitted.tables["circuit_fits"]
    several = fits["spectrum"].n_unique() > 1
    for row in fits.filter(pl.col("spectrum") == pl.col("spectrum").max()).iter_rows(named=True):
        given = row["constraint"]
        unsure = "" if row["identifiable"] or given == "fixed" else " ?"
        table.add_row(
            row["element"], row["parameter"], f"{row['value']:.5g}{unsure}",
            *("–" if row[c] is None else f"{row[c]:.2g}" for c in ("standard_error", "precision")),
            row["unit"], *([given or ""] if constrained else []),
        )  # fmt: skip
    table.caption = "?: the data does not determine it"
    if several:
        table.caption += f". Spectrum {fits['spectrum'][-1]}; --out writes those of all"
    return table
