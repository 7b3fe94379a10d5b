"""A cell as it is delivered to any receiver: typed values with units, files, a text."""

from __future__ import annotations

import hashlib
import html
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

import polars as pl

from cellpipe.core import contracts
from cellpipe.core.model import Cell
from cellpipe.report.html.cell_tables import OWN_REMARK, SHEET_FIELDS
from cellpipe.report.key_numbers import KeyNumber, describe_cell, headline
from cellpipe.report.wording import kind_words
from cellpipe.system.atomic_files import file_name

_LONGEST = 50  # characters of keys and tags: Kadi4Mat's limit
TAGS = ("battery", "cellpipe")
_UNITS_IN_NAMES = r"_(ah|ohm_cm2|ohm|mah_per_g|mah_per_cm2|siemens_per_cm)$"


@dataclass(frozen=True)
class Value:
    """A number or text with its name; ``identifier`` is its dotted path (``result.cycles``).

    ``unit`` is written so that pint can read it (``mAh/g``, ``Ω cm²``, ``%``); empty if there is
    none.
    """

    identifier: str
    name: str
    value: str | bool | int | float
    unit: str = ""
    meaning: str = ""


@dataclass(frozen=True)
class Attachment:
    """A file to deliver: a flat name of ``A-Z a-z 0-9 . _ -``, a description, its content."""

    name: str
    about: str
    content: bytes

    @property
    def sha256(self) -> str:
        """Return the sha256 of the content, which identifies it."""
        return hashlib.sha256(self.content).hexdigest()


@dataclass(frozen=True)
class Record:
    """A cell to deliver.

    ``key`` identifies it permanently, in lower case, digits, ``-`` and ``_``: later deliveries find
    the first by it. ``started_at`` and ``changed_at`` are UTC, from its files; None if no file
    gives them. ``sources`` are the raw files: path and sha256.
    """

    key: str
    title: str
    line: str
    text: str
    values: tuple[Value, ...]
    tags: tuple[str, ...] = TAGS
    started_at: datetime | None = None
    changed_at: datetime | None = None
    sources: tuple[tuple[str, str], ...] = ()
    files: tuple[Attachment, ...] = field(default=(), repr=False)


def record_key(cell_id: str, prefix: str = "cellpipe") -> str:
    """Return the key by which receivers know a cell: lower case, digits, ``-`` and ``_``."""
    digits = hashlib.sha256(cell_id.casefold().encode("utf-8", "replace")).hexdigest()[:8]
    plain = file_name(cell_id).lower()
    safe = re.sub(r"[^a-z0-9_-]", "-", plain)
    if safe != plain:
        safe = f"{safe}-{digits}"
    key = f"{prefix}-{safe}"
    return key if len(key) <= _LONGEST else f"{key[: _LONGEST - 9]}-{digits}"


def build_record(
    cell: Cell,
    tables: Mapping[str, pl.DataFrame],
    files: pl.DataFrame,
    attachments: tuple[Attachment, ...] = (),
    *,
    prefix: str = "cellpipe",
) -> Record:
    """Build the record of a cell from its results.

    Parameters
    ----------
    cell, tables, files
        Its row of the cell sheet, its tables by contract name, its rows of ``files``.
    attachments
        The files to deliver with it.
    prefix
        First part of the record's key: labs that share a notebook have one each.

    """
    words = kind_words(cell)
    line = describe_cell(cell, words)
    numbers = headline(tables, words)
    tags = [*TAGS, *(each for each in (cell.configuration, cell.group) if each)]
    started = files["started_at"].drop_nulls()
    return Record(
        key=record_key(cell.cell_id, prefix),
        title=cell.cell_id,
        line=line,
        text=_text(cell.cell_id, line, numbers, tables["findings"]),
        values=(*sheet_values(cell), *result_values(tables["cells"])),
        tags=tuple(dict.fromkeys(tag for tag in map(_make_tag, tags) if tag)),
        started_at=_to_utc(started.min()),
        changed_at=_to_utc(files["modified_at"].drop_nulls().max() or started.max()),
        sources=tuple(files.sort("path").select("path", "file_sha256").iter_rows()),
        files=attachments,
    )


def sheet_values(cell: Cell) -> list[Value]:
    """Return the cell sheet's values of a cell; empty fields are left out."""
    values = [Value("cell.cell_id", "Cell ID", cell.cell_id)]
    for name, attribute, unit in SHEET_FIELDS:
        found = getattr(cell, attribute)
        if found is None or found in {(), ""}:
            continue
        source = cell.inferred.get(attribute)
        meaning = f"inferred: {source}" if source else "from the cell sheet"
        value = "; ".join(found) if isinstance(found, tuple) else found
        value = value.strip() if isinstance(value, str) else value
        values.append(Value(f"cell.{attribute}", name, value, unit, meaning))
    return [*values, *_own_values(cell, {value.name for value in values})]


def _own_values(cell: Cell, taken: set[str]) -> list[Value]:
    """Return the lab's own columns of the sheet; one called like a field's label says so."""
    values = []
    for header, text in cell.own_columns.items():
        plain = re.sub(r"[^a-z0-9]+", "_", header.lower()).strip("_")
        digits = hashlib.sha256(header.encode("utf-8", "replace")).hexdigest()[:8]
        name = f"{header} (own column)" if header in taken else header
        values.append(Value(f"cell.own_{plain[:40]}_{digits}", name, text, "", OWN_REMARK))
    return values


def result_values(summary: pl.DataFrame) -> list[Value]:
    """Return the numbers of the table ``cells`` with units; ratios in per cent, for people."""
    columns = contracts.load_schema("cells").columns
    values = []
    for row in summary.head(1).iter_rows(named=True):
        for name, found in row.items():
            if found is None or name in {"cell_id", "configuration", "group"}:
                continue
            if isinstance(found, float) and not math.isfinite(found):
                continue
            spec = columns[name]
            is_ratio = spec.unit == "1" and isinstance(found, float)
            unit = "%" if is_ratio else "" if spec.unit in {None, "1"} else str(spec.unit)
            value = float(f"{100 * found:.12g}") if is_ratio else found
            values.append(Value(f"result.{name}", _display_name(name), value, unit, spec.meaning))
    return values


def _display_name(column: str) -> str:
    if column == "files":
        return "Raw files"  # in the cell sheet, Files are patterns
    words = re.sub(_UNITS_IN_NAMES, "", column).replace("_", " ")
    return words[:1].upper() + words[1:].replace("coulombic", "Coulombic")


def _make_tag(text: str) -> str:
    """Return a tag of a-z, 0-9, - and _: receivers drop other characters."""
    return re.sub(r"[^a-z0-9_-]+", "-", text.lower()).strip("-")[:_LONGEST]


def _to_utc(moment: object) -> datetime | None:
    if not isinstance(moment, datetime):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _text(cell_id: str, line: str, numbers: list[KeyNumber], findings: pl.DataFrame) -> str:
    """Return the record's text as HTML: what the cell is, its key numbers, and what to check."""
    rows = "".join(
        f"<tr><th>{html.escape(each.name)}</th><td>{html.escape(each.value)}</td>"
        f"<td>{html.escape(each.basis)}</td></tr>"
        for each in numbers
    )
    checks = findings.filter(pl.col("severity") != "note")["sentence"].to_list()
    items = "".join(f"<li>{html.escape(str(sentence))}</li>" for sentence in checks)
    parts = [f"<h1>{html.escape(cell_id)}</h1><p>{html.escape(line)}</p>"]
    if rows:
        heads = "<tr><th>Quantity</th><th>Value</th><th>Basis</th></tr>"
        parts.append(f"<table>{heads}{rows}</table>")
    if items:
        parts.append(f"<h2>Check</h2><ul>{items}</ul>")
    return "".join(parts)
