"""The records of the ledger, and their conversion to and from rows."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from cellpipe.core.errors import Reason

if TYPE_CHECKING:
    from cellpipe.core.model import Finding
    from cellpipe.store.database import Row

CONTENT_COLUMNS = (
    "sha256, reading, status, format, started_at, records, spectra, span_second, throughput_ah, "
    "tables, metadata, findings, reason, read_at, seconds, extent"
)
CELL_COLUMNS = "cell_id, inputs, contents, findings, computed_at, seconds, steps, numbers"


@dataclass(frozen=True)
class SeenFile:
    """A file as it was last seen, to detect whether it has changed.

    ``changed_ns`` is None if it is not known (:mod:`cellpipe.system.change_time`).
    """

    path: str
    size: int
    modified_ns: int
    sha256: str
    changed_ns: int | None = None


@dataclass(frozen=True)
class ResultFile:
    """A result file as it was written; ``path`` is relative to the results folder."""

    path: str
    size: int
    modified_ns: int
    sha256: str


@dataclass(frozen=True)
class Extent:
    """Where a time series begins and ends, first and last record.

    ``test_second`` is their test time, ``unix_second`` their absolute time (None: no clock), in s;
    ``number`` is the number of each in its file.
    """

    test_second: tuple[float, float]
    number: tuple[int, int]
    unix_second: tuple[float, float] | None = None


@dataclass(frozen=True)
class Content:
    """The outcome of reading a content.

    ``reading`` names the version of its format and the time zone that it was read with, ``tables``
    the tables that were written; ``span_second`` is the test time covered in s, ``throughput_ah``
    the charge passed in both directions in Ah. ``seconds`` is how long reading took, ``extent``
    where the time series begins and ends (None: there is none, or no record in it).
    """

    sha256: str
    reading: str
    status: str
    format: str | None = None
    started_at: datetime | None = None
    records: int | None = None
    spectra: int | None = None
    span_second: float | None = None
    throughput_ah: float | None = None
    tables: tuple[str, ...] = ()
    metadata: str = "{}"
    findings: tuple[Finding, ...] = ()
    reason: Reason | None = None
    seconds: float | None = None
    extent: Extent | None = None


@dataclass(frozen=True)
class AnalysisRecord:
    """One analysis of a cell as it was computed.

    ``fingerprint`` is that of its version and inputs, ``digests`` those of the tables it made, by
    table and by which of the columns ("*": all).
    """

    fingerprint: str
    digests: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True)
class CellEntry:
    """The inputs and contents that a cell's tables were computed from, and the findings.

    ``inputs`` is a fingerprint of everything that its tables and reports depend on, ``analyses``
    has that of each analysis; ``numbers`` are the cell's first numbers, for its history.
    """

    cell_id: str
    inputs: str
    contents: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    seconds: float | None = None
    analyses: Mapping[str, AnalysisRecord] = field(default_factory=dict)
    numbers: Mapping[str, object] = field(default_factory=dict)


def content_row(content: Content, now: str) -> Row:
    """Return the row of a content."""
    started = content.started_at.isoformat() if content.started_at else None
    reason = content.reason.to_json() if content.reason is not None else None
    return (
        content.sha256, content.reading, content.status, content.format, started,
        content.records, content.spectra, content.span_second, content.throughput_ah,
        json.dumps(content.tables), content.metadata, _findings_text(content.findings),
        reason, now, content.seconds,
        json.dumps(asdict(content.extent)) if content.extent else None,
    )  # fmt: skip


def content_from_row(row: Row) -> Content:
    """Return the content of a row."""
    started = datetime.fromisoformat(row[4]) if row[4] else None
    reason = Reason.from_json(row[12]) if row[12] is not None else None
    return Content(
        row[0], row[1], row[2], row[3], started, row[5], row[6], row[7], row[8],
        tuple(json.loads(row[9])), row[10], _findings(json.loads(row[11])), reason, row[14],
        _extent(row[15]),
    )  # fmt: skip


def _extent(text: str | None) -> Extent | None:
    if text is None:
        return None
    known = json.loads(text)
    clock = known["unix_second"]
    return Extent(
        tuple(known["test_second"]), tuple(known["number"]), tuple(clock) if clock else None
    )


def cell_row(cell: CellEntry, now: str) -> Row:
    """Return the row of a cell."""
    analyses = {name: asdict(record) for name, record in cell.analyses.items()}
    return (
        cell.cell_id, cell.inputs, json.dumps(cell.contents), _findings_text(cell.findings), now,
        cell.seconds, json.dumps(analyses), json.dumps(cell.numbers, sort_keys=True),
    )  # fmt: skip


def cell_from_row(row: Row) -> CellEntry:
    """Return the cell of a row."""
    steps: dict[str, dict[str, Any]] = json.loads(row[6]) if row[6] else {}
    analyses = {
        name: AnalysisRecord(each["fingerprint"], each["digests"], _findings(each["findings"]))
        for name, each in steps.items()
    }
    numbers = json.loads(row[7]) if row[7] else {}
    return CellEntry(
        row[0], row[1], tuple(json.loads(row[2])), _findings(json.loads(row[3])), row[5],
        analyses, numbers,
    )  # fmt: skip


def _findings_text(findings: tuple[Finding, ...]) -> str:
    return json.dumps([asdict(finding) for finding in findings])


def _findings(found: list[dict[str, Any]]) -> tuple[Finding, ...]:
    if not found:
        return ()
    from cellpipe.core.model import Finding

    return tuple(Finding(**each) for each in found)
