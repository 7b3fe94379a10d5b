"""The data model: frozen dataclasses without behaviour, passed around besides tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Literal

import polars as pl

Level = Literal["info", "warning", "error", "alarm"]
Configuration = Literal["full", "half", "symmetric"]
Role = Literal["cathode", "anode"]


@dataclass(frozen=True)
class Finding:
    """Something that the data can't settle; it is shown in the report, not only logged.

    ``level`` is ``info`` (a note), ``warning`` (a number may not be what it seems: it is shown with
    the sentence), ``error`` (something could not be used) or ``alarm`` (a cell has crossed a
    limit). ``code`` is a stable name in snake_case, ``sentence`` the text for a chemist, ``rows``
    the number of records concerned (None where that has no meaning). ``remedy`` says what to do,
    and ``cell_id`` which cell it is about where that is not known from where it stands.
    """

    level: Level
    code: str
    sentence: str
    rows: int | None = None
    remedy: str = ""
    cell_id: str | None = None


CONTRADICTION = "contradiction_"  # how the codes begin of what contradicts physics, not confirmed


@dataclass(frozen=True)
class Rejection(Finding):
    """A finding about records or lines of a file that can't be used, with what they hold.

    ``rejected`` are the rows that it adds to the table ``rejected_rows``.
    """

    rejected: pl.DataFrame = field(default_factory=pl.DataFrame, compare=False, repr=False)


@dataclass(frozen=True)
class RawFile:
    """A file on disk; its identity is the ``sha256`` of its content.

    ``size`` is in bytes, ``modified`` in seconds since 1970 (UTC).

    If a file holds the recordings of several cells, ``part`` names one of them, and ``sha256`` is
    that of the content and the part's name.
    """

    path: Path
    sha256: str
    size: int
    modified: float
    part: str | None = None


@dataclass(frozen=True)
class Recording:
    """What a format reads from a file, before its tables are validated.

    ``started_at`` and ``unix_time_second`` in the tables are in the time of the instrument's clock;
    ``clock`` says what that is: UTC, a local clock of the lab that was read at every record
    (``local``), or one that was read at the start and counts seconds from there (``elapsed``).
    ``ranges`` are those columns' ranges that the file says the instrument was set to measure in.
    """

    tables: Mapping[str, pl.DataFrame]
    metadata: Mapping[str, object] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()
    started_at: datetime | None = None
    clock: Literal["utc", "local", "elapsed"] = "local"
    ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)


@dataclass(frozen=True)
class Measurement:
    """One raw file, read and validated.

    ``tables`` maps schema names (``"timeseries"``, ``"impedance"``, ``"rejected_rows"``) to frames;
    ``started_at`` is UTC, or None where the file has no clock.
    """

    raw_file: RawFile
    format: str
    started_at: datetime | None
    tables: Mapping[str, pl.DataFrame]
    metadata: Mapping[str, object]
    findings: tuple[Finding, ...]


@dataclass(frozen=True)
class Material:
    """A material of an electrode or electrolyte, and what physics allows it.

    ``capacity`` is the theoretical one, mAh/g of ``formula``, counted to ``phase``; a first
    lithiation can reach ``most_capacity`` (``most_phase``). Where the composition is open
    (``is_upper``), both are upper bounds. ``window`` are usual potentials and ``potential`` that of
    a reference, V against Li+/Li; density in g/cm³, molar mass in g/mol. ``source`` is that of the
    capacity.
    """

    name: str
    roles: tuple[str, ...]
    family: str
    capacity: float | None = None
    phase: str = ""
    most_capacity: float | None = None
    most_phase: str = ""
    is_upper: bool = False
    window: tuple[float, float] | None = None
    potential: float | None = None
    density: float | None = None
    molar_mass: float | None = None
    source: str = ""


@dataclass(frozen=True)
class Cell:
    """One row of the cell sheet; a field that the sheet leaves empty is None, never a default.

    Masses in mg (active material), area in cm², offsets and voltages in V, nominal capacity of
    1C in mAh/g, pressures in MPa, temperature in °C, thickness in µm. ``patterns`` are shell
    patterns of the cell's files (``SSB-01_*``). ``reference_offset_volt`` is the potential of the
    reference against Li⁺/Li, added to measured voltages (Li-In: 0.62); ``np_ratio`` is the capacity
    of the anode over that of the cathode. ``inferred`` maps each field that was inferred from
    others to what it was inferred from. ``materials`` are those that the sheet's names stand for,
    by what they are in the cell: working, counter, cathode, anode, electrolyte. ``confirmed`` is
    what somebody has confirmed of what contradicts physics, in words.
    ``own_columns`` are the lab's own columns of the sheet by their header, as written; ``refused``
    are values that are not used, as written, by the column's header. ``ended`` is what the sheet
    says of a test that is over.
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
    confirmed: str | None = None
    ended: str | None = None
    materials: Mapping[str, Material] = field(default_factory=dict)
    inferred: Mapping[str, str] = field(default_factory=dict)
    own_columns: Mapping[str, str] = field(default_factory=dict)
    refused: Mapping[str, str] = field(default_factory=dict)
    in_sheet: bool = True


@dataclass(frozen=True)
class Result:
    """The result of an analysis: a validated table, and the findings about it.

    ``analysis`` is the table's name. A table without columns is none: then there are findings only.
    ``trace`` is for the log: where an analysis failed.
    """

    analysis: str
    table: pl.DataFrame
    findings: tuple[Finding, ...] = ()
    trace: str = ""


Tables = Mapping[str, pl.DataFrame]


@dataclass(frozen=True)
class Analysis:
    """An analysis of one cell, which computes further tables from the cell's tables.

    ``needs`` names the tables it reads; it runs if they are present. ``makes`` names the tables it
    returns, in order. Raw tables of a cell (``timeseries``, ``impedance``, ``half_cycle_segments``)
    hold all its files in order of time and carry ``file_sha256``.

    These attributes decide when the tables are computed again: after a change of ``version``, of a
    table that it needs (or, where ``columns`` names those it uses of a table, of these), and of the
    fields of the cell that ``fields`` names (None: all of them). ``compute`` receives nothing else:
    any other field or column raises an error.
    """

    name: str
    needs: tuple[str, ...]
    makes: tuple[str, ...]
    compute: Callable[[Cell, Tables], tuple[Result, ...]]
    version: int = 1
    fields: tuple[str, ...] | None = None
    columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class AnalysisFacts:
    """Facts about the analyses behind the tables of a report.

    ``versions`` are those of the analyses, by name. ``lost`` are the tables that lack what an
    analysis that failed would have made, each with that analysis' name. ``further`` names the
    tables that no block of the report draws: those of packages.
    """

    versions: Mapping[str, int] = field(default_factory=dict)
    lost: Mapping[str, str] = field(default_factory=dict)
    further: tuple[str, ...] = ()
