"""Read the columns of a block of lines, and note what is no record or no value in it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress

import polars as pl

from cellpipe.formats.damaged_records import LINE, unreadable_places
from cellpipe.formats.tabular.line_account import (
    LineAccount,
    UsableLines,
    is_even,
    last_filled_field,
)
from cellpipe.formats.tabular.text_blocks import Block

_DECIMAL_COMMA = re.compile(
    rb"""(?:^|[;\t"'])[ ]*[+-]?\d+,\d+(?:[eE][+-]?\d+)?[ ]*(?:["';\t\r]|$)""", re.MULTILINE
)


def reject_empty(
    frame: pl.DataFrame, lines: pl.Series, account: LineAccount
) -> tuple[pl.DataFrame, pl.Series]:
    """Reject the lines of a block that have no value in any column."""
    if not all(frame.null_count().row(0)):
        return frame, lines
    empty = frame.select(pl.all_horizontal(pl.all().is_null())).to_series()
    for line in lines.filter(empty):
        account.reject(line, "", "no value")
    return frame.filter(~empty), lines.filter(~empty)


def read_usable(
    block: Block,
    usable: UsableLines,
    names: Sequence[str],
    wanted: Sequence[int],
    numbers: Sequence[int],
) -> tuple[pl.DataFrame, pl.Series] | None:
    """Read the lines of a block that have the usual number of fields, and return their numbers too.

    Without quotation marks polars makes a row of each line. Then all lines have the same number of
    fields if there are as many separators as for that and the last field is nowhere missing.
    """
    content, separator = block.content, usable.separator.decode()
    above = usable.account.line_at(block.offset) + block.skipped
    if usable.separators is not None and b'"' not in content:
        witness = last_filled_field(content, usable.separator)
        columns = sorted({*wanted, witness}) if witness < len(names) else list(wanted)
        frame = _read_block(content, separator, names, columns, numbers)
        if is_even(frame, content, usable, names[witness] if witness in columns else None):
            lines = _line_numbers(content, above, frame.height)
            _note_unreadable(frame, names, numbers, lines, usable.account)
            return frame.select(names[index] for index in wanted), lines
    content, kept = usable.select(content, above)
    if not kept:
        return None
    frame = _read_quoted(content, separator, names, wanted, numbers, len(kept))
    lines = pl.Series(LINE, kept, pl.Int64)
    _note_unreadable(frame, names, numbers, lines, usable.account)
    return frame, lines


def _line_numbers(content: bytes, above: int, height: int) -> pl.Series:
    """Return the numbers of the lines that are not blank; ``above`` counts those above."""
    if content.count(b"\n") + (not content.endswith(b"\n")) == height:
        return pl.int_range(above + 1, above + height + 1, eager=True).alias(LINE)
    lines = content.split(b"\n")
    filled = [number for number, line in enumerate(lines, above + 1) if line.strip(b"\r\x1a")]
    return pl.Series(LINE, filled[:height], pl.Int64)


def _read_quoted(
    content: bytes,
    separator: str,
    names: Sequence[str],
    wanted: Sequence[int],
    numbers: Sequence[int],
    height: int,
) -> pl.DataFrame:
    """Read a block without its quotation marks where polars pairs some across fields or lines."""
    with suppress(pl.exceptions.ComputeError):
        frame = _read_block(content, separator, names, wanted, numbers)
        if frame.height == height:
            return frame
    return _read_block(content.replace(b'"', b""), separator, names, wanted, numbers)


def _note_unreadable(
    frame: pl.DataFrame,
    names: Sequence[str],
    numbers: Sequence[int],
    lines: pl.Series,
    account: LineAccount,
) -> None:
    """Note values of number columns that are no numbers."""
    for name in (names[index] for index in numbers):
        if frame.schema[name] == pl.String:
            texts = frame[name].str.strip_chars()
            note_places(name, texts, texts.cast(pl.Float64, strict=False), lines, account)


def note_places(
    name: str, texts: pl.Series, values: pl.Series, lines: pl.Series, account: LineAccount
) -> None:
    """Note where there is a text and no value."""
    found = unreadable_places(texts, values)
    if found.len():
        first = int(found[0])
        account.note_unreadable(name, str(texts[first]), int(lines[first]), found.len())


def _read_block(
    content: bytes,
    separator: str,
    names: Sequence[str],
    wanted: Sequence[int],
    numbers: Sequence[int],
) -> pl.DataFrame:
    """Read a block with its numbers as numbers, or all as text if one of them can't be parsed."""
    commas = separator != "," and _has_decimal_commas(content[: 1 << 12])
    frame = None
    if numbers:
        with suppress(pl.exceptions.ComputeError):
            frame = _parse_csv(content, separator, names, wanted, numbers, commas)
    if frame is None:
        frame = _parse_csv(content, separator, names, wanted, (), commas)
        commas = commas or (separator != "," and _has_decimal_commas(content))
    if not commas:
        return frame
    return frame.with_columns(pl.col(pl.String).str.replace(",", ".", literal=True))


def _parse_csv(
    content: bytes,
    separator: str,
    names: Sequence[str],
    wanted: Sequence[int],
    numbers: Sequence[int],
    decimal_comma: bool,
) -> pl.DataFrame:
    delimiter, first_line = separator.encode(), content[: content.find(b"\n")]
    width = max(len(names), first_line.count(delimiter) + 1)
    schema: dict[str, type[pl.DataType]] = {f"c{index}": pl.String for index in range(width)}
    head = b"" if first_line.count(delimiter) + 1 == width else _column_line(width, delimiter)

    def parse(head: bytes) -> pl.DataFrame:
        return pl.read_csv(
            head + content if head else content,
            has_header=bool(head),
            separator=separator,
            columns=list(wanted),
            schema=schema | {f"c{index}": pl.Float64 for index in numbers},
            truncate_ragged_lines=True,
            decimal_comma=decimal_comma and bool(numbers),
            quote_char='"' if b'"' in content else None,
        )

    try:
        frame = parse(head)
    except pl.exceptions.SchemaError:  # polars counts the columns by a line that has others
        frame = parse(_column_line(width, delimiter))
    return frame.rename({f"c{index}": names[index] for index in wanted})


def _column_line(width: int, delimiter: bytes) -> bytes:
    return delimiter.join(b"c%d" % index for index in range(width)) + b"\n"


def _has_decimal_commas(content: bytes) -> bool:
    return _DECIMAL_COMMA.search(content) is not None
