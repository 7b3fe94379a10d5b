"""Show what is read from one file: a measurement, or a cell sheet."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from rich.text import Text

from cellpipe.cli.console import make_console, pluralize
from cellpipe.core.model import Finding, Measurement

if TYPE_CHECKING:
    from cellpipe.cell_sheet.sheet import CellSheet


def show_measurement(measurement: Measurement) -> None:
    """Print what was read from one file."""
    console = make_console()
    raw = measurement.raw_file
    part = f" {raw.part}" if raw.part else ""
    console.print(Text(f"{raw.path}{part}: {measurement.format}"))
    started = measurement.started_at
    console.print(
        Text(f"started {started:%Y-%m-%d %H:%M:%S} UTC" if started else "start not known")
    )
    for key, value in measurement.metadata.items():
        console.print(Text(f"  {key}: {value}"))
    for name, table in measurement.tables.items():
        console.print(Text(f"{name}: {table.height} rows, {', '.join(table.columns)}"))
    for finding in measurement.findings:
        console.print(Text(f"{finding.level}: {finding_text(finding)}"))


def finding_text(finding: Finding) -> str:
    """Return a finding with its cell and what to do as one line."""
    said = " ".join(filter(None, [finding.sentence, finding.remedy]))
    return f"{finding.cell_id}: {said}" if finding.cell_id else said


def show_sheet(sheet: CellSheet) -> None:
    """Print what was read from a cell sheet, and what is wrong in it."""
    console = make_console()
    console.print(Text(f"{sheet.path}: cell sheet, {pluralize(len(sheet.cells), 'cell')}"))
    for finding in sheet.findings:
        console.print(Text(f"{finding.level}: {finding_text(finding)}"))


def measurement_to_dict(measurement: Measurement) -> dict[str, object]:
    """Return what was read from one file as plain values: tables by name with rows and columns."""
    raw = measurement.raw_file
    return {
        "file": raw.path, "part": raw.part, "sha256": raw.sha256, "format": measurement.format,
        "started_at": measurement.started_at, "metadata": dict(measurement.metadata),
        "tables": {
            name: {"rows": table.height, "columns": table.columns}
            for name, table in measurement.tables.items()
        },
        "findings": [asdict(finding) for finding in measurement.findings],
    }  # fmt: skip
