"""Show results on the terminal: a progress bar, and tables for people to read."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.measure import Measurement as Width
from rich.progress import (
    BarColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from cellpipe.cli.output import terminal_stream
from cellpipe.core.clean_text import clean_line, clean_lines, redact
from cellpipe.system.progress import Progress as Tell
from cellpipe.system.progress import Stage

if TYPE_CHECKING:
    from pathlib import Path

    import polars as pl

    from cellpipe.pipeline.summary import Summary
    from cellpipe.service.doctor import Check

_STAGES: dict[Stage, str] = {"files": "Reading files", "cells": "Computing cells",
                             "report": "Writing the report"}  # fmt: skip
_NAMED = 10  # cells that a line names
_LISTED = 20  # files, findings or cells that a list has before it says how many more there are
_MOST_CELLS = 100
_TOLD = (  # findings that have lines of their own, or stand among what could not be used
    "not_in_sheet", "file_cut_off", "analysis_failed", "report_block_failed", "sheet_not_used",
    "baselines_not_used", "time_zone_unknown",
)  # fmt: skip
_NARROWEST = 128  # characters that the table of cells needs; a narrower terminal gets a list


@contextmanager
def show_progress() -> Iterator[Tell | None]:
    """Show a progress bar on a terminal; yield None elsewhere (a log, a pipe)."""
    console = Console(file=terminal_stream(sys.stderr))
    if not console.is_terminal:
        yield None
        return
    columns = (TextColumn("{task.description:<18}"), BarColumn(),
               TextColumn("{task.fields[count]}"), TimeElapsedColumn(), TextColumn("[dim]left"),
               TimeRemainingColumn(),
               TextColumn("[dim]{task.fields[what]}"))  # fmt: skip
    with Progress(*columns, console=console, transient=True) as bar:
        tasks: dict[Stage, Any] = {}

        def tell(stage: Stage, done: int, total: int, what: str, share: float) -> None:
            if stage not in tasks:
                tasks[stage] = bar.add_task(_STAGES[stage], total=1.0, what="", count="")
            count = f"{done}/{total}"
            bar.update(tasks[stage], completed=share, what=escape(clean_line(what)), count=count)

        yield tell


class _Console(Console):
    def __init__(self, **options: Any) -> None:
        super().__init__(file=terminal_stream(sys.stdout), **options)

    def render(self, *given: Any, **options: Any) -> Iterator[Segment]:
        """Render what is printed, with control characters written out."""
        for segment in super().render(*given, **options):
            text = segment.text if segment.control else clean_lines(segment.text)
            yield segment if text is segment.text else Segment(text, segment.style)

    def on_broken_pipe(self) -> None:
        """Raise BrokenPipeError, so that the command line can choose the exit code."""
        raise BrokenPipeError


def make_console() -> Console:
    """Return the terminal's console or, without a terminal, one wide enough for tables."""
    console = _Console()
    return console if console.is_terminal else _Console(width=max(console.width, _NARROWEST))


def show_summary(summary: Summary) -> None:
    """Print what a run did: the cells, the unusable files, and the page to open."""
    console = make_console()
    if not (summary.read or summary.cells_updated) and summary.unchanged:
        console.print(f"Nothing new: {pluralize(summary.unchanged, 'file')} unchanged.")
    else:
        console.print(
            f"{pluralize(summary.read, 'file')} read, {summary.unchanged} unchanged, "
            f"{pluralize(summary.cells_updated, 'cell')} computed."
        )
    if summary.reread:
        console.print(
            f"{pluralize(summary.reread, 'file')} read again: "
            "the version or --time-zone is another."
        )
    if summary.cells.height:
        table = _cells_table(summary)
        unlimited = console.options.update(max_width=1 << 16)
        fits = Width.get(console, unlimited, table).maximum <= console.width
        console.print(table if fits else _cells_list(summary))
        show_rest(console, summary.cells.height - _MOST_CELLS, summary.page)
    if summary.failures:
        failures = [(failure.path, str(failure.reason)) for failure in summary.failures]
        show_failure_list(console, failures, "File or cell", summary.page)
    _show_remarks(console, summary)
    if summary.exit_code == 2:
        console.print("Nothing could be done: no file in the folder can be used.")
    if summary.page.is_file():
        console.print(Text("Open ").append(str(summary.page), style="bold"))


def _show_remarks(console: Console, summary: Summary) -> None:
    """Print what is to be known: alarms, what is to be checked, and notes about the lab.

    What has a line of its own, or stands among what could not be used, is not said again.
    """
    import polars as pl

    own_lines = pl.col("code").is_in(_TOLD)
    show_findings(
        console,
        summary.findings.filter(~own_lines & (pl.col("subject_kind") != "file")),
        summary.page,
    )
    lab = summary.findings.filter(subject_kind="lab", severity="note")
    for sentence in lab["sentence"].head(_LISTED):
        console.print(Text(f"Note: {sentence}"))
    show_rest(console, lab.height - _LISTED, summary.page)
    not_in_sheet = summary.findings.filter(summary.findings["code"] == "not_in_sheet")["cell_id"]
    if len(not_in_sheet):
        console.print(Text(f"Not in the cell sheet, so in mAh only: {_names(not_in_sheet)}."))
    _show_cut(console, summary)
    _show_failed_steps(console, summary)
    if "time_zone_unknown" in summary.findings["code"]:
        console.print("Local times are taken as UTC; tell the instruments' zone with --time-zone.")
    if summary.ignored:
        kinds = sorted({"." + name.rpartition(".")[2] for name in summary.ignored})
        shown = ", ".join(kinds[:_LISTED]) + (" …" if len(kinds) > _LISTED else "")
        count = pluralize(len(summary.ignored), "file")
        console.print(Text(f"{count} of other kinds left alone ({shown})."))


def show_findings(console: Console, findings: pl.DataFrame, page: Path) -> None:
    """Print alarms and what is to be checked, many of a kind in one line."""
    import polars as pl

    from cellpipe.core.finding_rows import fold_findings
    from cellpipe.core.model import CONTRADICTION

    lines = fold_findings(findings.filter(pl.col("severity") != "note"))
    lines.sort(key=lambda line: (line.severity != "alarm", not line.code.startswith(CONTRADICTION)))
    for line in lines[:_LISTED]:
        is_against = line.code.startswith(CONTRADICTION)
        head = "Alarm" if line.severity == "alarm" else "Against physics" if is_against else "Check"
        style = "red" if line.severity == "alarm" or is_against else ""
        console.print(Text(f"{head}: {line}", style=style))
    show_rest(console, len(lines) - _LISTED, page)


def _show_cut(console: Console, summary: Summary) -> None:
    """Name the cells with a truncated file: their numbers cover only what is there."""
    cut = summary.findings.filter(summary.findings["code"] == "file_cut_off")["cell_id"]
    if len(cut):
        names = _names(cut.drop_nulls().unique(maintain_order=True))
        console.print(Text(f"Check: a file of {names} was cut off; copy it again."))


def _names(cells: pl.Series) -> str:
    """Name cells: those that are few, else the first and how many more there are."""
    more = f" and {len(cells) - _LISTED:,} more" if len(cells) > _LISTED else ""
    return ", ".join(cells.head(_LISTED)) + more


def _show_failed_steps(console: Console, summary: Summary) -> None:
    """Name the cells of which an analysis or a block failed; their pages say which."""
    is_failed = summary.findings["code"].is_in(["analysis_failed", "report_block_failed"])
    cells = summary.findings.filter(is_failed)["cell_id"].drop_nulls().unique().sort()
    if len(cells):
        shown = ", ".join(cells[:_NAMED]) + (" …" if len(cells) > _NAMED else "")
        line = (
            f"Check: a part of {pluralize(len(cells), 'cell')} failed ({shown}); see their pages."
        )
        console.print(Text(line))


def _cells_table(summary: Summary) -> Table:
    table = Table(title="Cells", title_justify="left", title_style="bold")
    for header in ("Cell", "Kind", "Cycles", "First discharge", "Initial CE", "Mean CE",
                   "Retention", "Interfacial resistance"):  # fmt: skip
        left = header in {"Cell", "Kind"}
        table.add_column(header, justify="left" if left else "right", no_wrap=header != "Kind")
    for row in summary.cells.head(_MOST_CELLS).iter_rows(named=True):
        retention = format_percent(row["capacity_retention"])
        if row["retention_cycle"]:
            cycle, reference = row["retention_cycle"], row["retention_reference_cycle"]
            retention += f" (cycle {cycle} / {reference})"
        table.add_row(
            Text(row["cell_id"]), row["configuration"] or "not known", _format_count(row["cycles"]),
            _format_first_capacity(row), _format_efficiency(row, "initial", 1),
            _format_efficiency(row, "mean", 2), retention,
            _format_resistance(row).replace("→ ", "→\n"),
        )  # fmt: skip
    return table


def _cells_list(summary: Summary) -> Table:
    """Return the cells with their numbers as running text, for a narrow terminal."""
    table = Table(title="Cells", title_justify="left", title_style="bold", show_header=False)
    table.add_column(overflow="fold", max_width=40)
    table.add_column()
    for row in summary.cells.head(_MOST_CELLS).iter_rows(named=True):
        kind = row["configuration"] or "kind not known"
        retention = format_percent(row["capacity_retention"])
        if row["retention_cycle"]:
            cycle, reference = row["retention_cycle"], row["retention_reference_cycle"]
            retention += f" (cycle {cycle} / {reference})"
        numbers = {
            "first discharge": _format_first_capacity(row),
            "initial CE": _format_efficiency(row, "initial", 1),
            "mean CE": _format_efficiency(row, "mean", 2),
            "retention": retention,
            "interfacial resistance": _format_resistance(row),
        }
        known = [f"{name} {shown}" for name, shown in numbers.items() if shown != "–"]
        count = row["cycles"]
        first = f"{kind}, {'cycles not known' if count is None else pluralize(count, 'cycle')}"
        table.add_row(Text(row["cell_id"]), Text("; ".join([first, *known])))
    return table


def _format_count(number: int | None) -> str:
    """Write a count; a dash where it could not be made."""
    return "–" if number is None else str(number)


def pluralize(number: int, noun: str) -> str:
    """Return a number with its noun, in the plural unless the number is one."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _format_first_capacity(row: dict[str, Any]) -> str:
    ampere_hour = row["first_discharging_capacity_ah"]
    if ampere_hour is None or row["plating_summary"] is not None:
        return "–"
    shown = f"{format_number(1e3 * ampere_hour, 4)} mAh"
    specific = row["first_specific_discharging_capacity_mah_per_g"]
    if specific is not None:
        shown = f"{format_number(specific, 4)} mAh/g {row['capacity_basis'].split()[0]}"
    return f"({shown})" if row["initial_remark"] else shown


def format_percent(fraction: float | None, digits: int = 1) -> str:
    """Return a fraction in per cent; a dash for None."""
    return "–" if fraction is None else f"{100 * fraction:.{digits}f} %"


def _format_efficiency(row: dict[str, Any], which: str, digits: int) -> str:
    """Write an efficiency; in parentheses if it needs an explanation, which the page has."""
    shown = format_percent(row[f"{which}_coulombic_efficiency"], digits)
    remark = row["initial_remark" if which == "initial" else "mean_efficiency_remark"]
    return f"({shown})" if remark and shown != "–" else shown


def _format_resistance(row: dict[str, Any]) -> str:
    """Write the first and last interfacial resistance with errors; a dash where none may stand."""
    from cellpipe.report.key_numbers import resistance_text

    return " ".join(filter(None, resistance_text(row)))


def format_number(value: float, digits: int = 3) -> str:
    """Return a number to significant digits, without an exponent from 1e-3 to below 1e7."""
    if value == 0 or not 1e-3 <= abs(value) < 1e7:
        return f"{value:.{digits}g}"
    decimals = max(digits - 1 - math.floor(math.log10(abs(value))), 0)
    return f"{value:.{decimals}f}"


def show_failure_list(
    console: Console, rejected: Sequence[tuple[str, str]], head: str, page: Path
) -> None:
    """Print what could not be used and why: twenty, and how many more the page has."""
    table = Table(title="Could not be used", title_justify="left", title_style="bold")
    table.add_column(head, overflow="fold")
    table.add_column("Why")
    for path, reason in rejected[:_LISTED]:
        table.add_row(Text(clean_line(path)), Text(clean_line(reason)))
    console.print(table)
    show_rest(console, len(rejected) - _LISTED, page)


def show_rest(console: Console, count: int, page: Path) -> None:
    """Print how many more there are than a list has, and where all of them are."""
    if count > 0:
        console.print(Text(f"… and {count:,} more; all are in {page}"), soft_wrap=True)


def summary_to_dict(summary: Summary) -> dict[str, object]:
    """Return what a run did as plain values: counts, cells with their numbers, and failures."""
    return {
        "read": summary.read, "unchanged": summary.unchanged,
        "cells_updated": summary.cells_updated, "page": summary.page,
        "cells": summary.cells.to_dicts(),
        "failures": [
            {
                "path": failure.path, "reason": str(failure.reason), **failure.parts,
                "file": failure.parts["file"] or failure.path,
            }
            for failure in summary.failures
        ],
    }  # fmt: skip


def show_json(content: object) -> None:
    """Print plain values as JSON; paths and times as text."""
    text = json.dumps(_redact_texts(content), ensure_ascii=False, indent=2)
    shown = "".join(
        one if one.isprintable() or one == "\n" else json.dumps(one)[1:-1] for one in text
    )
    terminal_stream(sys.stdout).write(shown + "\n")  # it is clean, and must stay JSON


def _redact_texts(content: object) -> object:
    """Return plain values with redacted texts; redacted once written, they might be no JSON."""
    if isinstance(content, Mapping):
        return {redact(str(name)): _redact_texts(value) for name, value in content.items()}
    if isinstance(content, list | tuple):
        return [_redact_texts(each) for each in content]
    plain = content is None or isinstance(content, bool | int | float)
    return content if plain else redact(str(content))


def show_check(check: Check) -> None:
    """Print the result of one check."""
    mark, style = _MARKS[check.state]
    line = Text.assemble((mark, style), f" {check.what:<16} {check.found}")
    make_console().print(line)
    if check.remedy:
        make_console().print(Text(f"{'':22}what to do: {check.remedy}"))


_MARKS = {"good": ("good", "green"), "note": ("note", "yellow"), "bad": ("BAD ", "bold red")}
