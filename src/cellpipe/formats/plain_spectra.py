"""Read impedance spectra from plain tables: text with any usual separator, and workbooks.

One line names the columns, with frequency and the parts of the impedance or its modulus and phase
(:mod:`cellpipe.formats.tabular.impedance_headers`); a line of units may follow. Lines above it, and
those that begin with a sign of a comment, are none of the table. Spectra stand one after the other,
each below its own line of names or begun by a frequency that jumps back, on several sheets, or side
by side. A table without names is read only if somebody says what its columns are, an impedance in
Ω cm² only if somebody, or a title such as ``Area (cm²): 0.785``, says the area.

No maker writes this: a file is taken for one of these only if no other format claims it.
"""

from __future__ import annotations

import codecs
import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from cellpipe.core.errors import DamagedFileError, NoDataError
from cellpipe.core.model import Finding, Recording
from cellpipe.formats.file_ends import is_complete_text, is_complete_workbook
from cellpipe.formats.format import Format, Sample, Statement
from cellpipe.formats.tabular import workbook
from cellpipe.formats.tabular.impedance_headers import name_role
from cellpipe.formats.tabular.line_account import LineAccount
from cellpipe.formats.tabular.records import build_elapsed_recording
from cellpipe.formats.tabular.spectrum_columns import Block, Row, names_spectrum, to_number
from cellpipe.formats.tabular.spectrum_rows import read_spectra
from cellpipe.formats.tabular.text_blocks import decode_western, read_lines

_LARGEST = 1 << 26  # bytes; a typical spectrum is a ten-thousandth of this
_LARGEST_BOOK = 1 << 23
_LINES_BEFORE = 300
_NEAR = 5
_COMMENT = "#%!*;/"
_SEPARATORS = ("\t", ";", ",", "  ", " ")
_FEWEST = 3  # columns of a point
_UNIT_APART = re.compile(r"\s+([(\[])|\s*(/)\s*")
_SAME_AREA = 0.005  # two areas that differ by less are one
_AREA = re.compile(
    r"\barea\s*[(\[/]?\s*cm(?:²|\^?2)\s*[)\]]?\s*[:=,;\t]\s*(\d+(?:[.,]\d+)?)\s*$", re.IGNORECASE
)
_ZIP = b"PK\x03\x04"
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_OWN_SHEET = "Provenance"  # of cellpipe's own workbooks


def read(path: Path) -> Recording:
    """Read a plain table of spectra.

    Raises
    ------
    DamagedFileError
        If no line names the columns, or a unit is not known, or missing where it can't be.
    NoDataError
        If there is no frequency.

    """
    return read_with_statement(path, Statement())


def read_with_statement(path: Path, stated: Statement) -> Recording:
    """Read a plain table of spectra of which somebody says what the columns are, or the area."""
    account = LineAccount(path, table="impedance")
    with path.open("rb") as stream:
        head = stream.read(1 << 16)
    names = tuple(name.strip() for name in stated.columns.split(",")) if stated.columns else ()
    if names and not names_spectrum(names):
        raise _statement_error(stated.columns or "")
    if head.startswith(_ZIP):
        sheets = list(_sheets(path))
        blocks = [block for rows in sheets for block in _find_blocks(rows, names, account)]
        titles = ["\t".join(row.fields) for rows in sheets for row in rows[:_LINES_BEFORE]]
    else:
        titles = _decode_lines(path, head, account)
        blocks = _text_blocks(titles, names, account)
    if not blocks:
        raise DamagedFileError(
            "no line that names a frequency and an impedance",
            expected="one such as Frequency (Hz), Z' (Ohm), -Z'' (Ohm) above the numbers",
            remedy="write it into the first line, or say it: cellpipe eis FILE --columns "
            "\"f/Hz, Z'/Ohm, -Z''/Ohm\"",
        )
    own = _find_area(titles)
    area = stated.area_cm2 if own is None else own  # by the file's own its Ω cm² were made
    table, findings = read_spectra(blocks, account, area)
    is_areal = any(finding.code == "areal_impedance" for finding in findings)
    if is_areal and own and stated.area_cm2 and abs(stated.area_cm2 / own - 1) > _SAME_AREA:
        sentence = (
            f"The file says an area of {own:g} cm², by which its Ω cm² are divided; "
            f"{stated.area_cm2:g} cm² was stated. Which of the two is the cell's?"
        )
        findings.append(Finding("warning", "two_areas", sentence))
    if not table.height:
        raise NoDataError(
            "column names without a frequency below them", expected="at least one",
            remedy="export the spectrum again",
        )  # fmt: skip
    read_as = "; ".join(name for name in blocks[0].names if name_role(name))
    if names:
        sentence = f"The columns were stated to be {', '.join(names)}."
        findings.append(Finding("info", "columns_stated", sentence))
    return build_elapsed_recording(
        "impedance", table, None, {"columns": read_as}, (*account.findings(), *findings)
    )


def _find_area(lines: Sequence[str]) -> float | None:
    """Return the area in cm² that a title gives, None if none does or several differ."""
    found = {
        float(match[1].replace(",", "."))
        for match in map(_AREA.search, lines[:_LINES_BEFORE]) if match
    }  # fmt: skip
    area = found.pop() if len(found) == 1 else 0.0
    return area if area > 0 else None


def _statement_error(columns: str) -> DamagedFileError:
    return DamagedFileError(
        f"the columns {columns!r}",
        expected="a frequency with the real and the imaginary part, or with |Z| and the phase",
        remedy="as --columns \"f/Hz, Z'/Ohm, -Z''/Ohm\", with a dash for a column that is not read",
    )


def _decode_lines(path: Path, head: bytes, account: LineAccount) -> list[str]:
    if head.startswith(_UTF16):
        return path.read_bytes()[:_LARGEST].decode("utf-16", "replace").splitlines()
    return read_lines(path, account, _LARGEST)


def _text_blocks(lines: Sequence[str], names: tuple[str, ...], account: LineAccount) -> list[Block]:
    """Return the blocks of a text's lines, split at the separator of the names or the numbers."""
    separator = _find_separator(lines, named=not names)
    if separator is None:
        return []
    rows = (
        Row(number, tuple(_split(_uncomment(line, names_only=True), separator)))
        for number, line in enumerate(lines, 1)
    )
    return _find_blocks(rows, names, account)


def _find_blocks(rows: Iterable[Row], names: tuple[str, ...], account: LineAccount) -> list[Block]:
    """Return the rows below each line of names; a comment or an empty line is none of them."""
    blocks = [Block(names)] if names else []
    for row in rows:
        filled = [text for text in row.fields if text]
        if not filled or filled[0][0] in _COMMENT:
            continue
        if not _is_numbers(filled[:1]) and names_spectrum(row.fields):
            if not blocks or blocks[-1].rows or blocks[-1].names != row.fields:
                blocks.append(Block(row.fields))
        elif not blocks:
            if _is_numbers(filled):
                account.reject(row.number, " ".join(filled), "a record above the column names")
        elif _is_numbers(filled[:1]) or not blocks[-1].rows:
            blocks[-1].rows.append(row)
        else:
            reason = "neither a record nor column names"
            account.reject(row.number, " ".join(filled), reason)
    return [block for block in blocks if block.rows]


def _is_numbers(fields: Sequence[str]) -> bool:
    return all(to_number(text, comma=True) is not None or text.lower() == "nan" for text in fields)


def _find_separator(lines: Iterable[str], *, named: bool) -> str | None:
    """Return the separator of the first line that names columns, or of the first with numbers.

    A line names columns only if a point follows it soon, or nothing does yet: settings may have the
    same words.
    """
    filled = [line for line in lines if line.strip()]
    for number, line in enumerate(filled[:_LINES_BEFORE], 1):
        text = _uncomment(line, names_only=False)
        for separator in _SEPARATORS:
            fields = _split(text, separator)
            if named and names_spectrum(fields):
                below = [_split(each, separator) for each in filled[number : number + _NEAR]]
                if not below or any(map(_is_point, below)):
                    return separator
            if not named and _is_point(fields) and _is_numbers([f for f in fields if f]):
                return separator
    return None


def _is_point(fields: Sequence[str]) -> bool:
    return len(fields) >= _FEWEST and _is_numbers(fields[:1])


def _uncomment(line: str, *, names_only: bool) -> str:
    """Return a line of names without the signs of a comment before it, any other as it is."""
    line = line.lstrip("\ufeff")
    text = line.lstrip(_COMMENT + " ")
    is_named = not names_only or any(names_spectrum(_split(text, s)) for s in _SEPARATORS)
    return text if text == line or is_named else line


def _split(line: str, separator: str) -> tuple[str, ...]:
    """Return the fields of a line, without the empty ones at its end."""
    if separator.isspace() and separator != "\t":
        if _is_numbers(line.split()[:1]):
            return tuple(line.split())
        joined = _UNIT_APART.sub(lambda found: found[1] or found[2], line.strip())
        return tuple(re.split(r"\s+" if separator == " " else r"\s{2,}", joined))
    fields = [text.strip() for text in next(csv.reader([line], delimiter=separator), [])]
    while fields and not fields[-1]:
        fields.pop()
    return tuple(fields)


def _sheets(path: Path) -> Iterator[list[Row]]:
    """Give the rows of each sheet."""
    for sheet in workbook.read_sheets(path):
        rows = workbook.read_exact_texts(path, sheet.name)
        trimmed = [tuple(_trim(row)) for row in rows]
        yield [Row(number, fields) for number, fields in enumerate(trimmed, 1)]


def _trim(fields: Sequence[str]) -> list[str]:
    kept = list(fields)
    while kept and not kept[-1]:
        kept.pop()
    return kept


def _claims_workbook(sample: Sample) -> bool:
    names = workbook.sheet_names(sample)
    if not names or _OWN_SHEET in names or sample.path.stat().st_size > _LARGEST_BOOK:
        return False
    return any(
        names_spectrum(row.fields)
        for rows in _sheets(sample.path) for row in rows[:_LINES_BEFORE]
    )  # fmt: skip


def is_table_of_numbers(head: bytes) -> bool:
    """Return whether the first line of a text has three numbers or more and names nothing."""
    lines = decode_western(head[: 1 << 12])[0].splitlines()
    return bool(lines) and _find_separator(lines[:1], named=False) is not None


def _claims_text(sample: Sample) -> bool:
    is_utf16 = sample.head.startswith(_UTF16)
    if sample.head.startswith(_ZIP) or (b"\x00" in sample.head[:512] and not is_utf16):
        return False
    text = sample.head.decode("utf-16", "replace") if is_utf16 else decode_western(sample.head)[0]
    return _find_separator(text.splitlines(), named=True) is not None


TEXT = Format(
    "plain_spectra", "plain tables of spectra", (".csv", ".txt"), _claims_text, read,
    is_complete=is_complete_text, is_general=True, read_with_statement=read_with_statement,
)  # fmt: skip
WORKBOOK = Format(
    "plain_spectra_xlsx", "plain tables of spectra", (".xlsx",), _claims_workbook, read,
    is_complete=is_complete_workbook, is_general=True, read_with_statement=read_with_statement,
)  # fmt: skip
