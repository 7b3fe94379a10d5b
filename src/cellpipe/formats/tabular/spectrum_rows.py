"""Turn the rows of a plain table with frequency and impedance into the spectra that they hold."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np
import polars as pl

from cellpipe.core.errors import DamagedFileError
from cellpipe.core.model import Finding
from cellpipe.formats.tabular.impedance_headers import (
    IMPEDANCES,
    ImpedanceHeader,
    Role,
    name_role,
    parse_impedance_header,
)
from cellpipe.formats.tabular.line_account import LineAccount
from cellpipe.formats.tabular.spectra import POINT, number_spectra
from cellpipe.formats.tabular.spectrum_columns import (
    CARTESIAN,
    Block,
    Columns,
    Row,
    split_groups,
    take_units,
    to_number,
)

_OPTIONAL: dict[Role, str] = {
    "time": "test_time_second", "voltage": "voltage_volt",
    "temperature": "ambient_temperature_celsius",
}  # fmt: skip
_NO_VALUE = frozenset({"", "-", "--", "nan", "n/a", "na", "null", "none", "inf", "-inf", "#n/a"})
_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}(?:,\d{3})+")
_MOST_RADIANS = 3.2  # beyond, a phase is in degrees; a passive cell's is below 1.6 rad
_APART = 0.02  # of |Z|


def read_spectra(
    blocks: Sequence[Block], account: LineAccount, area_cm2: float | None = None
) -> tuple[pl.DataFrame, list[Finding]]:
    """Return the spectra of a table's blocks, and what is to be said of them.

    Parameters
    ----------
    blocks
        The rows, in the order of the file, each block below its column names. A block begins a new
        spectrum; so does a frequency that jumps back within one.
    account
        To which rows that are no records are added.
    area_cm2
        The electrode area, needed for an impedance in Ω cm².

    Raises
    ------
    DamagedFileError
        If a unit is not known or missing where it can't be left out, the impedance is in Ω cm² and
        there is no area, or a quantity stands in two columns.

    """
    frames: list[pl.DataFrame] = []
    findings: dict[str, Finding] = {}
    for block in blocks:
        _note_unread(block, findings)
        for columns in split_groups(block.names):
            columns, rows = take_units(columns, block.rows)  # noqa: PLW2901
            found = _read_group(columns, rows, account, findings, area_cm2)
            if found.height:
                frames.append(found)
    table, last = [], 0
    for frame in frames:
        numbered = number_spectra(frame).with_columns(pl.col("spectrum") + last)
        last = int(numbered["spectrum"][-1])
        table.append(numbered)
    if not table:
        return pl.DataFrame(), list(findings.values())
    joined = pl.concat(table, how="diagonal_relaxed").with_columns(
        record_index=pl.int_range(1, pl.len() + 1, dtype=pl.Int64)
    )
    return joined, list(findings.values())


def _note_unread(block: Block, findings: dict[str, Finding]) -> None:
    """Name the columns of time, voltage and temperature that no unit makes readable."""
    unread = [
        name.strip()
        for name in block.names
        if name_role(name) in _OPTIONAL and parse_impedance_header(name) is None
    ]
    if unread:
        sentence = (
            f"Not read, for the unit is missing or not known: {', '.join(unread)}. Write it into "
            "the column's name, as Temperature (°C), time (s) or voltage (V)."
        )
        findings["column_without_unit"] = Finding("warning", "column_without_unit", sentence)


def _read_group(
    columns: Columns,
    rows: Sequence[Row],
    account: LineAccount,
    findings: dict[str, Finding],
    area_cm2: float | None,
) -> pl.DataFrame:
    comma = _decimal_comma(columns, rows)
    usual = Counter(len(row.fields) for row in rows).most_common(1)
    width = usual[0][0] if usual else 0
    values: dict[int, list[float | None]] = {place: [] for place in columns}
    for row in rows:
        texts = {p: row.fields[p].strip() if p < len(row.fields) else "" for p in columns}
        if not any(texts.values()):
            continue
        numbers = {place: to_number(text, comma=comma) for place, text in texts.items()}
        wrong = [t for p, t in texts.items() if numbers[p] is None and t.lower() not in _NO_VALUE]
        if wrong:
            account.reject(row.number, " ".join(row.fields), "a value that is no number")
        elif len(row.fields) != width:
            reason = f"another number of values than {width}"
            account.reject(row.number, " ".join(row.fields), reason)
        else:
            for place, number in numbers.items():
                values[place].append(number)
    named = {header.role: (header, pl.Series(values[p], dtype=pl.Float64))
             for p, header in columns.items()}  # fmt: skip
    frame = _to_standard(named, findings, area_cm2)
    return _leave_out_direct_current(frame, findings)


def _decimal_comma(columns: Columns, rows: Sequence[Row]) -> bool:
    """Return whether the decimal sign is a comma.

    Raises
    ------
    DamagedFileError
        If commas may as well separate thousands.

    """
    texts = [row.fields[p].strip() for row in rows for p in columns if p < len(row.fields)]
    numbers = [
        text
        for text in texts
        if to_number(text, comma=True) is not None or _THOUSANDS.fullmatch(text)
    ]
    with_comma = [text for text in numbers if "," in text]
    if not with_comma or any("." in text for text in numbers):
        return False
    if all(_THOUSANDS.fullmatch(text) for text in with_comma):
        raise DamagedFileError(
            f"numbers such as {with_comma[0]}, whose comma may separate thousands or decimals",
            expected="numbers that can be read in one way only",
            remedy="export the file again with a decimal point and without separators of thousands",
        )
    return True


def _to_standard(
    named: dict[Role, tuple[ImpedanceHeader, pl.Series]],
    findings: dict[str, Finding],
    area_cm2: float | None,
) -> pl.DataFrame:
    """Return the standard columns, in Hz and Ω, the imaginary part with the sign of Z″."""
    scaled = {
        role: values * header.factor * header.sign + header.offset
        for role, (header, values) in named.items()
    }
    _note_missing_units(named, findings)
    if any(header.is_areal for header, _ in named.values()):
        if area_cm2 is None:
            raise _areal_error(named)
        scaled |= {role: scaled[role] / area_cm2 for role, (header, _) in named.items()
                   if header.is_areal}  # fmt: skip
        sentence = f"The impedance is in Ω cm²; it is divided by the area of {area_cm2:g} cm²."
        findings["areal_impedance"] = Finding("info", "areal_impedance", sentence)
    if scaled.keys() >= CARTESIAN:
        real, imaginary = scaled["real"], scaled["imaginary"]
        if "modulus" in scaled:
            _note_modulus(real, imaginary, scaled["modulus"], findings)
    else:
        radian = np.radians(_to_degrees(named["phase"][0], scaled["phase"]).to_numpy())
        size = scaled["modulus"].to_numpy()
        real = pl.Series(size * np.cos(radian)).fill_nan(None)
        imaginary = pl.Series(size * np.sin(radian)).fill_nan(None)
    columns = dict(zip(POINT, (scaled["frequency"], real, imaginary), strict=True))
    columns |= {target: scaled[role] for role, target in _OPTIONAL.items() if role in scaled}
    if "spectrum" in scaled:
        columns["sweep"] = scaled["spectrum"]
    frame = pl.DataFrame(columns).with_columns(
        record_index=pl.int_range(1, pl.len() + 1, dtype=pl.Int64)
    )
    if "test_time_second" not in frame.columns:
        frame = frame.with_columns(test_time_second=pl.lit(None, pl.Float64))
    return frame


def _to_degrees(header: ImpedanceHeader, phase: pl.Series) -> pl.Series:
    """Return a phase in degrees; one without a unit is only if it goes beyond all radians."""
    largest = phase.abs().max()
    if header.unit is None and not (isinstance(largest, float) and largest > _MOST_RADIANS):
        raise DamagedFileError(
            f"the column {header.header.strip()!r} without a unit",
            expected="deg or rad: both are possible",
            remedy="add the unit to the name of the column, as 'Phase / deg'",
        )
    return phase


def _note_missing_units(
    named: dict[Role, tuple[ImpedanceHeader, pl.Series]], findings: dict[str, Finding]
) -> None:
    roles = ("frequency", *IMPEDANCES)
    bare = [named[r][0].header.strip() for r in roles if r in named and named[r][0].unit is None]
    if bare:
        sentence = (
            f"No unit is given for {', '.join(bare)}: read as Hz and Ω. If it is another one, "
            "write it into the column's name, as Z' (kOhm)."
        )
        findings["impedance_unit_missing"] = Finding("warning", "impedance_unit_missing", sentence)


def _note_modulus(
    real: pl.Series, imaginary: pl.Series, modulus: pl.Series, findings: dict[str, Finding]
) -> None:
    """Add a finding if |Z| is not that of its parts: a unit or a column is another one."""
    apart = (np.hypot(real.to_numpy(), imaginary.to_numpy()) / modulus.to_numpy() - 1).__abs__()
    known = apart[np.isfinite(apart)]
    if known.size and float(np.median(known)) > _APART:
        sentence = (
            f"|Z| differs from its parts by {float(np.median(known)):.2g} of it in the median. Is "
            "one of the columns, or its unit, another one than its name says?"
        )
        findings["impedance_contradicts"] = Finding("warning", "impedance_contradicts", sentence)


def _areal_error(named: dict[Role, tuple[ImpedanceHeader, pl.Series]]) -> DamagedFileError:
    header = next(header for header, _ in named.values() if header.is_areal)
    return DamagedFileError(
        f"the column {header.header.strip()!r} in {header.unit}: the impedance times an area",
        expected="an impedance in Ω, or the area that it was multiplied with",
        remedy="export it in Ω; or write the area into a line above the table, as "
        "Area (cm²): 0.785; or fit the file by itself with cellpipe eis FILE --area CM2",
    )


def _leave_out_direct_current(frame: pl.DataFrame, findings: dict[str, Finding]) -> pl.DataFrame:
    """Leave out records without a perturbation: frequency and impedance are zero in them."""
    is_still = pl.all_horizontal((pl.col(name) == 0).fill_null(value=False) for name in POINT)
    kept = frame.filter(~is_still)
    if kept.height < frame.height:
        number = frame.height - kept.height
        sentence = f"{number:,} records have no frequency and no impedance; no spectrum has them."
        findings["no_frequency"] = Finding("info", "lines_without_frequency", sentence, number)
    return kept
