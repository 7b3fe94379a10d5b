"""Hold what is shown against the tables, by the vocabulary; give what does not agree."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from shown_charts import curve_faults, fit_faults
from shown_formats import format_faults
from shown_lab import NOTHING, NUMBER, Lab, NotMapped, Row, agree
from shown_marks import spark_faults
from shown_parts import Parts, Table, plain
from shown_places import PLACES, Place
from shown_sentences import LAB_SENTENCES, SENTENCES
from shown_templates import compiled, holds, meaning_of, unit_of_label
from shown_words import Meaning

from cellpipe.core.contracts import load_schema


def fault_of(lab: Lab, meaning: Meaning, shown: Any, row: Row, main: str, unit: str) -> str | None:
    """Return why what is shown is not what its label means, or None."""
    if isinstance(meaning, dict):
        return _fault_by_unit(lab, meaning, shown, row, main, unit)
    if isinstance(meaning, tuple):
        faults = []
        for each in meaning:
            try:
                faults.append(fault_of(lab, each, shown, row, main, unit))
            except NotMapped as error:
                faults.append(str(error))
        return None if None in faults else "; ".join(map(str, faults))
    if "{" in meaning or meaning in {NOTHING, "xlsx", "mAh", "mAh/cm²"}:
        return holds(lab, meaning, NOTHING if shown is None else str(shown), row, main)
    name, _, told = meaning.partition(":")
    stored = lab.value(name, row, main)
    if isinstance(shown, str) and isinstance(stored.value, (int, float)):
        number, _, own = shown.partition(" ")
        if own and re.fullmatch(NUMBER, number):
            shown, told = number, own
    wanted = stored.in_unit(told or unit)
    return None if agree(shown, wanted) else f"shown is {shown!r}, stored is {wanted!r} ({name})"


def _fault_by_unit(
    lab: Lab, meaning: dict[str, str], shown: Any, row: Row, main: str, unit: str
) -> str | None:
    """Choose the meaning by the unit that stands with the number, or beside it."""
    if shown in {None, "", NOTHING} and unit not in meaning:
        stored = [lab.value(name, row, main).value for name in meaning.values()]
        return None if set(stored) == {None} else f"nothing is shown, stored are {stored}"
    if isinstance(shown, str) and unit not in meaning:
        shown, _, unit = shown.partition(" ")
    if unit not in meaning:
        raise NotMapped(f"a number in {unit!r}")
    return fault_of(lab, meaning[unit], shown, row, main, unit)


def table_faults(lab: Lab, table: Table, cell_id: str | None) -> Iterator[str]:
    """Return what of a table does not agree with the tables of the lab."""
    place = PLACES.get(table.caption)
    if place is None:
        yield f"the table {table.caption!r} is not in the vocabulary"
        return
    form = {
        "rows": _rows, "records": _records, "columns": _columns, "matrix": _matrix, "wide": _wide,
        "curve": _rows, "group": _rows, "values": _values,
    }[place.form]  # fmt: skip
    for fault in form(lab, table, place, cell_id):
        yield f"{table.caption}: {fault}"


def _rows(lab: Lab, table: Table, place: Place, cell_id: str | None) -> Iterator[str]:
    found = {}
    for head in dict.fromkeys(key for row in table.rows for key in row):
        try:
            found[head] = (*meaning_of(place.words, head, place.table), unit_of_label(head))
        except NotMapped as error:
            yield str(error)
    counts: dict[tuple[Any, ...], int] = {}
    for shown in table.rows:
        try:
            row = _row_of(lab, shown, place, cell_id, counts)
        except (NotMapped, KeyError, ValueError) as error:
            yield f"no row for {list(shown.values())[:4]}: {error}"
            continue
        unit = str(shown.get(place.unit, "")).split(" ")[0]
        for head, (template, meaning, own) in found.items():
            try:
                by = unit if isinstance(meaning, dict) else own
                fault = fault_of(lab, meaning, shown.get(head), row, place.table, by)
                if fault is None and "{" in template:
                    fault = holds(lab, template, head, row, place.table)
            except NotMapped as error:
                fault = str(error)
            if fault:
                yield f"{head!r} of {list(shown.values())[:3]}: {fault}"


def _row_of(
    lab: Lab, shown: Mapping[str, Any], place: Place, cell_id: str | None, counts: dict[Any, int]
) -> Row:
    if place.form == "group":
        return lab.rows(place.table, group=shown["Group"])[0]
    if place.form == "curve":
        key = (shown["Cycle"], shown["Direction"])
        counts[key] = counts.get(key, 0) + 1
        number = int(str(shown["Cycle"]).removeprefix("cycle "))
        cycle = lab.row("cycles", cell_id=cell_id, cycle=number)
        half = cycle[f"{str(shown['Direction']).removesuffix('e')}ing_half_cycle"]
        row = lab.rows(place.table, cell_id=cell_id, half_cycle=half)[counts[key] - 1]
        return {**row, "cycle": number}
    key = _key(shown, place)
    if cell_id is not None and "cell_id" in lab.table(place.table).columns:
        key.setdefault("cell_id", cell_id)
    if place.table == "baseline_comparison" and "row" in key:
        key.pop("first_author_year", None)
        key.setdefault("source", "Table 1")
    frequency = key.pop("frequency_hertz", None)
    if frequency is not None:  # a workbook keeps fifteen digits or so
        points = lab.rows(place.table, **key)
        return next(row for row in points if agree(frequency, row["frequency_hertz"]))
    row = lab.row(place.table, **key)
    return row if cell_id is None or "cell_id" in row else {**row, "cell_id": cell_id}


def _key(shown: Mapping[str, Any], place: Place) -> dict[str, Any]:
    """Read the key of a row out of what is shown of it."""
    key: dict[str, Any] = {}
    types = lambda name: _type_of(place.table, name)  # noqa: E731
    for head, template in place.keys.items():
        if head not in shown:
            continue
        pattern, names = compiled(template, place.table)
        match = pattern.fullmatch(plain(_whole(shown[head])))
        for (name, _), text in zip(names, match.groups() if match else (), strict=False):
            key[name] = None if text == NOTHING else types(name)(text)
    if "Cell" in shown and shown["Cell"] is None:
        key["cell_id"] = None
    return key


def _whole(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value == int(value) else value


def _type_of(table: str, column: str) -> type:
    if table == "review_text":
        return int if column == "ref" else str
    return {"int64": int, "float64": float}.get(load_schema(table).columns[column].type, str)


def _records(lab: Lab, table: Table, place: Place, cell_id: str | None) -> Iterator[str]:
    found = lab.rows(place.table, cell_id=cell_id)
    label, *others = table.heads
    for shown in table.rows:
        if found:
            yield from _record(lab, shown[label], shown, place, found[0], others)
        elif shown["Value"] != NOTHING:
            yield f"{shown[label]}: shown is {shown['Value']}, nothing is stored"


def _record(
    lab: Lab, label: str, shown: Mapping[str, Any], place: Place, row: Row, others: list[str]
) -> Iterator[str]:
    unit = str(shown.get(place.unit) or "")
    for head in others:
        text = shown.get(head)
        if head not in {"Value", place.unit}:
            cell = lab.row("cells", cell_id=row["cell_id"])
            yield from sentence_faults(lab, str(text or ""), cell)
            continue
        if head != "Value":
            continue
        try:
            for name in (f"{label}, {shown.get('Basis')}", label):
                if name in place.words:
                    _, meaning = name, place.words[name]
                    break
            else:
                _, meaning = meaning_of(place.words, label, place.table)
            fault = fault_of(lab, meaning, text, row, place.table, unit)
        except NotMapped as error:
            fault = str(error)
        if fault:
            yield f"{label}: {fault}"


_PART = {
    "": "value", ", standard error": "standard_error", ", of that noise": "precision",
    ", determined": "identifiable",
}  # fmt: skip
_SIGNS = {"ohm": "Ω", "ohm^-1 s^n": "Ω⁻¹ sⁿ", "ohm s^-1/2": "Ω s^-½", "1": None}
_WIDE = re.compile(rf"([A-Za-z]+\d*)(?:_(\w+))?({'|'.join(_PART)})(?: \((.*)\))?")


def _wide(lab: Lab, table: Table, place: Place, cell_id: str | None) -> Iterator[str]:
    """Hold a row a spectrum, with a column for each part of each parameter, against the fits."""
    for shown in table.rows:
        own = lab.rows(place.table, cell_id=cell_id, spectrum=int(shown["Spectrum"]))
        if {shown["Circuit"]} != {row["circuit"] for row in own}:
            yield f"spectrum {shown['Spectrum']} is said to be fitted with {shown['Circuit']}"
        missing = {(row["element"], row["parameter"]) for row in own}
        for head in [head for head in shown if head not in {"Spectrum", "Circuit"}]:
            match = _WIDE.fullmatch(head)
            rows = [row for row in own if match and row["element"] == match[1]
                    and match[2] in {None, row["parameter"]}]  # fmt: skip
            if match is None or (len(rows) != 1 and shown[head] is not None):
                yield f"{head!r} names no parameter"
                continue
            for row in rows:
                missing.discard((row["element"], row["parameter"]))
                stored = row[_PART[match[3]]]
                unit = None if match[3] == ", determined" else _SIGNS[row["unit"]]
                if match[4] != unit or not agree(shown[head], stored):
                    yield f"{head!r}: shown is {shown[head]!r}, stored is {stored!r} {unit}"
        if missing:
            yield f"not shown: {sorted(missing)}"


def _columns(lab: Lab, table: Table, place: Place, _: str | None) -> Iterator[str]:
    """Read a column of records for each cell that a head names."""
    label, *heads = table.heads
    for head in (each for each in heads if each in lab.cell_ids):
        row = (lab.rows(place.table, cell_id=head) or [{"cell_id": head}])[0]
        for shown in table.rows:
            value, _, basis = str(shown[head]).partition(" (")
            basis = basis.removesuffix(")") if basis else ""
            record = {"Value": value, "Basis": basis}
            if value != NOTHING or len(row) > 1:
                yield from _record(lab, shown[label], record, place, row, ["Value", "Basis"])


def _matrix(lab: Lab, table: Table, place: Place, _: str | None) -> Iterator[str]:
    for shown in table.rows:
        for head in table.heads[1:]:
            try:
                at = {"Cell": shown["Cell"], "": head.replace("\N{NO-BREAK SPACE}", " ")}
                row = _row_of(lab, at, place, None, {})
            except NotMapped as error:
                yield f"{head}: {error}"
                continue
            template = str(place.words[""])
            if shown[head] == NOTHING:
                if row["comparable"] and row["cell_retention"] is not None:
                    yield f"{head}: nothing is shown, stored is {row['cell_retention']}"
            elif fault := holds(lab, template, shown[head], row, place.table):
                yield f"{shown['Cell']}, {head}: {fault}"


def _values(lab: Lab, table: Table, place: Place, cell_id: str | None) -> Iterator[str]:
    """Hold typed values against the column that the meaning beside them, or their name, tells."""
    columns = load_schema("cells").columns
    told = {column.meaning: name for name, column in columns.items()}
    sheet = PLACES["Cell sheet"]
    for shown in table.rows:
        identifier = str(shown.get("propertyID", ""))
        unit = str(shown.get("unitText") or shown.get("unit") or "")
        value = shown["value"]
        if isinstance(value, str) and shown.get("type") == "number":
            value = float(value)
        meaning = str(shown.get("description", ""))
        row = lab.row("cells", cell_id=cell_id)
        if meaning in told and not identifier.startswith("cell."):
            name = told[meaning]
            if identifier and identifier != f"result.{name}":
                name = identifier.removeprefix("result.")  # two columns have one meaning
                if columns.get(name) is None or columns[name].meaning != meaning:
                    yield f"{identifier} is described as {meaning!r}"
                    continue
            fault = fault_of(lab, name, value, row, "cells", unit)
            if fault and not identifier:
                other = [n for n, c in columns.items() if c.meaning == meaning]
                faults = [fault_of(lab, each, value, row, "cells", unit) for each in other]
                fault = None if None in faults else fault
        elif shown["name"] in sheet.words:
            own = lab.row("cell_sheet", cell_id=cell_id)
            fault = fault_of(lab, sheet.words[shown["name"]], value, own, "cell_sheet", unit)
        else:
            fault = f"{shown['name']} is not in the vocabulary"
        told_words = set(str(shown["name"]).lower().split()) - {"raw"}
        if identifier.startswith("result.") and not told_words <= set(
            re.split(r"[._]", identifier)
        ):
            fault = f"{identifier} is called so"
        if fault:
            yield f"{shown['name']}: {fault}"


def sentence_faults(lab: Lab, text: str, row: Row | None) -> list[str]:
    """Return why a sentence with numbers is not one that the vocabulary has; none if it is."""
    if not re.search(r"\d", text):
        return []
    found = re.match(r"(\S+): ", text)
    if row is None and found and found[1] in lab.cell_ids:
        return sentence_faults(lab, text[found.end() :], lab.row("cells", cell_id=found[1]))
    faults = []
    for template in SENTENCES if row is not None else LAB_SENTENCES:
        try:
            if compiled(template, "cells")[0].fullmatch(text):
                fault = holds(lab, template, text, row or {}, "cells")
                if fault is None:
                    return []
                if re.search(r"\w", re.sub(r"\{[^}]*\}|\[\[.*?\]\]", "", template)):
                    faults.append(f"in {text!r}: {fault}")
        except (NotMapped, ValueError, KeyError, IndexError) as error:
            faults.append(f"in {text!r}: {error!r}")
    return faults[:2] or [f"a number stands in an unknown sentence: {text!r}"]


def faults_of(lab: Lab, parts: Parts, cell_id: str | None) -> list[str]:
    """Return all that a document shows and the tables do not hold."""
    found = list(parts.faults)
    for table in parts.tables:
        found += table_faults(lab, table, cell_id)
        found += format_faults(table)
    row = None if cell_id is None else lab.row("cells", cell_id=cell_id)
    for sentence in dict.fromkeys(map(plain, parts.sentences)):
        found += sentence_faults(lab, sentence, row)
    for curve in parts.curves:
        found += curve_faults(lab, curve, cell_id)
    found += fit_faults(parts.curves)
    found += spark_faults(lab, parts)
    return found
