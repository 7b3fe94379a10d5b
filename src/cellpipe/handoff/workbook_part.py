"""Fill cellpipe's columns in one sheet of a workbook that people edit; all else is kept.

The sheet is edited inside the .xlsx (ECMA-376, part 1, 18.3): every other part of the file (other
sheets, charts, pictures, formats, macros) is copied byte for byte. Rows are found by their key and
columns by their head, wherever people moved or sorted them; missing ones are added at the end.
"""

from __future__ import annotations

import io
import math
import posixpath
import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lxml import etree

from cellpipe.core.errors import SummaryError
from cellpipe.formats.tabular.workbook import BROKEN_ZIP
from cellpipe.report.excel.sheets import column_letter

_MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
_RELATION = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
_SPACE = "{http://www.w3.org/XML/1998/namespace}space"
_HEAD_ROWS = 20  # people put titles above a table
Element = Any  # an element of lxml, which has no types


class Workbook:
    """The parts of an .xlsx, by name.

    Raises
    ------
    SummaryError
        If it is not a workbook.

    """

    def __init__(self, content: bytes) -> None:
        try:
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                self._entries = archive.infolist()
                self.parts = {entry.filename: archive.read(entry) for entry in self._entries}
            self._book = self.parse_part("xl/workbook.xml")
        except (*BROKEN_ZIP, KeyError, RuntimeError, etree.XMLSyntaxError) as error:
            raise SummaryError(
                f"no workbook ({type(error).__name__})", expected="an .xlsx without a password",
                remedy="save it as .xlsx, or take it away: a new one is written then",
            ) from error  # fmt: skip

    def parse_part(self, part: str) -> Element:
        """Parse a part, without resolving anything outside it."""
        parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
        return etree.fromstring(self.parts[part], parser)

    def write_part(self, part: str, root: Element) -> None:
        """Replace a part."""
        self.parts[part] = etree.tostring(
            root, xml_declaration=True, encoding="UTF-8", standalone=True
        )

    def find_sheet(self, name: str) -> str | None:
        """Return the part that holds a sheet, or None."""
        for sheet in self._book.iter(f"{_MAIN}sheet"):
            if sheet.get("name") == name:
                return self.related_parts("xl/workbook.xml", "")[sheet.get(_RELATION, "")]
        return None

    def related_parts(self, part: str, kind: str) -> dict[str, str]:
        """Return the parts that a part refers to, by id; only those of one kind if it is named."""
        folder, _, name = part.rpartition("/")
        place = f"{folder}/_rels/{name}.rels"
        if place not in self.parts:
            return {}
        return {
            each.get("Id", ""): posixpath.normpath(
                posixpath.join("/", folder, each.get("Target", ""))
            ).lstrip("/")
            for each in self.parse_part(place)
            if each.get("Type", "").endswith(kind) and each.get("TargetMode") != "External"
        }

    def shared_strings(self) -> list[str]:
        """Return the texts that cells refer to by number."""
        part = next(iter(self.related_parts("xl/workbook.xml", "/sharedStrings").values()), None)
        if part is None or part not in self.parts:
            return []
        phonetic = f"{_MAIN}rPh"
        return [
            "".join(
                t.text or "" for t in item.iter(f"{_MAIN}t")
                if not any(above.tag == phonetic for above in t.iterancestors())
            )
            for item in self.parse_part(part).findall(f"{_MAIN}si")
        ]  # fmt: skip

    def force_recalculation(self) -> None:
        """Have all formulas recomputed on opening, as the values they refer to have changed."""
        calculation = self._book.find(f"{_MAIN}calcPr")
        if calculation is None:
            return
        calculation.set("fullCalcOnLoad", "1")
        self.write_part("xl/workbook.xml", self._book)

    def drop_calculation_chain(self) -> None:
        """Remove the list of formulas, which Excel rebuilds; an outdated one is an error."""
        chains = set(self.related_parts("xl/workbook.xml", "/calcChain").values()) & set(self.parts)
        for place, attribute in (("xl/_rels/workbook.xml.rels", "Type"),
                                 ("[Content_Types].xml", "PartName")):  # fmt: skip
            root = self.parse_part(place)
            for node in list(root):
                if "/calcchain" in node.get(attribute, "").lower():
                    root.remove(node)
            self.write_part(place, root)
        self._entries = [entry for entry in self._entries if entry.filename not in chains]

    def to_bytes(self) -> bytes:
        """Return the file, its parts in their original order."""
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            for entry in self._entries:
                entry.compress_type = zipfile.ZIP_DEFLATED
                archive.writestr(entry, self.parts[entry.filename])
        return buffer.getvalue()


def fill_sheet(
    content: bytes, sheet: str, key: str, columns: Mapping[str, Sequence[object]]
) -> tuple[bytes, int]:
    """Write columns into a sheet of a workbook.

    Parameters
    ----------
    content
        The workbook.
    sheet, key
        The sheet's name, and the head of the column by which rows are found.
    columns
        Values by head, including that of ``key``: numbers, texts, or None for an empty cell.

    Returns
    -------
    content, changed
        The workbook and the number of cells changed; the same bytes if none is.

    Raises
    ------
    SummaryError
        If it is not a workbook, or has no such sheet or column.

    """
    try:
        return _fill_sheet(Workbook(content), content, sheet, key, columns)
    except (KeyError, IndexError, ValueError, TypeError, AttributeError, SyntaxError) as error:
        raise SummaryError(
            f"a workbook that is not understood ({type(error).__name__}: {error})",
            expected="one as Excel or LibreOffice writes it", remedy="open it in Excel and save it "
            "anew, or take it away: a new one is written then",
        ) from error  # fmt: skip


def _fill_sheet(
    book: Workbook, content: bytes, sheet: str, key: str, columns: Mapping[str, Sequence[object]]
) -> tuple[bytes, int]:
    part = book.find_sheet(sheet)
    if part is None or part not in book.parts:
        raise _layout_error(f"no sheet called {sheet!r}", sheet, key)
    if any(book.parse_part(place).get("totalsRowCount", "0") != "0"
           for place in book.related_parts(part, "/table").values()):  # fmt: skip
        raise SummaryError(
            "a table with a row of totals below the cells", expected="room for new cells there",
            remedy="switch the row of totals off, and put the totals on another sheet",
        )  # fmt: skip
    grid = _Grid(book.parse_part(part), book.shared_strings())
    head = grid.find_row(key)
    if head is None:
        raise _layout_error(f"no column called {key!r} in the sheet {sheet}", sheet, key)
    last = grid.last_row(head)
    indices, changed = grid.ensure_columns(head, list(columns))
    rows = grid.find_rows(indices[key], list(map(str, columns[key])), after=head)
    end = last
    for number, name in enumerate(columns[key]):
        row = rows.get(str(name))
        if row is None:
            end += 1
            row = grid.add_row(end, like=end - 1 if end - 1 > head else None)
        for title, values in columns.items():
            changed += grid.put(row, indices[title], values[number])
    if not changed:
        return content, 0
    _extend_tables(book, part, grid, head, last, end)
    book.write_part(part, grid.root)
    if grid.formulas_gone:
        book.drop_calculation_chain()
    book.force_recalculation()
    return book.to_bytes(), changed


def _layout_error(found: str, sheet: str, key: str) -> SummaryError:
    return SummaryError(
        found, expected=f"the sheet {sheet} with the column {key}",
        remedy="give both their names back, or take the file away: a new one is written then",
    )  # fmt: skip


class _Grid:
    """The cells of a sheet."""

    def __init__(self, root: Element, texts: list[str]) -> None:
        self.root = root
        self._texts = texts
        self._data = root.find(f"{_MAIN}sheetData")
        self._rows = {int(row.get("r", "0")): row for row in self._data}
        if 0 in self._rows or any(c.get("r") is None for row in self._data for c in row):
            raise ValueError("cells that don't say where they are")
        self.formulas_gone = False

    def find_row(self, text: str) -> int | None:
        """Return the number of the first row with a cell of this text, or None."""
        for number in sorted(self._rows)[:_HEAD_ROWS]:
            if any(self.value(cell) == text for cell in self._rows[number]):
                return number
        return None

    def last_row(self, head: int) -> int:
        """Return the number of the last row that holds anything."""
        held = [n for n, row in self._rows.items() if any(len(cell) for cell in row)]
        return max([head, *held])

    def ensure_columns(self, head: int, titles: Sequence[str]) -> tuple[dict[str, int], int]:
        """Return each column's index by head, and count those added at the end."""
        row = self._rows[head]
        indices: dict[str, int] = {}
        for cell in row:
            indices.setdefault(str(self.value(cell)), _column_index(cell))
        free = max(map(_column_index, self._nonempty_cells()), default=-1) + 1
        added = 0
        for title in titles:
            if title not in indices:
                indices[title] = free
                added += self.put(row, free, title)
                free += 1
        return {title: indices[title] for title in titles}, added

    def find_rows(self, place: int, names: Sequence[str], *, after: int) -> dict[str, Element]:
        """Return the rows below the head by name, the first of each.

        A name that a spreadsheet turned into a number (001 into 1) still finds its row.
        """
        rows: dict[str, Element] = {}
        by_key: dict[str, Element] = {}
        for number in sorted(self._rows):
            cell = self._find_cell(self._rows[number], place)
            value = None if cell is None or number <= after else self.value(cell)
            if value is not None:
                name = _name_text(value)
                rows.setdefault(name, self._rows[number])
                if isinstance(value, float) and name not in names:
                    by_key.setdefault(name_key(name), self._rows[number])
        return {name: by_key[name_key(name)] for name in names if name_key(name) in by_key} | rows

    def add_row(self, number: int, like: int | None) -> Element:
        """Add a row at the end, formatted as another one."""
        row = self._rows.get(number)
        if row is None:
            row = etree.Element(f"{_MAIN}row", r=str(number))
            self._data.insert(sum(1 for other in self._rows if other < number), row)
            self._rows[number] = row
        for cell in self._rows.get(like or 0, ()):
            if cell.get("s") and self._find_cell(row, _column_index(cell)) is None:
                self._make_cell(row, _column_index(cell)).set("s", cell.get("s"))
        return row

    def put(self, row: Element, place: int, value: object) -> int:
        """Write a value unless the cell holds it already; return 1 if it was written, else 0."""
        if isinstance(value, float) and not math.isfinite(value):
            value = None
        cell = self._find_cell(row, place)
        if value is None and (cell is None or not len(cell)):
            return 0
        if (
            cell is not None
            and cell.find(f"{_MAIN}f") is None
            and _is_same(self.value(cell), value)
        ):
            return 0
        cell = self._make_cell(row, place) if cell is None else cell
        for child in list(cell):
            self.formulas_gone |= child.tag == f"{_MAIN}f"
            cell.remove(child)
        cell.attrib.pop("t", None)
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            etree.SubElement(cell, f"{_MAIN}v").text = repr(value)
        elif value is not None:
            cell.set("t", "inlineStr")
            text = etree.SubElement(etree.SubElement(cell, f"{_MAIN}is"), f"{_MAIN}t")
            text.set(_SPACE, "preserve")
            text.text = _clean_text(str(value))
        return 1

    def value(self, cell: Element) -> str | float | None:
        """Return what a cell holds: a text, a number, or None."""
        kind = cell.get("t", "n")
        if kind == "inlineStr":
            return "".join(t.text or "" for t in cell.iter(f"{_MAIN}t"))
        found = cell.find(f"{_MAIN}v")
        if found is None or found.text is None:
            return None
        if kind == "s":
            return self._texts[int(found.text)]
        return found.text if kind in {"str", "b", "e", "d"} else float(found.text)

    def _nonempty_cells(self) -> Iterator[Element]:
        for row in self._rows.values():
            yield from (cell for cell in row if len(cell))

    def _find_cell(self, row: Element, place: int) -> Element | None:
        return next((cell for cell in row if _column_index(cell) == place), None)

    def _make_cell(self, row: Element, place: int) -> Element:
        """Insert a cell in the order of columns."""
        row.attrib.pop("spans", None)
        cell = etree.Element(f"{_MAIN}c", r=f"{column_letter(place)}{row.get('r')}")
        before = sum(1 for other in row if _column_index(other) < place)
        row.insert(before, cell)
        return cell


def _column_index(cell: Element) -> int:
    """Return a cell's column, counted from 0."""
    place = 0
    for letter in re.sub(r"\d", "", cell.get("r", "A")):
        place = 26 * place + ord(letter) - ord("A") + 1
    return place - 1


def _is_same(found: object, value: object) -> bool:
    """Return whether a cell holds a value; programs write numbers with 15 digits, or more."""
    if isinstance(found, float) and isinstance(value, (int, float)):
        return math.isclose(found, value, rel_tol=1e-13)
    return found == value


def _name_text(value: object) -> str:
    return f"{value:.15g}" if isinstance(value, float) else str(value).strip()


def name_key(name: str) -> str:
    """Return a key that is the same for names that a spreadsheet can't tell apart."""
    try:
        return f"{float(name):.15g}"
    except ValueError:
        return name


def _clean_text(text: str) -> str:
    """Return a text without the characters that XML can't hold."""
    return re.sub(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]", "", text)


def _extend_tables(book: Workbook, part: str, grid: _Grid, head: int, last: int, end: int) -> None:
    """Extend filters and tables that end at the last row to the new last row."""
    dimension = grid.root.find(f"{_MAIN}dimension")
    if dimension is not None:
        grid.root.remove(dimension)  # optional, and no longer correct
    if end == last:
        return
    sheet_filter = grid.root.find(f"{_MAIN}autoFilter")
    if sheet_filter is not None:
        _extend_range(sheet_filter, head, last, end)
    for place in book.related_parts(part, "/table").values():
        table = book.parse_part(place)
        if _extend_range(table, head, last, end):
            table_filter = table.find(f"{_MAIN}autoFilter")
            if table_filter is not None:
                _extend_range(table_filter, head, last, end)
            book.write_part(place, table)


def _extend_range(element: Element, head: int, last: int, end: int) -> bool:
    match = re.fullmatch(r"([A-Z]+)(\d+):([A-Z]+)(\d+)", element.get("ref", ""))
    if match is None or int(match[2]) != head or int(match[4]) != last:
        return False
    element.set("ref", f"{match[1]}{head}:{match[3]}{end}")
    return True
