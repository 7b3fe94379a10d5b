"""A lab's own baselines: ``baselines.csv`` next to the cell sheet, under the same contract.

Its columns are those of the table ``baselines`` without ``source``; ``row`` and every column that
may be empty can be omitted. A row that begins with # is a comment. A row that violates the contract
is left out with a finding that names it, and the others are used.
"""

from __future__ import annotations

import csv
import difflib
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import polars as pl

from cellpipe.baselines import table1
from cellpipe.cell_sheet.sheet import has_extra_values, overfull_message
from cellpipe.cell_sheet.sheet_content import parse_csv_rows, read_bounded_content
from cellpipe.core import contracts
from cellpipe.core.errors import CellSheetError, ContractError
from cellpipe.core.model import Finding
from cellpipe.system.scan import BASELINES_NAME

_FILLED = ("source", "row")
_LARGEST = 2**53
_MOST_ROWS = 1_000


def read_lab_baselines(path: Path) -> tuple[pl.DataFrame, tuple[Finding, ...]]:
    """Read a lab's baselines; return the valid rows and findings about the others.

    Raises
    ------
    CellSheetError
        If the file can't be read as a table, or lacks a required column.

    """
    content = _read_content(path)
    lines = parse_csv_rows(content, BASELINES_NAME)
    if len(lines) > _MOST_ROWS:
        raise CellSheetError(
            f"{len(lines):,} rows", expected=f"at most {_MOST_ROWS:,} published cells",
            remedy="keep what is no published cell in another file", file=BASELINES_NAME,
        )  # fmt: skip
    heads = [head.strip() for head in lines[0]] if lines else []
    decimal_comma = content.partition(b"\n")[0].count(b";") > 0
    columns = contracts.load_schema("baselines").columns
    absent = [n for n, c in columns.items() if not c.nullable and n not in (*_FILLED, *heads)]
    if absent:
        raise CellSheetError(
            f"no column {absent[0]!r} in row 1", expected="the columns of the table baselines",
            remedy="cellpipe baselines FOLDER --write writes an empty one", file=BASELINES_NAME,
        )  # fmt: skip
    findings = [
        _unknown_column(head, list(columns)) for head in heads if head and head not in columns
    ]
    findings += [
        _finding(f"row 1: column {head!r} is there twice; the first is used")
        for head in dict.fromkeys(heads) if head in columns and heads.count(head) > 1
    ]  # fmt: skip
    rows, numbers = [contracts.empty_table("baselines")], set[int]()
    for number, line in enumerate(lines[1:], 2):
        if not any(text.strip() for text in line) or line[0].lstrip().startswith("#"):
            continue
        if has_extra_values(line, heads):
            message = f"row {number}: {overfull_message(line, heads)}; this row is left out"
            findings.append(_finding(message))
            continue
        try:
            row = contracts.validate("baselines", _parse_row(heads, line, number, decimal_comma))
            _check_row(row.row(0, named=True))
        except (ValueError, ContractError) as error:
            message = error.found if isinstance(error, ContractError) else str(error)
            findings.append(_finding(f"row {number}: {message}; this row is left out"))
            continue
        if row["row"][0] in numbers:
            message = (
                f"row {number}: the number {row['row'][0]} is used twice; this row is left out"
            )
            findings.append(_finding(message))
        else:
            rows.append(row)
            numbers.add(row["row"][0])
    return pl.concat(rows), tuple(findings)


def write_baselines_template(folder: Path) -> Path:
    """Write an empty ``baselines.csv`` with a row of Table 1 as a commented example.

    Raises
    ------
    CellSheetError
        If the file exists already, or the folder can't be written.

    """
    path = folder / BASELINES_NAME
    names = [name for name in contracts.load_schema("baselines").columns if name != "source"]
    example = table1().select(names).row(2)
    written = io.StringIO()
    rows = csv.writer(written, lineterminator="\r\n")
    rows.writerow(names)
    rows.writerow([f"# {example[0]}", *("" if v is None else v for v in example[1:])])
    try:
        with path.open("x", encoding="utf-8-sig", newline="") as file:
            file.write(written.getvalue())
    except FileExistsError as error:
        raise CellSheetError(
            "a file of that name", expected="none", remedy="add rows to it", file=path
        ) from error
    except OSError as error:
        raise CellSheetError(
            f"a folder that can't be written ({error.strerror})", expected="one that can",
            remedy="choose another folder", file=path,
        ) from error  # fmt: skip
    return path


def _read_content(path: Path) -> bytes:
    try:
        return read_bounded_content(path)
    except FileNotFoundError as error:
        raise CellSheetError(
            "no such file", expected=f"a {BASELINES_NAME}", file=path,
            remedy="cellpipe baselines FOLDER --write writes an empty one",
        ) from error  # fmt: skip
    except OSError as error:
        raise CellSheetError(
            f"a file that is locked or can't be opened ({error.strerror})",
            expected="a file that can be read", remedy="close it in Excel", file=path.name,
        ) from error  # fmt: skip


def _check_row(row: Mapping[str, object]) -> None:
    """Raise ValueError if fields of a row contradict each other."""
    retention = row["retention_percent"]
    if isinstance(retention, float) and 0 < retention <= 1:
        raise ValueError(
            f"found a retention_percent of {retention:g}; expected per cent, such as "
            f"{100 * retention:g}"
        )
    per_area = row["capacity_basis_inferred"] == "area"
    unit, later = row["initial_unit"], row["later_unit"]
    if per_area is not (unit == "mAh/cm2"):
        raise ValueError(f"found {unit} per {row['capacity_basis_inferred']}, which can't be")
    if later not in {None, unit}:
        raise ValueError(f"found an initial capacity in {unit} and a later one in {later}")
    if not row["initial_value"]:
        raise ValueError("column initial_value: found 0, expected a capacity")
    low, high = row["later_value_low"], row["later_value_high"]
    if isinstance(low, float) and isinstance(high, float) and low > high:
        raise ValueError(f"found later_value_low {low:g} above later_value_high {high:g}")


def _parse_row(
    heads: Sequence[str], line: Sequence[str], number: int, decimal_comma: bool
) -> pl.DataFrame:
    """Return one line as a row of the table; raise ValueError for an invalid number."""
    columns = contracts.load_schema("baselines").columns
    pairs = [(h, t.strip()) for h, t in zip(heads, line, strict=False) if h in columns]
    texts = {
        h: t for h, t in reversed(pairs) if t
    }  # of two columns with one name, the first counts
    if decimal_comma:
        numeric = {name for name, column in columns.items() if column.type != "string"}
        texts |= {h: t.replace(",", ".") for h, t in texts.items() if h in numeric and "." not in t}
    texts = {"row": str(number - 1), **texts, "source": BASELINES_NAME}
    values: dict[str, object] = {}
    for name, column in columns.items():
        text = texts.get(name)
        values[name] = (
            text if text is None or column.type == "string" else _parse_number(name, text)
        )
        if text is not None and column.type == "int64":
            values[name] = _parse_integer(name, text)
    return pl.DataFrame([values], schema={name: c.dtype for name, c in columns.items()})


def _parse_number(name: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"column {name}: found {text!r}, expected a number") from None


def _parse_integer(name: str, text: str) -> int:
    value = _parse_number(name, text)
    if not value.is_integer() or abs(value) > _LARGEST:
        raise ValueError(f"column {name}: found {text!r}, expected a whole number")
    return int(value)


def _unknown_column(head: str, known: list[str]) -> Finding:
    near = difflib.get_close_matches(head, known, 1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    return _finding(f"row 1: column {head!r} is not known{hint}")


def _finding(sentence: str) -> Finding:
    return Finding("warning", "baselines", f"{BASELINES_NAME}, {sentence}.".replace("?.", "?"))
