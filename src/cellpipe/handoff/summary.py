"""``summary.xlsx`` and ``summary.csv``: a line a cell, for people to write into.

Each night our columns are filled in and new cells get a row at the end. Columns, rows, sheets,
charts and formats that people add stay as they are. A file that is held open is left alone; the new
state is written beside it, and goes into it as soon as it is closed.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import polars as pl
import xlsxwriter

from cellpipe.errors import HeldFileError, SummaryError
from cellpipe.handoff.workbook_part import filled
from cellpipe.report.lab_workbook import cell_columns
from cellpipe.report.sheets import TEXT, Book, SheetColumn, write_sheet
from cellpipe.report.workbook import CREATED, settings
from cellpipe.result_files import written_whole

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
        What is known of files that were written beside; it is changed.

    Returns
    -------
    What could not be done, a sentence each.

    """
    columns = cell_columns(cells.sort("cell_id"))
    said = []
    for suffix, made in ((".xlsx", _workbook), (".csv", _csv)):
        sentence = _updated(out / f"{NAME}{suffix}", columns, made, marks)
        said += [sentence] if sentence else []
    return said


Made = Callable[[bytes | None, Sequence[SheetColumn]], bytes]


def _updated(path: Path, columns: Sequence[SheetColumn], made: Made, marks: Marks) -> str | None:
    """Bring one file up to date, or write the new state beside it; then say why."""
    beside = path.with_name(f"{path.stem} (not merged yet){path.suffix}")
    for _ in range(3):
        before = _read(path)
        try:
            content = made(before, columns)
        except SummaryError as error:
            reason = f"{path.name}: {error.reason}"
            break
        reason = f"{path.name} is open in another program."
        if content != before and _is_held(path):
            break
        if _read(path) != before:
            continue  # it was saved meanwhile
        try:
            if content != before:
                written_whole(path, lambda file, said=content: file.write_bytes(said))  # type: ignore[misc]
        except HeldFileError:
            break
        return _cleared(beside, marks)
    else:
        return f"{path.name} is being written by another program. The next night tries again."
    content = made(None, columns)
    if beside.is_file() and _digest(beside) not in {None, marks.get(beside.name)}:
        return f"{reason} {beside.name} was changed by hand and is left as it is."
    written_whole(beside, lambda file: file.write_bytes(content))
    marks[beside.name] = hashlib.sha256(content).hexdigest()
    return f"{reason} The new state is in {beside.name}; the next night merges it."


def _cleared(beside: Path, marks: Marks) -> str | None:
    """Remove what was written beside, if nobody wrote into it."""
    if not beside.is_file():
        return None
    if _digest(beside) != marks.get(beside.name):
        return f"{beside.name} was changed by hand: take over what is yours and delete it."
    beside.unlink()
    marks.pop(beside.name, None)
    return None


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError:
        return b""  # there, and can't be read: then nothing is made of it


def _digest(path: Path) -> str | None:
    content = _read(path)
    return hashlib.sha256(content).hexdigest() if content is not None else None


def _is_held(path: Path) -> bool:
    """Tell whether Excel or LibreOffice holds a file: they leave a sign beside it."""
    signs = (f"~${path.name}", f"~${path.name[2:]}", f".~lock.{path.name}#")
    return any(path.with_name(sign).exists() for sign in signs)


def _workbook(before: bytes | None, columns: Sequence[SheetColumn]) -> bytes:
    if before is not None:
        return filled(before, _SHEET, _KEY, _values(columns))[0]
    content = io.BytesIO()
    workbook = xlsxwriter.Workbook(content, settings())
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


def _values(columns: Sequence[SheetColumn]) -> Mapping[str, Sequence[object]]:
    return {column.head: column.values for column in columns}


def _csv(before: bytes | None, columns: Sequence[SheetColumn]) -> bytes:
    """Write the summary as .csv; columns and rows of people stay, in the file's own dialect."""
    ours = {column.head: [_text(value) for value in column.values] for column in columns}
    heads, rows, delimiter = _parsed(before) if before is not None else (list(ours), [], ",")
    if _KEY not in heads:
        raise SummaryError(
            f"no column called {_KEY!r}", expected="the heads in the first line",
            remedy="give it its name back, or take the file away: a new one is written then",
        )  # fmt: skip
    heads = [*heads, *(head for head in ours if head not in heads)]
    key = heads.index(_KEY)
    by_key = {row[key].removeprefix("'"): row for row in reversed(rows) if len(row) > key}
    for number, name in enumerate(ours[_KEY]):
        row = by_key.get(name.removeprefix("'"))
        if row is None:
            row = []
            rows.append(row)
        row += [""] * (len(heads) - len(row))
        for head, values in ours.items():
            row[heads.index(head)] = _decimal(values[number], delimiter)
    written = io.StringIO()
    csv.writer(written, delimiter=delimiter, lineterminator="\r\n").writerows([heads, *rows])
    return b"\xef\xbb\xbf" + written.getvalue().encode()


def _parsed(content: bytes) -> tuple[list[str], list[list[str]], str]:
    """Read a .csv that Excel may have saved: with ; where a comma is the decimal sign."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("cp1252", errors="replace")
    first = text.partition("\n")[0]
    delimiter = max(",;\t", key=first.count)
    rows = list(csv.reader(io.StringIO(text), delimiter=delimiter))
    return (rows[0] if rows else [], rows[1:], delimiter)


def _decimal(text: str, delimiter: str) -> str:
    """Write a number with the decimal comma where the file is separated by semicolons."""
    try:
        float(text)
    except ValueError:
        return text
    return text.replace(".", ",") if delimiter == ";" else text


def _text(value: object) -> str:
    if value is None or value != value:  # noqa: PLR0124 - NaN
        return ""
    if isinstance(value, str) and value[:1] in {"=", "+", "-", "@", "\t", "\r"}:
        return f"'{value}"
    return str(value)
