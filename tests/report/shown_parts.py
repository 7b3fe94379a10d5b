"""Read what is shown: tables, sentences and curves out of pages, workbooks, archives and .csv."""

from __future__ import annotations

import csv
import io
import json
import math
import re
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from lxml import etree, html

_INLINE = {"a", "b", "small", "code", "span", "button", "input", "option", "select", "label"}
_S = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
_C = "{http://schemas.openxmlformats.org/drawingml/2006/chart}"
_A = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
_REL = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
_BUILT_IN = {"0": "General", "1": "0", "2": "0.00", "9": "0%", "10": "0.00%", "11": "0.00E+00",
             "3": "#,##0", "4": "#,##0.00", "49": "@"}  # fmt: skip
HALF_CELL_WORDS = (("delithiation (charge)", "charge"), ("lithiation (discharge)", "discharge"),
                   ("Delithiation (charge)", "Charge"))  # fmt: skip


@dataclass(frozen=True)
class Table:
    """A table as it is shown; a row is what stands below each head."""

    caption: str
    heads: tuple[str, ...]
    rows: list[dict[str, Any]]
    formats: dict[tuple[int, str], str] = field(default_factory=dict)  # by row and head


@dataclass(frozen=True)
class Curve:
    """What a native chart plots: its words, and the cells behind it."""

    sheet: str
    series: str
    x_title: str
    y_title: str
    x_head: str
    y_head: str
    points: list[tuple[Any, Any]]
    rows: list[dict[str, Any]]
    first: int = 2  # the sheet's row that it begins with


# Width and height of a drawing at the size of a word, its label, its points as they are written.
Spark = tuple[float, float, str, list[tuple[str, ...]]]


@dataclass
class Parts:
    """All that a document shows."""

    tables: list[Table] = field(default_factory=list)
    sentences: list[str] = field(default_factory=list)
    curves: list[Curve] = field(default_factory=list)
    checks: list[tuple[str, str]] = field(default_factory=list)  # level and sentence
    faults: list[str] = field(default_factory=list)
    sparks: dict[str, Spark] = field(default_factory=dict)  # by the row's first text


def plain(text: object) -> str:
    """Return a text with single spaces; a half cell's words become charge and discharge."""
    found = " ".join(str(text).split())
    for words, name in HALF_CELL_WORDS:
        found = found.replace(words, name)
    return found


def page_parts(content: str) -> Parts:  # noqa: C901 - one walk through the page
    """Read a page: tables below their headings, key numbers, sentences, figures' texts."""
    document = html.document_fromstring(content)
    body, heading = document.find("body"), ""
    parts = Parts(sentences=[plain(title.text) for title in document.iter("title") if title.text])
    for drawn in body.iter("svg"):
        parts.sentences += svg_texts(drawn)
        if drawn.get("class") == "spark":
            row = next(drawn.iterancestors("tr"))
            parts.sparks[plain(row[0].find("a").text_content())] = _spark(drawn)
    for each in list(body.iter("svg", "script", "style")):
        each.clear(keep_tail=True)
    keys: list[dict[str, Any]] = []
    for node in body.iter():
        if not isinstance(node.tag, str):
            continue
        if node.tag in {"h1", "h2", "h3"}:
            heading = plain(node.text_content())
        inside = [up.tag for up in node.iterancestors()]
        if node.tag == "table":
            caption = "Numbers side by side" if heading == "Numbers" else heading
            parts.tables.append(_html_table(node, caption))
        elif "table" not in inside:
            if "check" in (classes := (node.get("class") or "").split()):
                parts.checks.append((classes[-1], plain(node.text_content())))
            parts.sentences += [plain(node.get(a)) for a in ("title", "aria-label", "placeholder")
                                if node.get(a)]  # fmt: skip
            children = [child.tag for child in node]
            if children == ["span", "b", "small"]:
                said = [plain(child.text_content()) for child in node]
                keys.append(dict(zip(("Name", "Value", "Basis"), said, strict=True)))
            elif node.tag not in _INLINE:
                parts.sentences += _own_texts(node)
    if keys:
        parts.tables.append(Table("Key numbers", ("Name", "Value", "Basis"), keys))
    return parts


def _spark(drawn: Any) -> Spark:
    (line,) = drawn.iter("polyline", "{*}polyline")
    points = [tuple(point.split(",")) for point in line.get("points").split()]
    size = float(drawn.get("width")), float(drawn.get("height"))
    return *size, plain(drawn.get("aria-label")), points


def _own_texts(node: Any) -> list[str]:
    """Return the texts of a block that stand in no block inside it."""
    if all(child.tag in _INLINE or child.tag == "svg" for child in node):
        return [plain(node.text_content())]
    pieces = [node.text]
    for child in node:
        pieces += [child.text_content() if child.tag in _INLINE else None, child.tail]
    return [plain(text) for text in pieces if text]


def svg_texts(drawn: Any) -> list[str]:
    """Return the texts of a figure; those at the ticks of an axis are its scale, no results."""
    found = [plain(drawn.get("aria-label") or "")]
    return found + [
        plain("".join(text.itertext()))
        for text in drawn.iter("{*}text", "text")
        if not any("tick" in (up.get("id") or "") for up in text.iterancestors())
    ]


def _html_table(node: Any, heading: str) -> Table:
    head, *body = node.findall(".//tr")
    heads = tuple(plain(each.text_content()) for each in head)
    rows = []
    for line in body:
        row: dict[str, Any] = {}
        for name, each in zip(heads, line, strict=True):
            pieces = [each.text or "", *(c.text_content() + " " + (c.tail or "") for c in each)]
            row[name] = plain(" ".join(pieces))
            for mark, words in (("data-v", "sorted by"), ("title", "in words")):
                if each.get(mark) is not None:
                    row[f"{name}, {words}"] = plain(each.get(mark))
        rows.append(row)
    return Table(heading, heads, rows)


class Book:
    """The values, formulas and charts of an .xlsx; a formula's value is what was stored with it."""

    def __init__(self, content: bytes) -> None:
        self._zip = zipfile.ZipFile(io.BytesIO(content))
        book = self._xml("xl/workbook.xml")
        places = {r.get("Id"): r.get("Target") for r in self._xml("xl/_rels/workbook.xml.rels")}
        self.sheets = {s.get("name"): f"xl/{places[s.get(_REL)]}" for s in book.iter(f"{_S}sheet")}
        self.names = {n.get("name"): n.text for n in book.iter(f"{_S}definedName")}
        self.formulas: dict[tuple[str, str], str] = {}
        self.formats: dict[tuple[str, str], str] = {}
        self.values = {name: self._values(name, part) for name, part in self.sheets.items()}

    def _xml(self, part: str) -> Any:
        return etree.fromstring(self._zip.read(part))

    @cached_property
    def _texts(self) -> list[str]:
        items = self._xml("xl/sharedStrings.xml").findall(f"{_S}si")
        return ["".join(item.itertext()) for item in items]

    @cached_property
    def _styles(self) -> list[str]:
        """Return the number format of each style of a cell."""
        styles = self._xml("xl/styles.xml")
        own = {f.get("numFmtId"): f.get("formatCode") for f in styles.iter(f"{_S}numFmt")}
        known = _BUILT_IN | own
        return [known[look.get("numFmtId")] for look in styles.find(f"{_S}cellXfs").iter(f"{_S}xf")]

    def row_formats(self, sheet: str, row: int, heads: tuple[str, ...]) -> dict[str, str]:
        """Return the number formats of a row's cells that hold something, by their heads."""
        found = {}
        for place, head in enumerate(heads, start=1):
            ref = f"{letters(place)}{row}"
            if ref in self.values[sheet]:
                found[head] = self.formats[sheet, ref]
        return found

    def _values(self, sheet: str, part: str) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for cell in self._xml(part).iter(f"{_S}c"):
            value, formula = cell.find(f"{_S}v"), cell.find(f"{_S}f")
            self.formats[sheet, cell.get("r")] = self._styles[int(cell.get("s") or 0)]
            if formula is not None:
                self.formulas[sheet, cell.get("r")] = formula.text
            if value is not None:
                text = cell.get("t") == "s"
                found[cell.get("r")] = self._texts[int(value.text)] if text else float(value.text)
        return found

    def grid(self, sheet: str) -> list[list[Any]]:
        """Return a sheet's values by row and column, None where a cell is empty."""
        cells = {split(ref): value for ref, value in self.values[sheet].items()}
        width = max((column for column, _ in cells), default=0)
        height = max((row for _, row in cells), default=0)
        rows: list[list[Any]] = [[None] * width for _ in range(height)]
        for (column, row), value in cells.items():
            rows[row - 1][column - 1] = plain(value) if isinstance(value, str) else value
        return rows

    def evaluate(self, sheet: str, formula: str) -> float:
        """Compute a formula over the cells it refers to: quotient, reference, or mean of some."""
        asked = r'AVERAGEIFS\(([^,]+),([^,]+),">(\d+)",([^,]+),"yes",([^,]+),"no"\)'
        if match := re.fullmatch(asked, formula):
            first = int(match[3])
            ranges = (self._range(match[place]) for place in (1, 2, 4, 5))
            chosen = [m for m, n, c, f in zip(*ranges, strict=True)
                      if m is not None and n > first and (c, f) == ("yes", "no")]  # fmt: skip
            return math.fsum(chosen) / len(chosen)
        first, *rest = re.split(r"([*/])", formula)
        result = self._term(sheet, first)
        for sign, term in zip(rest[::2], rest[1::2], strict=True):
            other = self._term(sheet, term)
            result = result * other if sign == "*" else result / other
        return result

    def _term(self, sheet: str, term: str) -> float:
        if term in self.names:
            return self._term(sheet, self.names[term])
        if re.fullmatch(r"\d+", term):
            return float(term)
        place, _, ref = term.rpartition("!")
        return float(self.values[place or sheet][ref.replace("$", "")])

    def _range(self, reference: str) -> list[Any]:
        sheet, _, cells = reference.replace("$", "").rpartition("!")
        (column, first), (other, last) = (split(ref) for ref in cells.split(":"))
        if column != other:
            raise ValueError(f"{reference} has more than one column")
        grid = self.grid(sheet.strip("'"))
        return [grid[row - 1][column - 1] for row in range(first, last + 1)]

    def curves(self) -> Iterator[Curve]:
        """Return what each series of each native chart plots."""
        for part in sorted(n for n in self._zip.namelist() if n.startswith("xl/charts/chart")):
            chart = self._xml(part)
            axes = {axis.find(f"{_C}axId").get("val"): axis for axis in chart.iter(f"{_C}valAx")}
            title = _rich_text(chart.find(f".//{_C}chart/{_C}title"))
            for plot in chart.iter(f"{_C}scatterChart"):
                x, y = (axes[axis.get("val")] for axis in plot.findall(f"{_C}axId"))
                if y.find(f"{_C}axPos").get("val") in {"b", "t"}:
                    x, y = y, x
                titles = [_rich_text(axis.find(f"{_C}title")) for axis in (x, y)]
                if not titles[0]:  # a second pair of axes has the first one's x
                    titles[0] = _rich_text(next(iter(axes.values())).find(f"{_C}title"))
                for series in plot.iter(f"{_C}ser"):
                    yield self._curve(series, titles, title)

    def _curve(self, series: Any, titles: list[str], title: str) -> Curve:
        name = series.find(f"{_C}tx")
        texts = name.findall(f".//{_C}v") if name is not None else []
        x, y = (series.find(f"{_C}{kind}//{_C}f").text for kind in ("xVal", "yVal"))
        sheet, _, cells = y.replace("$", "").rpartition("!")
        sheet = sheet.strip("'")
        grid = self.grid(sheet)
        _, first = split(cells.split(":")[0])
        places = [
            split(each.replace("$", "").rpartition("!")[2].split(":")[0])[0] for each in (x, y)
        ]
        points = list(zip(self._range(x), self._range(y), strict=True))
        for kind, at in (("xVal", 0), ("yVal", 1)):  # what a program shows before it computes
            kept = {int(p.get("idx")): float(p.findtext(f"{_C}v"))
                    for p in series.findall(f"{_C}{kind}//{_C}pt")}  # fmt: skip
            if kept and kept != {i: p[at] for i, p in enumerate(points) if p[at] is not None}:
                raise ValueError(f"the chart {title!r} keeps other numbers than its cells hold")
        heads = [str(head) for head in grid[0]]
        rows = [dict(zip(heads, line, strict=True)) for line in grid[first - 1 :][: len(points)]]
        said = plain("".join(text.text for text in texts))
        return Curve(sheet, said, *titles, *(heads[p - 1] for p in places), points, rows, first)


def _rich_text(title: Any) -> str:
    return "" if title is None else plain("".join(t.text for t in title.iter(f"{_A}t")))


def split(ref: str) -> tuple[int, int]:
    """Return column and row of an address, both from 1."""
    letters = ref.rstrip("0123456789")
    column = 0
    for letter in letters:
        column = 26 * column + ord(letter) - 64
    return column, int(ref[len(letters) :])


def letters(column: int) -> str:
    """Return the letters of a column by its number from 1."""
    found = ""
    while column:
        column, rest = divmod(column - 1, 26)
        found = chr(65 + rest) + found
    return found


def book_parts(content: bytes, captions: Mapping[str, str] | None = None) -> Parts:
    """Read a workbook: its sheets as tables, its formulas computed anew, its charts."""
    book, parts = Book(content), Parts()
    for sheet in book.sheets:
        grid = book.grid(sheet)
        if sheet in {"Summary", "Read me", "Chart"}:
            _read_blocks(book, sheet, grid, parts)
        elif sum(value is not None for value in grid[1]) == 1:  # the sentence of an empty table
            parts.sentences.append(str(grid[1][0]))
        else:
            heads = tuple(str(head) for head in grid[0])
            rows = [dict(zip(heads, line, strict=True)) for line in grid[1:]]
            formats = {
                (place, head): look
                for place in range(len(rows))
                for head, look in book.row_formats(sheet, place + 2, heads).items()
            }
            parts.tables.append(Table((captions or {}).get(sheet, sheet), heads, rows, formats))
    for (sheet, ref), formula in book.formulas.items():
        stored, computed = book.values[sheet].get(ref), book.evaluate(sheet, formula)
        if stored is None or not math.isclose(stored, computed, rel_tol=1e-9):
            parts.faults.append(f"{sheet}!{ref} ={formula} gives {computed}, but {stored} is shown")
    parts.curves = list(book.curves())
    return parts


def _read_blocks(book: Book, sheet: str, grid: list[list[Any]], parts: Parts) -> None:
    """Read a sheet of blocks, each a table below a line of heads; what else stands is sentences."""
    heads: tuple[str, ...] = ()
    for number, line in enumerate(grid, start=1):
        if len(line) > 1 and line[1] == "Value":
            heads = tuple(line)
            parts.tables.append(Table(heads[0], heads, []))
        elif heads and any(value is not None for value in line):
            table = parts.tables[-1]
            for head, look in book.row_formats(sheet, number, heads).items():
                table.formats[len(table.rows), head] = look
            table.rows.append(dict(zip(heads, line, strict=True)))
        else:
            heads = ()
            parts.sentences += [str(value) for value in line if value is not None]


def csv_table(content: bytes, caption: str) -> Table:
    """Read a .csv that was written for spreadsheets; texts lose the apostrophe before a sign."""
    lines = list(csv.reader(io.StringIO(content.decode("utf-8-sig"))))
    heads = tuple(map(plain, lines[0]))
    rows = [
        {
            h: plain(re.sub(r"^'(?=[=+\-@])", "", value))
            for h, value in zip(heads, line, strict=True)
        }
        for line in lines[1:]
    ]
    return Table(caption, heads, rows)


def archive_parts(content: bytes) -> tuple[Parts, dict[str, bytes]]:
    """Read an .eln: what its metadata shows, and its files by name."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        files = {n.rpartition("/")[2]: archive.read(n) for n in archive.namelist()}
    graph = json.loads(files.pop("ro-crate-metadata.json"))["@graph"]
    parts, heads = Parts(), ("propertyID", "name", "value", "unitText", "description")
    values = [node for node in graph if node["@type"] == "PropertyValue"]
    fields = [v for v in values if v["propertyID"] == "elabftw_metadata"]
    parts.tables.append(Table("Values", heads, [v for v in values if v not in fields]))
    for each in fields:
        found = json.loads(each["value"])["extra_fields"]
        rows = [{"name": name.removesuffix(" (cellpipe)")} | one for name, one in found.items()]
        parts.tables.append(Table("Extra fields", heads, rows))
    for node in graph:
        if node["@type"] == "Dataset" and node["@id"] != "./":
            inside = page_parts(f"<html><body>{node['text']}</body></html>")
            parts.tables += [Table("Key numbers", t.heads, t.rows) for t in inside.tables]
            parts.sentences += [*inside.sentences, plain(node["name"]), plain(node["description"])]
        if node["@type"] == "File" and int(node["contentSize"]) != len(files[node["name"]]):
            parts.faults.append(f"{node['name']} is not as long as the archive says")
    return parts, files
