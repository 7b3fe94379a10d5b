"""Update ``summary.xlsx`` and ``summary.csv``: one row per cell, for people to add to.

Each night cellpipe's columns are updated and new cells get a row at the end. Columns, rows, sheets,
charts and formats that people add are kept. A file that is open elsewhere is left alone; the new
state is written to a file beside it, and merged as soon as it is closed.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import polars as pl
import xlsxwriter

from cellpipe.core.errors import LockedFileError, SummaryError
from cellpipe.handoff.workbook_part import fill_sheet
from cellpipe.handoff.workbook_part import name_key as _key
from cellpipe.report.excel.cell_workbook import CREATED, workbook_options
from cellpipe.report.excel.lab_workbook import cell_columns
from cellpipe.report.excel.sheets import TEXT, Book, SheetColumn, write_sheet
from cellpipe.report.long_tables import escape_formula
from cellpipe.system.atomic_files import write_bytes
from cellpipe.system.regular_files import read_regular

NAME = "summary"
_SHEET, _KEY = "Cells", "Cell"
Marks = dict[str, str]


def update_summary(out: Path, cells: pl.DataFrame, marks: Marks) -> list[str]:
    """Bring both files of a results folder up to date.

    Parameters
    ----------
    out
        The results folder.
    cells
        The lab's table ``cells``.
    marks
        Digests of the pending copies by name; updated in place.

    Returns
    -------
    What could not be done, a sentence each.

    """
    columns = cell_columns(cells.sort("cell_id"))
    sentences = []
    for suffix, merge in ((".xlsx", _merge_workbook), (".csv", _merge_csv)):
        sentence = _update_file(out / f"{NAME}{suffix}", columns, merge, marks)
        sentences += [sentence] if sentence else []
    return sentences


Merge = Callable[[bytes | None, Sequence[SheetColumn]], bytes]


def _update_file(
    path: Path, columns: Sequence[SheetColumn], merge: Merge, marks: Marks
) -> str | None:
    """Bring one file up to date, or write a pending copy beside it; then return why."""
    outlook = "the next night merges it"
    pending = path.with_name(f"{path.stem} (not merged yet){path.suffix}")
    for _ in range(3):
        before = _read_bytes(path)
        try:
            content = merge(before, columns)
        except SummaryError as error:
            reason, outlook = f"{path.name}: {error.reason}", "until that is mended"
            break
        reason = f"{path.name} is open in another program."
        if content != before and _is_open(path):
            break
        if _read_bytes(path) != before:
            continue  # it was saved meanwhile
        try:
            if content != before:
                write_bytes(path, content)
        except LockedFileError:
            break
        return _remove_pending_copy(pending, marks)
    else:
        return f"{path.name} is being written by another program. The next night tries again."
    content = merge(None, columns)
    if pending.is_file() and _digest(pending) not in {None, marks.get(pending.name)}:
        return f"{reason} {pending.name} was changed by hand and is left as it is."
    try:
        write_bytes(pending, content)
    except LockedFileError:
        return f"{reason} {pending.name}, with the state of before, is open, too."
    marks[pending.name] = hashlib.sha256(content).hexdigest()
    return f"{reason} The new state is in {pending.name}; {outlook}."


def _remove_pending_copy(pending: Path, marks: Marks) -> str | None:
    """Delete the pending copy unless somebody changed it; return a sentence if it stays."""
    if not pending.is_file():
        return None
    if _digest(pending) != marks.get(pending.name):
        return f"{pending.name} was changed by hand: take over what is yours and delete it."
    try:
        pending.unlink()
    except OSError:
        return f"{pending.name} is open in another program; it is out of date and can be deleted."
    marks.pop(pending.name, None)
    return None


def _read_bytes(path: Path) -> bytes | None:
    try:
        return read_regular(path)
    except FileNotFoundError:
        return None
    except OSError:
        return b""  # exists, and can't be read: nothing can be merged into it


def _digest(path: Path) -> str | None:
    content = _read_bytes(path)
    return hashlib.sha256(content).hexdigest() if content is not None else None


def _is_open(path: Path) -> bool:
    """Return whether Excel or LibreOffice has a file open: they put a lock file beside it."""
    lock_files = (f"~${path.name}", f"~${path.name[2:]}", f".~lock.{path.name}#")
    return any(path.with_name(name).exists() for name in lock_files)


def _merge_workbook(before: bytes | None, columns: Sequence[SheetColumn]) -> bytes:
    if before is not None:
        return fill_sheet(before, _SHEET, _KEY, _values_by_head(columns))[0]
    content = io.BytesIO()
    workbook = xlsxwriter.Workbook(content, workbook_options())
    workbook.set_properties({"title": "Summary of all cells", "created": CREATED})
    book = Book(workbook)
    write_sheet(book, _SHEET, columns, "")
    notes = workbook.add_worksheet("Read me")
    notes.set_column(0, 0, 100)
    for row, line in enumerate(_NOTES):
        notes.write_string(row, 0, line, book.style(TEXT, "wrap"))
    workbook.close()
    return content.getvalue()


_NOTES = (
    "cellpipe fills the columns of the sheet Cells each night, and adds new cells at the end.",
    "Add columns, sheets, charts, colours and sort as you like: they stay.",
    "What you write into cellpipe's own columns is overwritten.",
    "The columns are known by their heads, the rows by the cell's ID: leave those as they are.",
)


def _values_by_head(columns: Sequence[SheetColumn]) -> Mapping[str, Sequence[object]]:
    return {column.head: column.values for column in columns}


def _merge_csv(before: bytes | None, columns: Sequence[SheetColumn]) -> bytes:
    """Return the summary as .csv; people's columns and rows stay, in the file's own dialect."""
    titles = [column.head for column in columns]
    heads, rows, delimiter = _parse_csv(before) if before is not None else (titles, [], ",")
    heads = _restore_heads(heads, titles)
    decimal = "," if delimiter == ";" else "."
    ours = {c.head: [_format_value(value, decimal) for value in c.values] for c in columns}
    if _KEY not in heads:
        raise SummaryError(
            f"no column called {_KEY!r}", expected="the heads in the first line",
            remedy="give it its name back, or take the file away: a new one is written then",
        )  # fmt: skip
    heads = [*heads, *(head for head in ours if head not in heads)]
    key = heads.index(_KEY)
    by_key = {row[key].removeprefix("'"): row for row in reversed(rows) if len(row) > key}
    names = [str(value) for value in _values_by_head(columns)[_KEY]]
    by_name_key = {
        _key(name.replace(decimal, ".")): row for name, row in by_key.items() if name not in names
    }
    for number, name in enumerate(names):
        row = by_key.get(name, by_name_key.get(_key(name)))
        if row is None:
            row = []
            rows.append(row)
        row += [""] * (len(heads) - len(row))
        for head, values in ours.items():
            row[heads.index(head)] = values[number]
    buffer = io.StringIO()
    csv.writer(buffer, delimiter=delimiter, lineterminator="\r\n").writerows([heads, *rows])
    return b"\xef\xbb\xbf" + buffer.getvalue().encode()


def _parse_csv(content: bytes) -> tuple[list[str], list[list[str]], str]:
    """Return heads, rows and delimiter of a .csv that Excel may have saved.

    Excel separates with ; where a comma is the decimal sign.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("cp1252", errors="replace")
    first = text.partition("\n")[0].partition("\r")[0]
    delimiter = max(",;\t", key=first.count)
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    try:
        rows = list(csv.reader(io.StringIO(text), delimiter=delimiter))
    except csv.Error as error:
        raise SummaryError(
            f"lines that can't be told apart ({error})", expected="a .csv as Excel saves it",
            remedy="save it anew, or take it away: a new one is written then",
        ) from error  # fmt: skip
    return (rows[0] if rows else [], rows[1:], delimiter)


def _restore_heads(heads: list[str], titles: Sequence[str]) -> list[str]:
    """Return heads with the characters that Excel writes as ? when it saves without Unicode."""
    spelled = {title.encode("cp1252", "replace").decode("cp1252"): title for title in titles}
    return [spelled.get(head, head) for head in heads]


def _format_value(value: object, decimal: str) -> str:
    """Return a value as text: numbers with the file's decimal sign, texts never as formulas."""
    if value is None or value != value:  # noqa: PLR0124 - NaN
        return ""
    if isinstance(value, float):
        return str(value).replace(".", decimal)
    return escape_formula(str(value))
