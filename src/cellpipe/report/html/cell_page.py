"""The page of a cell: one HTML file that needs nothing but itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache, partial
from typing import TYPE_CHECKING, Any

import polars as pl

from cellpipe.baselines.verdict import describe_standing
from cellpipe.core.clean_text import escape_controls_in_lines
from cellpipe.core.contracts import empty_table
from cellpipe.core.model import CONTRADICTION, AnalysisFacts, Cell
from cellpipe.report.blocks import Block, Tell, log_failure, make_block
from cellpipe.report.fade_sentences import fade_sentence
from cellpipe.report.figures.arcs import arcs_panel
from cellpipe.report.figures.comparison import capacity_panel
from cellpipe.report.figures.cycling import cycling_panel
from cellpipe.report.figures.differential import differential_panel
from cellpipe.report.figures.field import field_panel
from cellpipe.report.figures.impedance import impedance_panel
from cellpipe.report.figures.initial_efficiency import initial_efficiency_panel
from cellpipe.report.figures.panel import Panel
from cellpipe.report.figures.peaks import peak_panel
from cellpipe.report.figures.plating import plating_panel
from cellpipe.report.figures.profiles import profile_panel
from cellpipe.report.figures.protocol import TITLE as PROTOCOL
from cellpipe.report.figures.protocol import protocol_panel
from cellpipe.report.figures.rates import rate_panel
from cellpipe.report.figures.resistance import resistance_panel
from cellpipe.report.figures.retention import retention_panel
from cellpipe.report.figures.scale import CapacityScale, capacity_scale
from cellpipe.report.figures.stripping import critical_panel, polarisation_panel, trace_panel
from cellpipe.report.further import collect_further
from cellpipe.report.html import cell_tables, plating_tables, series_tables
from cellpipe.report.html.comparison_tables import number_grid, text_grid, verdict_grid
from cellpipe.report.html.further_block import ShownTable, missing_table, shown_table
from cellpipe.report.html.grid import Grid
from cellpipe.report.html.long_lists import shorten_findings
from cellpipe.report.key_numbers import KeyNumber, describe_cell, headline
from cellpipe.report.plating_numbers import holds_capacity, is_symmetric
from cellpipe.report.provenance import software_versions
from cellpipe.report.series_sentences import series_sentences
from cellpipe.report.wording import NOTHING, kind_words
from cellpipe.system.atomic_files import file_name

if TYPE_CHECKING:
    from jinja2 import Environment, Template

_MOST_OF_A_KIND = 200  # findings; a file of thousands of faulty lines has as many
_SHOWN_FINDINGS = 12
_LISTED = (
    ("protocol", "Protocol"),
    ("shorts", "Short circuits"),
    ("stripping", "Stripping and plating"),
    ("efficiencies", "Plating efficiency"),
    ("cycles", "Cycles"),
    ("changes", "Changes of the interfaces"),
    ("energies", "Activation energies"),
    ("arcs", "Arcs of the impedance spectra"),
    ("peaks", "Peaks of the relaxation times"),
    ("fits", "Impedance fits"),
)


# Key and title of a figure, the tables that it is empty without, and what draws it.
_Described = tuple[str, str, tuple[str, ...], Callable[[], Panel]]


@cache
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined, Template

    class CleanTemplate(Template):
        """A template that writes out the control characters of names, cells and figures' texts."""

        def render(self, *args: Any, **values: Any) -> str:
            return escape_controls_in_lines(super().render(*args, **values))

    class CleanEnvironment(Environment):
        template_class = CleanTemplate

    made = CleanEnvironment(
        loader=PackageLoader("cellpipe.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["page_name"] = file_name
    return made


def load_template(name: str) -> Template:
    """Load a template of this package; what is put into it is escaped, controls too."""
    return _environment().get_template(name)


def cell_page(
    cell: Cell,
    tables: Mapping[str, pl.DataFrame],
    files: pl.DataFrame,
    *,
    name: str,
    version: str,
    analyses: AnalysisFacts,
    tell: Tell = log_failure,
) -> str:
    """Write the page of a cell.

    A block that fails is replaced by a sentence, and the others stand.

    Parameters
    ----------
    cell, tables, files
        As of :func:`cellpipe.report.write_cell_report`.
    name
        File name of its workbook without the suffix.
    version, analyses
        Version of cellpipe, and the analyses, that made the numbers.
    tell
        Called for each block that fails.

    """
    contradicts = pl.col("code").str.starts_with(CONTRADICTION)
    contradictions = tables["findings"].filter(contradicts)
    findings = tables["findings"].filter(~contradicts)
    alarms, notes = (findings.filter(severity=each).to_dicts() for each in ("alarm", "note"))
    lost = analyses.lost
    blocks = _text_blocks(cell, tables, version, analyses) | _grid_blocks(cell, tables, files)
    made = {key: make_block(block, lost, tell) for key, block in blocks.items()}
    drawn = [make_block(_drawn(block), lost, tell) for block in _panel_blocks(cell, tables)]
    strips = [panel for panel in drawn if panel.key == "protocol"]  # above all else
    panels = [panel for panel in drawn if panel.key != "protocol"]
    listed = [(title, made.pop(key)) for key, title in _LISTED]
    without_data = [(p.title, p.absent) for p in panels if p.draw is None and not p.failed]
    return load_template("cell.html.j2").render(
        cell=cell,
        workbook=f"{name}.xlsx",
        alarms=alarms,
        contradictions=contradictions.to_dicts(),
        checks=shorten_findings(_checks(findings), _MOST_OF_A_KIND),
        shown_checks=_SHOWN_FINDINGS,
        notes=shorten_findings(notes, _MOST_OF_A_KIND),
        strips=[panel for panel in strips if panel.draw or panel.failed],
        panels=[panel for panel in panels if panel.draw or panel.failed],
        listed=[(title, grid) for title, grid in listed if grid.heads or grid.failed],
        without_data=without_data
        + [
            (t, grid.absent)
            for t, grid in listed
            if not grid.heads and not grid.failed
            if grid.absent
        ],
        discharge=kind_words(cell).discharge,
        compared=holds_capacity(tables),
        further=[
            make_block(block, lost, tell) for block in _further_blocks(cell, tables, analyses)
        ],
        version=version,
        **made,
    )


def _text_blocks(
    cell: Cell, tables: Mapping[str, pl.DataFrame], version: str, analyses: AnalysisFacts
) -> dict[str, Block[Any]]:
    """Return the blocks of words and single numbers, by their names in the template."""
    words = kind_words(cell)
    comparison = tables["baseline_comparison"]

    def key_number(sentence: str) -> list[KeyNumber]:
        return [KeyNumber("Key numbers", NOTHING, sentence)]

    return {
        "line": Block("What the cell is", lambda: describe_cell(cell, words), str),
        "key_numbers": Block(
            "The key numbers", lambda: headline(tables, words), key_number, ("cells",),
            lambda numbers: not numbers,
        ),
        "standing": Block(
            "How the cell stands beside published ones",
            lambda: describe_standing(comparison.to_dicts()), str, ("baseline_comparison",),
            lambda _: not comparison["comparable"].any(),
        ),
        "said": Block(
            "What is said of the series of spectra", lambda: series_sentences(tables),
            lambda sentence: [sentence], ("interface_changes", "activation_energies"),
            lambda said: not said,
        ),
        "fade": Block(
            "How the capacity falls", lambda: fade_sentence(tables["capacity_fade"]), str
        ),
        "conditions": Block("What it was cycled in", lambda: _conditions(comparison), str),
        "made_with": Block(
            "The versions", lambda: software_versions(version, analyses.versions), str
        ),
    }  # fmt: skip


def _grid_blocks(
    cell: Cell, tables: Mapping[str, pl.DataFrame], files: pl.DataFrame
) -> dict[str, Block[Any]]:
    """Return the tables of the page, by their names in the template."""
    words = kind_words(cell)
    growth, cycles = tables["interfacial_resistance"], tables["cycles"]
    comparison, baselines = tables["baseline_comparison"], tables["baselines"]
    described: tuple[tuple[str, str, tuple[str, ...], Callable[[], Grid]], ...] = (
        ("protocol", "The table of the protocol", ("protocol_segments",),
         lambda: cell_tables.protocol_grid(tables["protocol_segments"])),
        ("shorts", "The table of short circuits", ("short_circuits",),
         lambda: plating_tables.short_grid(tables["short_circuits"])),
        ("stripping", "The table of stripping and plating", ("stripping_plating",),
         lambda: plating_tables.stripping_grid(tables["stripping_plating"])),
        ("efficiencies", "The table of plating efficiencies", ("plating_efficiency",),
         lambda: plating_tables.efficiency_grid(tables["plating_efficiency"])),
        ("cycles", "The table of cycles", ("cycles",),
         lambda: Grid((), ()) if is_symmetric(tables) else cell_tables.cycle_grid(cycles, words)),
        ("changes", "The table of changes of the interfaces", ("interface_changes",),
         lambda: series_tables.change_grid(tables["interface_changes"])),
        ("energies", "The table of activation energies", ("activation_energies",),
         lambda: series_tables.energy_grid(tables["activation_energies"])),
        ("arcs", "The table of arcs", ("impedance_arcs",),
         lambda: cell_tables.arc_grid(tables["impedance_arcs"], growth)),
        ("peaks", "The table of relaxation times' peaks", ("relaxation_peaks",),
         lambda: cell_tables.peak_grid(tables["relaxation_peaks"])),
        ("fits", "The table of fits", ("circuit_fits",),
         lambda: cell_tables.fit_grid(tables["circuit_fits"], growth)),
        ("verdicts", "The table of verdicts", ("baseline_comparison",),
         lambda: verdict_grid(comparison, baselines)),
        ("published", "The numbers of published cells", ("baseline_comparison",),
         lambda: number_grid(comparison, baselines)),
        ("in_text", "The table of figures in the review's text", ("cells",),
         lambda: text_grid(cell, tables["cells"], cycles)),
        ("sheet", "The cell sheet's row", (), lambda: cell_tables.sheet_grid(cell)),
        ("files", "The table of files", (), lambda: cell_tables.file_grid(files)),
    )  # fmt: skip
    return {
        key: Block(name, make, _absent_grid, needed, lambda grid: not grid.heads)
        for key, name, needed, make in described
    }


def _absent_grid(sentence: str) -> Grid:
    return Grid((), (), absent=sentence, failed=True)


def _further_blocks(
    cell: Cell, tables: Mapping[str, pl.DataFrame], analyses: AnalysisFacts
) -> list[Block[ShownTable]]:
    return [
        Block(
            f"The table {table.name}",
            partial(shown_table, table, cell.cell_id),
            partial(missing_table, table),
            (table.name,),
            lambda shown: not shown.rows.heads,
        )
        for table in collect_further(tables, analyses.further)
    ]


def _conditions(comparison: pl.DataFrame) -> str:
    """Say what the cell was cycled in and how, as the comparison took it."""
    said = comparison["cell_conditions"].to_list()
    return f"This cell: {said[0]}." if said else ""


def _checks(findings: pl.DataFrame) -> list[dict[str, Any]]:
    """Return what is to be checked, in the order in which it was found."""
    return findings.filter(severity="check").to_dicts()


def cell_panels(
    cell: Cell, tables: Mapping[str, pl.DataFrame], analyses: AnalysisFacts | None = None
) -> list[Panel]:
    """Return all figures of a cell, in the page's order; one that fails only says so."""
    lost = analyses.lost if analyses else {}
    return [make_block(block, lost, log_failure) for block in _panel_blocks(cell, tables)]


def _panel_blocks(cell: Cell, tables: Mapping[str, pl.DataFrame]) -> list[Block[Panel]]:
    """Describe a cell's figures: key, title, tables they are empty without, what draws them."""
    words = kind_words(cell)
    cycles, growth = tables["cycles"], tables["interfacial_resistance"]
    comparison, baselines = tables["baseline_comparison"], tables["baselines"]
    impedance, fits = tables["impedance"], tables["circuit_fits"]
    files = tables["files"] if "files" in tables else empty_table("files")
    peaks, arcs = tables["differential_capacity_peaks"], tables["impedance_arcs"]

    pressure = cell.stack_pressure_mpa
    pressures = {} if pressure is None else {cell.cell_id: pressure}

    @cache
    def scale() -> CapacityScale:
        return capacity_scale(cell, cycles, tables["cells"])

    strip: tuple[_Described, ...] = (
        ("protocol", PROTOCOL, ("protocol_segments",),
         lambda: protocol_panel(tables["protocol_segments"], files, impedance)),
    )  # fmt: skip
    cycling: tuple[_Described, ...] = (
        ("cycling", "Capacity and Coulombic efficiency", ("cycles",),
         lambda: cycling_panel(cycles, scale(), words, tables["capacity_fade"])),
        ("profiles", "Voltage profiles", ("voltage_profiles", "cycles"),
         lambda: profile_panel(cell, cycles, tables["voltage_profiles"], scale(), words)),
        ("dqdv", "Differential capacity dQ/dV", ("differential_capacity", "cycles"),
         lambda: differential_panel(cell, cycles, tables["differential_capacity"], scale(), words)),
        ("peaks", "Peaks of dQ/dV", ("differential_capacity_peaks", "cycles"),
         lambda: peak_panel(cell, cycles, peaks, scale())),
        ("rates", "Rate capability", ("half_cycles", "cycles"),
         lambda: rate_panel(cycles, tables["half_cycles"], scale())),
    )  # fmt: skip
    spectra: tuple[_Described, ...] = (
        ("nyquist", "Impedance spectra", (), lambda: impedance_panel(impedance, fits, growth)),
        ("arcs", "Arcs and relaxation times", ("impedance_arcs",),
         lambda: arcs_panel(impedance, fits, arcs, tables["relaxation_times"])),
        ("resistance", "Interfacial resistance", ("interfacial_resistance",),
         lambda: resistance_panel(growth, cycles, tables["resistance_growth"])),
    )  # fmt: skip
    published: tuple[_Described, ...] = (
        ("retention", "Retention beside published cells", ("cycles", "baseline_comparison"),
         lambda: retention_panel(cycles, comparison, baselines, tables["capacity_fade"])),
        ("capacities", "First discharge capacity beside published cells",
         ("baseline_comparison",), lambda: capacity_panel(comparison)),
        ("field", "This cell among the published cells", ("cells", "baseline_comparison"),
         lambda: field_panel(tables["cells"], comparison, baselines, pressures, of_lab=False)),
        ("initial", "Initial Coulombic efficiency beside published cells", ("cells",),
         lambda: initial_efficiency_panel(tables["cells"], of_lab=False)),
    )  # fmt: skip
    plating = _plating_figures(cell, tables)
    if is_symmetric(tables):  # it has no capacity, efficiency or retention
        described = (*strip, *plating, *spectra)
    elif plating:  # the protocol sets how much is plated
        described = (*strip, *plating, *cycling[:2], *spectra)
    else:
        described = (*strip, *cycling, *spectra, *published)
    return [
        Block(f"The figure '{title}'", make, partial(_absent_panel, key, title), needed,
              lambda panel: panel.draw is None)
        for key, title, needed, make in described
    ]  # fmt: skip


def _plating_figures(cell: Cell, tables: Mapping[str, pl.DataFrame]) -> tuple[_Described, ...]:
    """Describe the figures of a cell that strips and plates; none of another cell."""
    efficiency = tables["plating_efficiency"]
    if efficiency.height:
        return (
            ("plating", "Plating efficiency", ("plating_efficiency",),
             lambda: plating_panel(tables["cycles"], efficiency)),
        )  # fmt: skip
    if not is_symmetric(tables):
        return ()
    halves, shorts = tables["stripping_plating"], tables["short_circuits"]
    return (
        ("trace", "Stripping and plating: voltage", ("voltage_trace",),
         lambda: trace_panel(tables["voltage_trace"], halves, shorts, cell.area_cm2)),
        ("polarisation", "Polarisation of each half cycle", ("stripping_plating",),
         lambda: polarisation_panel(halves, shorts)),
        ("critical", "Critical current density", ("critical_current",),
         lambda: critical_panel(halves, tables["critical_current"], shorts)),
    )  # fmt: skip


def _absent_panel(key: str, title: str, sentence: str) -> Panel:
    return Panel(key, title, absent=sentence, failed=True)


def _drawn(block: Block[Panel]) -> Block[Panel]:
    """Return a block that fails where its figure can't be drawn, not only described."""

    def make() -> Panel:
        panel = block.make()
        _ = panel.picture
        return panel

    return replace(block, make=make)
