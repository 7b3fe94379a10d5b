"""The table of findings: each with its subject, its severity, and since when it stands."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import polars as pl

from cellpipe.core import contracts
from cellpipe.core.model import Finding

Row = dict[str, Any]
_SEVERITIES = {"alarm": "alarm", "error": "check", "warning": "check", "info": "note"}
# findings of analyses that are alarms, whatever their level
ALARM_CODES = frozenset({"short_circuit", "internal_short_circuit"})
_ORDER = ("alarm", "error", "warning", "info")
_SHOWN_ORDER = ("alarm", "check", "note")
FEWEST_FOLDED = 4  # subjects of one kind of finding that one line stands for
NAMED = 3  # of them, in such a line
HAPPENED = frozenset({"sudden_loss", "no_new_record"})  # with another sentence it is another one


def severity_of(finding: Finding) -> str:
    """Return the severity of a finding: alarm, check or note."""
    return "alarm" if finding.code in ALARM_CODES else _SEVERITIES[finding.level]


def run_day(now: str | None = None) -> datetime:
    """Return the day (UTC) of a time as the ledger writes it, or of now, at 0:00."""
    moment = datetime.fromisoformat(now) if now else datetime.now(UTC)
    return moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def finding_rows(findings: Iterable[Finding], cell_id: str | None) -> pl.DataFrame:
    """Return the rows of the table ``findings`` for findings of a cell, or of the lab.

    Those of the lab that name a cell are that cell's. Alarms come first, and notes last.
    """
    ordered = sorted(findings, key=lambda finding: _ORDER.index(finding.level))
    abouts = [cell_id if cell_id is not None else finding.cell_id for finding in ordered]
    rows = [
        _row("lab" if about is None else "cell", about, severity_of(finding), finding)
        for about, finding in zip(abouts, ordered, strict=True)
    ]
    return _frame(rows)


def subject_rows(kind: str, findings: Iterable[tuple[str, Finding]]) -> pl.DataFrame:
    """Return the rows for findings about files or groups, each with its subject."""
    return _frame([_row(kind, subject, severity_of(f), f) for subject, f in findings])


def file_findings(files: pl.DataFrame) -> Iterator[tuple[str, Finding]]:
    """Yield each file that is set aside, with a finding that says why."""
    for path, reason in files.filter(status="set aside").select("path", "reason").iter_rows():
        yield path, Finding("error", "file_set_aside", reason)


def _row(kind: str, subject: str | None, severity: str, finding: Finding) -> Row:
    return {
        "subject_kind": kind, "subject": subject, "cell_id": subject if kind == "cell" else None,
        "severity": severity, "code": finding.code, "sentence": finding.sentence,
        "remedy": finding.remedy or None, "since": None, "rows": finding.rows,
    }  # fmt: skip


def _frame(rows: list[Row]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=contracts.empty_table("findings").schema)


def keep_since(table: pl.DataFrame, before: pl.DataFrame | None, day: datetime) -> pl.DataFrame:
    """Return findings with the day since which each stands.

    Parameters
    ----------
    table
        The findings.
    before
        Those of the run before, None if there was none. A finding is one of them if subject, kind
        and sentence are the same; or else, in their order, one of the kind that no longer stands:
        then only its numbers are others.
    day
        The day of this run, of what is new.

    """
    rows = table.to_dicts()
    known = before.to_dicts() if before is not None and "since" in before.columns else []
    same: dict[tuple[str, ...], list[datetime]] = defaultdict(list)
    for row in known:
        same[_key(row, "sentence")].append(row["since"])
    since: list[datetime | None] = [
        found.pop(0) if (found := same[_key(row, "sentence")]) else None for row in rows
    ]
    gone: dict[tuple[str, ...], list[datetime]] = defaultdict(list)
    for row in known:
        if (left := same[_key(row, "sentence")]) and row["code"] not in HAPPENED:
            gone[_key(row)].append(left.pop(0))
    since = [
        (older.pop(0) if (older := gone[_key(row)]) else day) if found is None else found
        for found, row in zip(since, rows, strict=True)
    ]
    return table.with_columns(since=pl.Series(since, dtype=table.schema["since"]))


def _key(row: Row, *more: str) -> tuple[str, ...]:
    names = ("subject_kind", "subject", "code", *more)
    return tuple(str(row[name]) for name in names)


@dataclass(frozen=True)
class Folded:
    """Findings in one line: one of a subject, or many of a kind.

    ``subjects`` are those that it is about, in order; ``sentence`` says it without their names.
    """

    severity: str
    code: str
    subject_kind: str
    subjects: tuple[str, ...]
    sentence: str
    remedy: str = ""

    @property
    def title(self) -> str:
        """What comes before the names of many, or the sentence of one."""
        return f"{len(self.subjects)} {self.subject_kind}s: {self.sentence}" if self.is_many else ""

    @property
    def is_many(self) -> bool:
        """Whether it stands for the findings of many subjects."""
        return len(self.subjects) >= FEWEST_FOLDED

    @property
    def named(self) -> tuple[str, ...]:
        """The subjects that a line names."""
        return self.subjects[:NAMED] if self.is_many else self.subjects

    @property
    def more(self) -> int:
        """How many more there are."""
        return len(self.subjects) - len(self.named)

    def __str__(self) -> str:
        """Return the line as plain text."""
        said = " ".join(filter(None, [self.sentence, self.remedy]))
        if not self.is_many:
            return ": ".join([*self.subjects, said])
        more = f" … and {self.more} more" if self.more else ""
        return f"{self.title} — {', '.join(self.named)}{more}"


def fold_findings(table: pl.DataFrame) -> list[Folded]:
    """Return findings as lines: alarms first; many of one kind are one line that names some.

    Several of one kind of one subject are a line, too, that has the first sentence.
    """
    kinds: dict[tuple[str, str, str], dict[str, list[Row]]] = {}
    for row in table.to_dicts():
        kind = (row["severity"], row["code"], row["subject_kind"])
        kinds.setdefault(kind, {}).setdefault(row["subject"] or "", []).append(row)
    lines: list[Folded] = []
    for (severity, code, subject_kind), by_subject in kinds.items():
        if subject_kind == "lab":
            lines += [_line(row, ()) for rows in by_subject.values() for row in rows]
        elif len(by_subject) >= FEWEST_FOLDED:
            names = tuple(sorted(by_subject))
            lines.append(Folded(severity, code, subject_kind, names, kind_words(code)))
        else:
            for subject, rows in sorted(by_subject.items()):
                line = _line(rows[0], (subject,))
                more = f" ({len(rows) - 1} more of this kind.)" if len(rows) > 1 else ""
                lines.append(replace(line, sentence=f"{line.sentence}{more}"))
    lines.sort(key=lambda line: line.subjects[:1])
    return sorted(lines, key=lambda line: (_SHOWN_ORDER.index(line.severity), not line.is_many))


def _line(row: Row, subjects: tuple[str, ...]) -> Folded:
    return Folded(
        row["severity"], row["code"], row["subject_kind"], subjects, row["sentence"],
        row["remedy"] or "",
    )  # fmt: skip


def kind_words(code: str) -> str:
    """Return the words for a kind of finding."""
    return code.replace("_", " ")
