"""Convert EC-Lab's columns, common to BioLogic's .mpr and .mpt, to standard tables.

EC-Lab writes potentials in V, currents in mA (positive current oxidises the working electrode,
which charges the cell if that is its positive electrode; cellpipe keeps the instrument's sign),
charges in mA·h, energies in W·h and impedances as Re and −Im in Ω. ``time/s`` counts from
"Acquisition started on", which linked techniques share; that start is a local time.

Columns that EC-Lab displays but a file does not store are derived, and named in the metadata under
``derived_columns``: ``cycle number`` is half cycle // 2, ``Q charge`` and ``Q discharge`` are the
parts of the half cycle's charge by their sign, ``(Q-Qo)`` is the sum of dq, and ``<I>`` is
3600·dq/dt where no current is stored. At open circuit the current is zero. ``mode`` tells what the
instrument controls: current (1), potential (2) or nothing (3).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

import numpy as np
import polars as pl

from cellpipe.core.errors import DamagedFileError
from cellpipe.core.model import Finding, Recording
from cellpipe.formats.tabular.impedance_headers import (
    ImpedanceHeader,
    Role,
    parse_impedance_header,
)
from cellpipe.numerics.impedance.spectra import spectrum_numbers

_CURRENTS = {"<I>/mA": 1e-3, "I/mA": 1e-3, "<I>/A": 1.0, "I/A": 1.0}
_POTENTIALS = ("Ewe/V", "<Ewe>/V", "<Ewe/V>", "Ecell/V", "<Ecell>/V", "Ewe-Ece/V")
_COUNTER_POTENTIALS = ("Ece/V", "<Ece>/V", "<Ece/V>")
_CHARGE_STEPS = {"dq/mA.h": 1e-3, "dQ/mA.h": 1e-3, "dQ/C": 1 / 3600}
_SCALED = (  # EC-Lab's name, standard name, factor
    ("(Q-Qo)/mA.h", "net_capacity_ah", 1e-3),
    ("(Q-Qo)/C", "net_capacity_ah", 1 / 3600),
    ("Q charge/mA.h", "vendor_charging_capacity_ah", 1e-3),
    ("Q discharge/mA.h", "vendor_discharging_capacity_ah", 1e-3),
    ("Energy charge/W.h", "vendor_charging_energy_wh", 1.0),
    ("Energy discharge/W.h", "vendor_discharging_energy_wh", 1.0),
    ("Energy we charge/W.h", "vendor_charging_energy_wh", 1.0),
    ("Energy we discharge/W.h", "vendor_discharging_energy_wh", 1.0),
    ("Temperature/°C", "temperature_t1_celsius", 1.0),
    ("step time/s", "step_time_second", 1.0),
    ("R/Ohm", "internal_resistance_ohm", 1.0),
)

_OTHERS = (
    "time/s", "freq/Hz", "Re(Z)/Ohm", "-Im(Z)/Ohm", "|Z|/Ohm", "Phase(Z)/deg", "cycle number",
    "half cycle", "Ns", "Q charge/discharge/mA.h", "mode",
)  # fmt: skip
_USUAL: dict[Role, str] = {
    "frequency": "freq/Hz", "real": "Re(Z)/Ohm", "imaginary": "-Im(Z)/Ohm", "modulus": "|Z|/Ohm",
    "phase": "Phase(Z)/deg",
}  # fmt: skip
_IMPEDANCE = re.compile(r"(?:freq|Re\(Z\)|-?Im\(Z\)|\|Z\||-?Phase\(Z\))\s*/")
_OPEN_CIRCUIT = {"OCV", "Open Circuit Voltage", "WAIT", "Wait"}
_RAMPS = {"CV", "CVA", "LSV", "Cyclic Voltammetry", "Cyclic Voltammetry Advanced",
          "Linear Sweep Voltammetry"}  # fmt: skip
_CURRENT_CONTROLLED = {"CP", "Chronopotentiometry"}
_GALVANOSTATIC, _POTENTIOSTATIC, _RELAXING = 1, 2, 3  # EC-Lab's mode
_SOURCE_COLUMNS = frozenset(
    {*_CURRENTS, *_POTENTIALS, *_COUNTER_POTENTIALS, *_CHARGE_STEPS, *_OTHERS}
    | {name for name, _, _ in _SCALED}
)
_DERIVED_SOURCES = (  # standard column, EC-Lab's columns that hold it, columns it is derived from
    ("current_ampere", tuple(_CURRENTS), tuple(_CHARGE_STEPS)),
    ("cycle_count", ("cycle number",), ("half cycle",)),
    ("net_capacity_ah", ("(Q-Qo)/mA.h", "(Q-Qo)/C"), tuple(_CHARGE_STEPS)),
    ("vendor_charging_capacity_ah", ("Q charge/mA.h",), ("Q charge/discharge/mA.h",)),
    ("vendor_discharging_capacity_ah", ("Q discharge/mA.h",), ("Q charge/discharge/mA.h",)),
)


def source_columns(names: Iterable[str]) -> list[str]:
    """Return the names of EC-Lab's columns that standard columns are made from."""
    return [name for name in names if name in _SOURCE_COLUMNS or _in_other_unit(name)]


def _in_other_unit(name: str) -> ImpedanceHeader | None:
    """Return what a column of the impedance says whose unit or sign is not EC-Lab's usual one.

    Raises
    ------
    DamagedFileError
        If its unit is not known.

    """
    if not _IMPEDANCE.match(name) or name in _SOURCE_COLUMNS:
        return None
    return parse_impedance_header(name)


def _to_usual_units(columns: pl.DataFrame) -> pl.DataFrame:
    """Return the columns of the impedance in Hz, Ω and degrees under their usual names."""
    for name in columns.columns:
        header = _in_other_unit(name)
        usual = _USUAL[header.role] if header else ""
        if header is None or usual in columns.columns:
            continue
        if header.is_areal:
            raise DamagedFileError(
                f"the column {name!r}: the impedance times an area", expected="Re(Z)/Ohm",
                remedy="export it again in Ohm",
            )  # fmt: skip
        sign = -1 if header.role == "imaginary" else 1  # the usual name has −Im(Z)
        values = pl.col(name).cast(pl.Float64) * (header.factor * header.sign * sign)
        columns = columns.with_columns(values.alias(usual))
    return columns


def to_recording(
    columns: pl.DataFrame,
    metadata: Mapping[str, object],
    acquisition_started: datetime | None,
    findings: Sequence[Finding] = (),
) -> Recording:
    """Convert EC-Lab's columns to standard tables.

    Parameters
    ----------
    columns
        One column per EC-Lab column, under EC-Lab's name (``Ewe/V``), numbers as numbers.
    metadata
        The file's metadata; ``technique`` distinguishes open circuit from a missing current.
    acquisition_started
        Local time of ``time/s`` = 0, None if the file does not state it.
    findings
        Findings made while the file was read.

    Raises
    ------
    DamagedFileError
        If there is neither a time with a potential nor an impedance.

    """
    all_findings = list(findings)
    columns = _to_usual_units(columns)
    columns = _add_rectangular_impedance(columns)
    is_numbered = "record_index" in columns.columns  # if some of the file's records are left out
    indexed = columns if is_numbered else columns.with_row_index("record_index", offset=1)
    tables: dict[str, pl.DataFrame] = {}
    if "freq/Hz" in columns.columns and {"Re(Z)/Ohm", "-Im(Z)/Ohm"} <= set(columns.columns):
        tables["impedance"] = _build_impedance(indexed, acquisition_started)
        all_findings += _sweep_findings(tables["impedance"])
    if "time/s" in columns.columns and _first_column(columns, _POTENTIALS):
        tables["timeseries"] = _build_timeseries(
            indexed, metadata, acquisition_started, all_findings
        )
    if not tables:
        raise DamagedFileError(
            f"the columns {', '.join(columns.columns[:12])}",
            expected="time/s with a potential, or freq/Hz with Re(Z)/Ohm and -Im(Z)/Ohm",
            remedy="export the file again with these columns",
        )
    spectra = tables.get("impedance")
    if spectra is not None and not spectra.height and "timeseries" in tables:
        del tables["impedance"]
    started = _start_time(columns, acquisition_started)
    derived = ", ".join(_derived_columns(columns.columns)) if "timeseries" in tables else ""
    metadata = {**metadata, "derived_columns": derived} if derived else metadata
    return Recording(
        tables, metadata, tuple(all_findings), started, "elapsed", _control_range(metadata)
    )


def _derived_columns(names: Sequence[str]) -> list[str]:
    """Return the standard columns that are derived because the file does not hold them."""
    return [
        target
        for target, stored, sources in _DERIVED_SOURCES
        if not {*stored} & {*names} and {*sources} & {*names}
    ]


def _add_rectangular_impedance(columns: pl.DataFrame) -> pl.DataFrame:
    """Compute Re(Z) and −Im(Z) where the file stores only |Z| and the phase (Modulo Bat)."""
    polar = {"freq/Hz", "|Z|/Ohm", "Phase(Z)/deg"} <= set(columns.columns)
    if not polar or "Re(Z)/Ohm" in columns.columns:
        return columns
    size, phase = pl.col("|Z|/Ohm").cast(pl.Float64), pl.col("Phase(Z)/deg").radians()
    return columns.with_columns(
        (size * phase.cos()).alias("Re(Z)/Ohm"), (-size * phase.sin()).alias("-Im(Z)/Ohm")
    )


def _first_column(columns: pl.DataFrame, names: Sequence[str]) -> str | None:
    return next((name for name in names if name in columns.columns), None)


def _start_time(columns: pl.DataFrame, acquisition_started: datetime | None) -> datetime | None:
    if acquisition_started is None or "time/s" not in columns.columns or not columns.height:
        return acquisition_started
    first = columns["time/s"][0]
    return acquisition_started + timedelta(seconds=float(first or 0.0))


def _control_range(metadata: Mapping[str, object]) -> dict[str, tuple[float, float]]:
    """Return the range of the potential that EC-Lab's settings give, V; nothing without."""
    text = str(metadata.get("control_range", ""))
    found = re.search(r"min = (-?[\d.,]+) V, max = (-?[\d.,]+) V", text)
    if found is None:
        return {}
    low, high = (float(number.replace(",", ".")) for number in found.groups())
    return {"voltage_volt": (low, high)}


def _build_timeseries(
    columns: pl.DataFrame,
    metadata: Mapping[str, object],
    acquisition_started: datetime | None,
    findings: list[Finding],
) -> pl.DataFrame:
    potential = str(_first_column(columns, _POTENTIALS))
    expressions = [
        pl.col("record_index").cast(pl.Int64),
        pl.col("time/s").alias("test_time_second"),
        pl.col(potential).cast(pl.Float64).alias("voltage_volt"),
        _build_current(columns, metadata, findings),
        _step_mode(columns, metadata.get("technique")),
    ]
    if acquisition_started is not None:
        expressions.append(_unix_time(acquisition_started))
    expressions += _counters(columns)
    used_targets: set[str] = set()
    for name, target, factor in _SCALED:
        if name in columns.columns and target not in used_targets:
            used_targets.add(target)
            expressions.append((pl.col(name).cast(pl.Float64) * factor).alias(target))
    counter = _first_column(columns, _COUNTER_POTENTIALS)
    if counter and potential != "Ewe-Ece/V":
        expressions.append(
            pl.col(counter).cast(pl.Float64).alias("counter_electrode_potential_volt")
        )
    if "freq/Hz" in columns.columns:
        frequency = pl.when(pl.col("freq/Hz") > 0).then(pl.col("freq/Hz").cast(pl.Float64))
        expressions.append(frequency.alias("frequency_hertz"))
    return _add_charge_counters(columns, columns.select(expressions))


def _build_current(
    columns: pl.DataFrame, metadata: Mapping[str, object], findings: list[Finding]
) -> pl.Expr:
    name = _first_column(columns, list(_CURRENTS))
    if name:
        return (pl.col(name).cast(pl.Float64) * _CURRENTS[name]).alias("current_ampere")
    step = _first_column(columns, list(_CHARGE_STEPS))
    if step:
        findings.append(Finding("info", "current_derived", "The current was rebuilt from dq/dt."))
        hours = pl.col("time/s").diff().fill_null(pl.col("time/s").first()) / 3600
        ampere = pl.col(step) * _CHARGE_STEPS[step] / hours
        known = pl.when(hours > 0).then(ampere).otherwise(0.0)
        return pl.when(~_is_behind_gap()).then(known).alias("current_ampere")
    if metadata.get("technique") in _OPEN_CIRCUIT:
        return pl.lit(0.0).alias("current_ampere")
    sentence = "The file stores no current; it is taken as zero and no capacity is computed."
    findings.append(Finding("warning", "no_current", sentence, columns.height))
    return pl.lit(0.0).alias("current_ampere")


def _step_mode(columns: pl.DataFrame, technique: object) -> pl.Expr:
    """Return the mode of each record by EC-Lab's mode, or by the technique where it has none.

    A potential that a technique can't control is not taken from the bits: they are known to be
    wrong in files of chronopotentiometry.
    """
    if "mode" not in columns.columns:
        known = "rest" if technique in _OPEN_CIRCUIT else None
        return pl.lit(known, pl.String).alias("step_mode")
    modes = {_GALVANOSTATIC: "CC", _RELAXING: "rest"}
    if technique not in _CURRENT_CONTROLLED:
        modes[_POTENTIOSTATIC] = "ramp" if technique in _RAMPS else "CV"
    mode = pl.col("mode").cast(pl.Int64, strict=False)
    return mode.replace_strict(modes, default=None, return_dtype=pl.String).alias("step_mode")


def _unix_time(acquisition_started: datetime) -> pl.Expr:
    epoch = (acquisition_started - datetime(1970, 1, 1)).total_seconds()  # noqa: DTZ001 - local clock
    return (pl.col("time/s") + epoch).alias("unix_time_second")


def _counters(columns: pl.DataFrame) -> list[pl.Expr]:
    counters = []
    if "cycle number" in columns.columns:
        number = pl.col("cycle number").cast(pl.Int64, strict=False)  # damaged ones become null
        counters.append(number.alias("cycle_count"))
    elif "half cycle" in columns.columns:
        counters.append((pl.col("half cycle").cast(pl.Int64) // 2).alias("cycle_count"))
    if "Ns" in columns.columns:
        line = pl.col("Ns").cast(pl.Int64)
        counters.append(line.alias("step_id"))
        changed = (line != line.shift(1)).fill_null(value=False)
        if "half cycle" in columns.columns:
            changed |= (pl.col("half cycle").diff() != 0).fill_null(value=False)
        counters.append((changed.cast(pl.Int64).cum_sum() + 1).alias("step_count"))
    return counters


def _add_charge_counters(columns: pl.DataFrame, table: pl.DataFrame) -> pl.DataFrame:
    """Add the counters (Ah) that follow from the charge of the half cycle and of each record."""
    if "Q charge/discharge/mA.h" in columns.columns:
        signed = columns["Q charge/discharge/mA.h"].cast(pl.Float64) * 1e-3
        table = table.with_columns(
            signed.clip(lower_bound=0).alias("vendor_charging_capacity_ah"),
            (-signed).clip(lower_bound=0).alias("vendor_discharging_capacity_ah"),
        )
    step = _first_column(columns, list(_CHARGE_STEPS))
    if step and "net_capacity_ah" not in table.columns:
        charge = columns[step].cast(pl.Float64).fill_null(0) * _CHARGE_STEPS[step]
        total = pl.Series("net_capacity_ah", charge.cum_sum())
        is_behind = columns.select(_is_behind_gap().cum_max()).to_series()
        table = table.with_columns(total.set(is_behind, None) if is_behind.any() else total)
    return table


def _is_behind_gap() -> pl.Expr:
    """Return whether a record is behind lost ones: what is derived from both is not known."""
    index = pl.col("record_index").cast(pl.Int64)
    return (index - index.shift(1, fill_value=0)) != 1


def _sweep_findings(impedance: pl.DataFrame) -> list[Finding]:
    """Report records without a frequency in the midst of a sweep, where none can be."""
    frequency, index = impedance["frequency_hertz"].to_numpy(), impedance["record_index"].to_numpy()
    gaps = np.diff(index) - 1
    steps = (frequency[1:] > frequency[:-1]).astype(np.int8) - (frequency[1:] < frequency[:-1])
    middle = np.flatnonzero(gaps > 0)
    middle = middle[(middle > 0) & (middle < steps.size - 1)]
    same = (steps[middle] == steps[middle - 1]) & (steps[middle] == steps[middle + 1])
    number = int(gaps[middle[same & (steps[middle] != 0)]].sum())
    if not number:
        return []
    sentence = (
        f"{number} records in the midst of a frequency sweep have no frequency: they are damaged "
        f"or missing (the first behind record {index[middle[same][0]]})."
    )
    return [Finding("warning", "records_lost", sentence, number)]


def _build_impedance(columns: pl.DataFrame, acquisition_started: datetime | None) -> pl.DataFrame:
    perturbed = columns.filter(pl.col("freq/Hz") > 0)
    expressions = [
        pl.col("record_index").cast(pl.Int64),
        pl.col("freq/Hz").cast(pl.Float64).alias("frequency_hertz"),
        pl.col("Re(Z)/Ohm").cast(pl.Float64).alias("real_impedance_ohm"),
        (-pl.col("-Im(Z)/Ohm").cast(pl.Float64)).alias("imaginary_impedance_ohm"),
    ]
    if "time/s" in columns.columns:
        expressions.append(pl.col("time/s").alias("test_time_second"))
        if acquisition_started is not None:
            expressions.append(_unix_time(acquisition_started))
    else:
        expressions.append(pl.lit(None, pl.Float64).alias("test_time_second"))
    potential = _first_column(columns, _POTENTIALS[1:] + _POTENTIALS[:1])
    if potential:
        expressions.append(pl.col(potential).cast(pl.Float64).alias("voltage_volt"))
    current = _first_column(columns, list(_CURRENTS))
    if current:
        ampere = pl.col(current).cast(pl.Float64) * _CURRENTS[current]
        expressions.append(ampere.alias("current_ampere"))
    if "cycle number" in columns.columns:
        number = pl.col("cycle number").cast(pl.Int64, strict=False)
        expressions.append(number.alias("cycle_count"))
    numbers = spectrum_numbers(
        perturbed["freq/Hz"].to_numpy().astype(np.float64), perturbed["record_index"].to_numpy()
    )
    return perturbed.select(expressions).with_columns(spectrum=pl.Series(numbers, dtype=pl.Int64))
