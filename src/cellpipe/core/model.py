"""The core types: what is handed about besides tables. Frozen, without behaviour."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Literal

import polars as pl

Level = Literal["info", "warning", "error"]
Configuration = Literal["full", "half", "symmetric"]
Role = Literal["cathode", "anode"]


@dataclass(frozen=True)
class Finding:
    """What the data can't settle: it travels to the report, it is not logged and lost.

    ``level`` is ``info`` (a note), ``warning`` (a number may be other than it seems: shown with its
    sentence) or ``error`` (something could not be used). ``code`` is a stable name in snake_case,
    ``sentence`` what a chemist reads, ``rows`` how many records it is about (None where that means
    nothing).
    """

    level: Level
    code: str
    sentence: str
    rows: int | None = None


@dataclass(frozen=True)
class RawFile:
    """A file as it lies on disk; ``sha256`` of the content is its identity.

    ``size`` is in bytes, ``modified`` in seconds since 1970 (UTC).

    Of a file that holds the recordings of several cells, ``part`` names one, and ``sha256`` is
    that of the content and the part's name.
    """

    path: Path
    sha256: str
    size: int
    modified: float
    part: str | None = None


@dataclass(frozen=True)
class Recording:
    """What a format makes of the bytes, before the contract is held against it.

    ``started_at`` is by the instrument's own clock, and so is ``unix_time_second`` in the tables:
    ``clock`` says whether that is UTC, a wall clock of the lab that was read at every record
    (``local``), or one that was read at the start and counts seconds from there (``elapsed``).
    """

    tables: Mapping[str, pl.DataFrame]
    metadata: Mapping[str, object] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()
    started_at: datetime | None = None
    clock: Literal["utc", "local", "elapsed"] = "local"


@dataclass(frozen=True)
class Measurement:
    """One raw file, read and checked.

    ``tables`` maps the contract's name (``"timeseries"``, ``"impedance"``, ``"rejected_rows"``)
    to its frame; ``started_at`` is UTC, or None where the file has no clock.
    """

    raw_file: RawFile
    format: str
    started_at: datetime | None
    tables: Mapping[str, pl.DataFrame]
    metadata: Mapping[str, object]
    findings: tuple[Finding, ...]


@dataclass(frozen=True)
class Cell:
    """One row of the cell sheet. A field that the sheet leaves empty is None, never a default.

    Masses in mg (active material), area in cm², offsets and voltages in V, nominal capacity of
    1C in mAh/g, pressures in MPa, temperature in °C, thickness in µm. ``patterns`` say which files
    are the cell's, as in a shell (``SSB-01_*``). ``reference_offset_volt`` is the potential of the
    reference against Li⁺/Li, added to measured voltages (Li-In: 0.62); ``np_ratio`` the capacity
    of the anode over that of the cathode. ``inferred`` names the fields that were concluded from
    others and from what.
    """

    cell_id: str
    configuration: Configuration | None = None
    patterns: tuple[str, ...] = ()
    working_electrode: str | None = None
    working_electrode_role: Role | None = None
    cathode_active_mass_mg: float | None = None
    anode_active_mass_mg: float | None = None
    area_cm2: float | None = None
    counter_electrode: str | None = None
    reference_offset_volt: float | None = None
    nominal_capacity_mah_per_g: float | None = None
    stack_pressure_mpa: float | None = None
    fabrication_pressure_mpa: float | None = None
    temperature_celsius: float | None = None
    lower_voltage_volt: float | None = None
    upper_voltage_volt: float | None = None
    electrolyte: str | None = None
    cathode: str | None = None
    electrode_composition: str | None = None
    silicon: str | None = None
    electrolyte_thickness_um: float | None = None
    np_ratio: float | None = None
    group: str | None = None
    comment: str | None = None
    inferred: Mapping[str, str] = field(default_factory=dict)
    in_sheet: bool = True


@dataclass(frozen=True)
class Result:
    """What an analysis made of its inputs: a checked table, and what has to be said about it.

    ``analysis`` is the table's name. A table without columns is none: then there are findings only.
    ``trace`` is for the log: where in an analysis that failed it failed.
    """

    analysis: str
    table: pl.DataFrame
    findings: tuple[Finding, ...] = ()
    trace: str = ""


Tables = Mapping[str, pl.DataFrame]


@dataclass(frozen=True)
class Analysis:
    """An analysis of one cell: from its tables to further tables.

    ``needs`` names the tables it reads; it runs once they are there. ``makes`` names the tables it
    gives, in order. Raw tables of a cell (``timeseries``, ``impedance``, ``half_cycle_segments``)
    hold all its files in the order of time and carry ``file_sha256``. A change of ``version``
    makes the store compute its tables anew.
    """

    name: str
    needs: tuple[str, ...]
    makes: tuple[str, ...]
    compute: Callable[[Cell, Tables], tuple[Result, ...]]
    version: int = 1
