"""A made test of a cell, cut into files as instruments and people do, without disk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import polars as pl
import pytest

from cellpipe.analyses import cycles, half_cycles, protocol
from cellpipe.analyses.half_cycle_segments import half_cycle_segments
from cellpipe.core import contracts
from cellpipe.core.model import Cell
from cellpipe.formats.tabular.records import count_steps
from cellpipe.pipeline import cell_inputs
from cellpipe.pipeline import overlaps as overlaps_module
from cellpipe.pipeline.cell_history import InputFile, order_files
from cellpipe.pipeline.cell_inputs import CellInputs, read_input_tables
from cellpipe.pipeline.ingest import _extent
from cellpipe.pipeline.overlaps import Overlaps
from cellpipe.store import Content
from cellpipe.store.snapshot import LedgerSnapshot
from made_files import sha256_of

BEGIN = 1_700_000_000.0
_UP, _DOWN = "vendor_charging_capacity_ah", "vendor_discharging_capacity_ah"


def made_test(
    cycles: int = 3, *, interval: float = 30.0, noise_volt: float = 2e-4, fade: float = 0.02
) -> pl.DataFrame:
    """Return the records of a test at 1C: charge, hold at 4.2 V, rest, discharge, rest."""
    parts: list[dict[str, Any]] = []
    second = 0.0
    random = np.random.default_rng(7)
    step = 0
    for number in range(cycles):
        size = (1 - fade) ** number
        for kind, ampere, lasts, low, high in (
            ("CC Chg", 2e-3, 3000 * size, 3.0, 4.2),
            ("CV Chg", 1e-3, 900.0, 4.2, 4.2),
            ("Rest", 0.0, 600.0, 4.18, 4.15),
            ("CC DChg", -2e-3, 3300 * size, 4.1, 2.8),
            ("Rest", 0.0, 600.0, 2.9, 3.0),
        ):
            step += 1
            time = np.append(np.arange(interval, lasts, interval), lasts)
            share = time / lasts
            current = np.full(time.size, ampere)
            if kind == "CV Chg":
                current = 2e-3 * np.exp(-2 * share)
            volt = low + (high - low) * share + random.normal(0, noise_volt, time.size)
            parts.append({
                "test_time_second": second + time, "step_time_second": time,
                "voltage_volt": np.round(volt, 4), "current_ampere": np.round(current, 7),
                "cycle_count": np.full(time.size, number + 1),
                "step_id": np.full(time.size, (step - 1) % 5 + 1),
                "step_type": [kind] * time.size,
            })  # fmt: skip
            second += lasts
    frame = pl.concat([pl.DataFrame(part) for part in parts])
    time, current = (frame[n].to_numpy() for n in ("test_time_second", "current_ampere"))
    charge = np.append(0.0, np.diff(time)) * current / 3600
    return frame.with_columns(
        pl.Series(_UP, np.cumsum(np.maximum(charge, 0))),
        pl.Series(_DOWN, np.cumsum(np.maximum(-charge, 0))),
        unix_time_second=pl.col("test_time_second") + BEGIN,
        record_index=pl.int_range(1, pl.len() + 1, dtype=pl.Int64),
    )


@dataclass(frozen=True)
class Habit:
    """What an instrument writes into its files; ``clock`` is exact, whole seconds, or none."""

    clock: str = "whole"
    restarts: bool = False
    renumbers: bool = False
    has_step_time: bool = True
    has_counters: bool = True


def as_file(
    records: pl.DataFrame, habit: Habit, *, ahead_second: float = 0.0, decimals: int = 4
) -> pl.DataFrame:
    """Return records as a file holds them, and as a reader returns it."""
    clock = pl.col("unix_time_second") + ahead_second
    frame = records.with_columns(
        unix_time_second=clock.round(0) if habit.clock == "whole" else clock,
        voltage_volt=pl.col("voltage_volt").round(decimals),
    )
    if habit.restarts:
        frame = frame.with_columns(pl.col("test_time_second") - pl.col("test_time_second").first())
    if habit.renumbers:
        frame = frame.with_columns(record_index=pl.int_range(1, pl.len() + 1, dtype=pl.Int64))
    gone = [] if habit.has_step_time else ["step_time_second"]
    gone += [] if habit.has_counters else [_UP, _DOWN]
    gone += ["unix_time_second"] if habit.clock == "none" else []
    return frame.drop(gone).with_columns(count_steps(frame))


class MadeCell:
    """A cell's files by name, brought together as a run does it, without disk."""

    def __init__(self, files: Mapping[str, pl.DataFrame]) -> None:
        self.tables: dict[tuple[str, str], pl.DataFrame] = {}
        self.unused: dict[str, tuple[str, str]] = {}
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(overlaps_module, "read_table", self._read)
            patch.setattr(cell_inputs, "read_table", self._read)
            lab = cast(Any, SimpleNamespace(results=Path("results")))
            found = [self._input(name, frame) for name, frame in files.items()]
            self.overlaps = Overlaps(LedgerSnapshot(), lab)
            self.files, self.findings = order_files(found, self.unused, self.overlaps)
            self.cell = Cell("A", configuration="full")
            self.inputs = CellInputs(self.cell, self.files, self.findings)
            self.joined = read_input_tables(lab, self.inputs)

    def _read(
        self, _folder: Path, table: str, key: str, columns: Sequence[str] | None = None
    ) -> pl.DataFrame | None:
        frame = self.tables.get((table, key))
        if frame is None or columns is None:
            return frame
        return frame.select(name for name in frame.columns if name in columns)

    def _input(self, name: str, frame: pl.DataFrame) -> InputFile:
        digest = str(frame.hash_rows().hash().sum()) + str(frame.height)
        sha256 = sha256_of(digest)
        segments = half_cycle_segments(frame, sha256)
        self.tables["timeseries", sha256] = frame
        self.tables["half_cycle_segments", sha256] = segments
        content = Content(
            sha256, "made", "used", "made_csv", records=frame.height, spectra=0,
            tables=("timeseries", "half_cycle_segments"), extent=_extent(frame),
        )  # fmt: skip
        return InputFile(name, 1, content)

    @property
    def used(self) -> list[str]:
        """The names of the files that are used."""
        return [file.path for file in self.files]

    def said(self) -> list[str]:
        """Return the codes of warnings on the cell's files and half cycles."""
        (result,) = half_cycles.ANALYSIS.compute(self.cell, self.joined)
        found = (*self.findings, *result.findings)
        return [finding.code for finding in found if finding.level == "warning"]

    def half_cycles(self) -> pl.DataFrame:
        """Return the cell's half cycles."""
        (result,) = half_cycles.ANALYSIS.compute(self.cell, self.joined)
        return result.table

    def cycles(self) -> pl.DataFrame:
        """Return the cell's cycles."""
        tables = {**self.joined, "half_cycles": self.half_cycles()}
        tables.setdefault("impedance", contracts.empty_table("impedance"))
        for analysis in (protocol.ANALYSIS, cycles.ANALYSIS):
            (result,) = analysis.compute(self.cell, tables)
            tables[result.analysis] = result.table
        return result.table

    def codes(self, level: str = "warning") -> list[str]:
        """Return the codes of what is said at a level."""
        return [finding.code for finding in self.findings if finding.level == level]
