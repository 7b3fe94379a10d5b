"""The workbook of a cell: every number of its page with units, sources and live formulas."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TypeVar

import polars as pl
import xlsxwriter

from cellpipe.core.model import AnalysisFacts, Cell
from cellpipe.core.steps import StepFailure, run_step
from cellpipe.report.blocks import BlockFailure, Tell, log_failure, lost_reason
from cellpipe.report.excel.charts import insert_charts
from cellpipe.report.excel.cycle_sheet import cycle_columns
from cellpipe.report.excel.data_sheets import (
    arc_columns,
    curve_columns,
    fade_columns,
    file_columns,
    finding_columns,
    fit_columns,
    growth_columns,
    parameter_columns,
    peak_columns,
    profile_columns,
    protocol_columns,
    relaxation_columns,
    resistance_columns,
    spectrum_columns,
)
from cellpipe.report.excel.further_sheets import (
    MEANINGS,
    further_columns,
    meaning_columns,
    sheet_names,
)
from cellpipe.report.excel.plating_sheets import (
    critical_columns,
    efficiency_columns,
    short_columns,
    stripping_columns,
    trace_columns,
)
from cellpipe.report.excel.sheets import Book, SheetColumn, SheetLayout, write_sheet
from cellpipe.report.excel.summary_sheet import write_summary
from cellpipe.report.figures.choice import select_cycles
from cellpipe.report.further import collect_further
from cellpipe.report.html.comparison_tables import baseline_columns
from cellpipe.report.plating_numbers import is_symmetric
from cellpipe.report.wording import kind_words

T = TypeVar("T")
_OF_AGEING = ("dQdV", "Fade", "Baselines")
_OF_CAPACITY = ("Cycles", "Profiles", "dQdV", "Fade", "Baselines")  # sheets
# The sheets that formulas and charts refer to, with the table that is on each.
_REFERRED = {"Cycles": "cycles", "EIS": "impedance", "Resistance": "interfacial_resistance"}
# Fixed, so that the same input gives the same bytes.
CREATED = datetime(2000, 1, 1)  # noqa: DTZ001 (the file format has no zone)


class _BlockError(Exception):
    """A sheet or a chart could not be made: the workbook is begun anew without it."""

    def __init__(self, name: str, failure: StepFailure) -> None:
        super().__init__(name)
        self.name = name
        self.failure = failure


def cell_workbook(
    cell: Cell,
    tables: Mapping[str, pl.DataFrame],
    files: pl.DataFrame,
    *,
    version: str,
    analyses: AnalysisFacts = AnalysisFacts(),  # noqa: B008 - frozen, and empty
    tell: Tell = log_failure,
) -> bytes:
    """Write the workbook of a cell and give its bytes.

    A sheet or a chart that fails is replaced by a sentence, and the others stand.

    Parameters
    ----------
    cell, tables, files
        As of :func:`cellpipe.report.write_cell_report`.
    version, analyses
        Version of cellpipe, and the analyses, that made the numbers.
    tell
        Called for each sheet and chart that fails.

    """
    failed: dict[str, BlockFailure] = {}
    while True:
        try:
            content = _write_workbook(cell, tables, files, version, analyses, failed)
        except _BlockError as error:
            if error.name in failed:
                raise error.failure.error from None
            failed[error.name] = BlockFailure(error.name, "workbook", error.failure)
            continue
        for each in failed.values():
            tell(each)
        return content


def _write_workbook(
    cell: Cell,
    tables: Mapping[str, pl.DataFrame],
    files: pl.DataFrame,
    version: str,
    analyses: AnalysisFacts,
    failed: Mapping[str, BlockFailure],
) -> bytes:
    """Write the workbook without the blocks that failed.

    Raises
    ------
    _BlockError
        If a further block fails.

    """
    content = io.BytesIO()
    workbook = xlsxwriter.Workbook(content, workbook_options())
    workbook.set_properties({"title": cell.cell_id[:200], "created": CREATED})
    book = Book(workbook)
    words = kind_words(cell)
    referred = _without_failed_sheets(tables, failed)

    def attempt(name: str, make: Callable[[], T], instead: Callable[[str], T]) -> T:
        if name in failed:
            return instead(failed[name].sentence)
        made = run_step(make)
        if isinstance(made, StepFailure):
            raise _BlockError(name, made)
        return made

    def write(sheet: _Sheet, columns: Sequence[SheetColumn]) -> None:
        absent = lost_reason(sheet.tables, analyses.lost) or sheet.absent
        attempt(
            f"The sheet '{sheet.name}'",
            lambda: write_sheet(book, sheet.name, columns, absent),
            lambda sentence: write_sheet(book, sheet.name, (), sentence),
        )

    sheets = _sheets(cell, tables, files, version, analyses)
    columns = {s.name: attempt(f"The sheet '{s.name}'", s.columns, lambda _: ()) for s in sheets}
    layouts = {name: SheetLayout(name, each) for name, each in columns.items()}
    attempt(
        "The sheet 'Summary'",
        lambda: write_summary(book, cell, layouts.get("Cycles"), tables, referred["cycles"], words),
        lambda sentence: write_sheet(book, "Summary", (), sentence),
    )
    for sheet in sheets:
        write(sheet, columns[sheet.name])
    insert_charts(book, layouts, referred, words, attempt)
    closed = run_step(workbook.close)
    if isinstance(closed, StepFailure):
        raise _BlockError("The workbook as a whole", closed)
    return content.getvalue()


def _without_failed_sheets(
    tables: Mapping[str, pl.DataFrame], failed: Mapping[str, BlockFailure]
) -> dict[str, pl.DataFrame]:
    """Return the tables as formulas and charts may refer to them: those on a failed sheet empty."""
    left = dict(tables)
    for sheet, name in _REFERRED.items():
        if f"The sheet '{sheet}'" in failed:
            left[name] = tables[name].clear()
    return left


def workbook_options() -> dict[str, object]:
    """Return xlsxwriter's settings, new for each workbook: it modifies the inner dictionary."""
    return {
        "in_memory": True,
        "constant_memory": False,
        "strings_to_formulas": False,
        "strings_to_urls": False,
        "strings_to_numbers": False,
        # A font that every office program has, or has the widths of: charts are sized by columns.
        "default_format_properties": {"font_name": "Arial", "font_size": 10},
    }


@dataclass(frozen=True)
class _Sheet:
    """A sheet: its name, its columns, the sentence for an empty table, the tables it shows."""

    name: str
    columns: Callable[[], Sequence[SheetColumn]]
    absent: str
    tables: tuple[str, ...] = ()


def _sheets(
    cell: Cell,
    tables: Mapping[str, pl.DataFrame],
    files: pl.DataFrame,
    version: str,
    analyses: AnalysisFacts,
) -> list[_Sheet]:
    """Return all sheets but the first, in order; their columns are made when they are written."""
    cycles, growth = tables["cycles"], tables["interfacial_resistance"]
    profiles, curves = tables["voltage_profiles"], tables["differential_capacity"]
    none = "There are no impedance spectra of this cell."
    own = [
        _Sheet("Cycles", lambda: cycle_columns(cell, tables, files, kind_words(cell)),
               "There are no cycles.", ("cycles",)),
        _Sheet("Protocol", lambda: protocol_columns(tables["protocol_segments"]),
               "No records of time are in this cell's files.", ("protocol_segments",)),
        _Sheet("Profiles",
               lambda: profile_columns(cell, profiles, select_cycles(cycles, profiles), cycles),
               "There are no voltage profiles.", ("voltage_profiles", "cycles")),
        _Sheet("dQdV", lambda: curve_columns(cell, curves, select_cycles(cycles, curves), cycles),
               "There are no dQ/dV curves.", ("differential_capacity", "cycles")),
        _Sheet("EIS", lambda: spectrum_columns(tables["impedance"], growth, tables["circuit_fits"]),
               none),
        _Sheet("Resistance", lambda: resistance_columns(growth), none,
               ("interfacial_resistance",)),
        _Sheet("Growth", lambda: growth_columns(tables["resistance_growth"]), none,
               ("resistance_growth",)),
        _Sheet("Fade", lambda: fade_columns(tables["capacity_fade"]),
               "There are fewer than fifteen complete cycles at one rate.", ("capacity_fade",)),
        _Sheet("Arcs", lambda: arc_columns(tables["impedance_arcs"]), "No arc was fitted.",
               ("impedance_arcs",)),
        _Sheet("Fits", lambda: fit_columns(tables["circuit_fits"]), "No circuit was fitted.",
               ("circuit_fits",)),
        _Sheet("Parameters", lambda: parameter_columns(tables["circuit_fits"]),
               "No circuit was fitted.", ("circuit_fits",)),
        _Sheet("Relaxation peaks", lambda: peak_columns(tables["relaxation_peaks"]), none,
               ("relaxation_peaks",)),
        _Sheet("Relaxation times", lambda: relaxation_columns(tables["relaxation_times"]), none,
               ("relaxation_times",)),
        _Sheet("Baselines",
               lambda: baseline_columns(tables["baseline_comparison"], tables["baselines"]),
               "There are no published cells.", ("baseline_comparison",)),
        _Sheet("Findings", lambda: finding_columns(tables["findings"]), "There are no findings."),
        _Sheet("Provenance", lambda: file_columns(files, version),
               "No raw file belongs to this cell."),
    ]  # fmt: skip
    plating = _plating_sheets(tables)
    if is_symmetric(tables):  # it has no capacity, efficiency or retention
        own = [sheet for sheet in own if sheet.name not in _OF_CAPACITY]
    elif plating:  # the protocol sets how much is plated
        own = [sheet for sheet in own if sheet.name not in _OF_AGEING]
    own = [*plating, *own]
    taken = ["Summary", *(sheet.name for sheet in own)]
    return [*own, *_further_sheets(tables, taken, analyses)]


def _plating_sheets(tables: Mapping[str, pl.DataFrame]) -> list[_Sheet]:
    """Return the sheets of a cell that strips and plates; none of another cell."""
    efficiency = tables["plating_efficiency"]
    if efficiency.height:
        return [_Sheet("Plating efficiency", lambda: efficiency_columns(efficiency), "",
                       ("plating_efficiency",))]  # fmt: skip
    if not is_symmetric(tables):
        return []
    return [
        _Sheet("Stripping and plating", lambda: stripping_columns(tables["stripping_plating"]),
               "There are no half cycles of constant current.", ("stripping_plating",)),
        _Sheet("Short circuits", lambda: short_columns(tables["short_circuits"]),
               "No short circuit was found.", ("short_circuits",)),
        _Sheet("Critical current", lambda: critical_columns(tables["critical_current"]),
               "There was no test.", ("critical_current",)),
        _Sheet("Voltage", lambda: trace_columns(tables["voltage_trace"]),
               "There are no records.", ("voltage_trace",)),
    ]  # fmt: skip


def _further_sheets(
    tables: Mapping[str, pl.DataFrame], taken: Sequence[str], analyses: AnalysisFacts
) -> list[_Sheet]:
    """Return the sheets of further tables, and the one that says what their columns mean."""
    found = collect_further(tables, analyses.further)
    if not found:
        return []
    none = "This cell has no row of this table."
    return [
        _Sheet(MEANINGS, lambda: meaning_columns(found), none),
        *(
            _Sheet(name, partial(further_columns, table), none, (table.name,))
            for table, name in zip(found, sheet_names(found, [*taken, MEANINGS]), strict=True)
        ),
    ]
