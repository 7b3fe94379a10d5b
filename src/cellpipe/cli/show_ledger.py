"""Show the state and the history of a ledger on the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from cellpipe.cli.console import make_console, pluralize, show_failure_list, show_findings
from cellpipe.store.recovery import DAMAGED

if TYPE_CHECKING:
    from cellpipe.pipeline.maintenance import Status
    from cellpipe.store.history import Event

_MOST_EVENTS = 500


def show_status(out: Path, status: Status) -> None:
    """Print the status of a results folder."""
    console = make_console()
    counts = status.counts
    console.print(
        Text(f"{out}: results of {', '.join(map(str, status.folders)) or 'no folder yet'}")
    )
    console.print(
        f"{pluralize(counts['used'], 'recording')} used, {pluralize(status.cells, 'cell')}, "
        f"{len(status.aside)} could not be used, {status.waiting} in the queue."
    )
    if status.writer:
        console.print(Text(f"Writing now: {status.writer}"))
    if status.last:
        last = status.last
        is_finding = last.event in {"alarm", "check"}  # which stands below
        why = f" ({last.reason})" if last.reason and not is_finding else ""
        console.print(Text(f"Last: {_format_time(last)} UTC, {last.subject} {last.event}{why}"))
    night = (
        f"Last night run: ended {_format_time(status.night)} UTC"
        if status.night
        else "No night run yet."
    )
    console.print(Text(night))
    count, size = status.damaged
    if count:
        held = f"{pluralize(count, 'file')}, {size / 1e6:.1f} MB"
        console.print(Text(f"Put aside as damaged: {held} in {out / DAMAGED}"))
    if status.findings is not None:
        about_files = status.findings["subject_kind"] == "file"
        show_findings(console, status.findings.filter(~about_files), out / "index.html")
    if status.aside:
        show_failure_list(console, status.aside, "File", out / "index.html")


def show_history(events: Sequence[Event]) -> None:
    """Print the events of the history, in order; of very many the latest."""
    left_out = len(events) - _MOST_EVENTS
    if left_out > 0:
        make_console().print(f"… {left_out:,} earlier events; cellpipe history --json has all.")
    table = Table(title="History (UTC)", title_justify="left", title_style="bold")
    for column in ("When", "What", "Event", "Reason or numbers", "Content", "Version"):
        table.add_column(column, overflow="fold")
    for event in events[-_MOST_EVENTS:]:
        numbers = ", ".join(
            f"{name} {_format_value(value)}" for name, value in event.numbers.items()
        )
        table.add_row(
            _format_time(event), Text(event.subject), event.event, Text(event.reason or numbers),
            (event.sha256 or "")[:8], event.version,
        )  # fmt: skip
    make_console().print(table)


def _format_time(event: Event) -> str:
    return event.at[:19].replace("T", " ")


def _format_value(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
