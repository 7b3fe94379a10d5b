"""Which records two files of a cell share: compared once, then known to the ledger."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import chain

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cellpipe.core.recordings.energies import CHARGES
from cellpipe.numerics.cycling.record_alignment import (
    CLOCK_SECOND,
    NUMBER,
    ZONE_SECOND,
    Records,
)
from cellpipe.numerics.cycling.shared_records import Shared, find_common
from cellpipe.store import Content, read_table
from cellpipe.store.lab import Lab
from cellpipe.store.overlaps import Overlap
from cellpipe.store.snapshot import LedgerSnapshot

_RULE = 1  # to be raised when the comparison changes: all is compared again
_COUNTERS = (*CHARGES, "net_capacity_ah")
_COUNTS = (NUMBER, "cycle_count")
_COLUMNS = (
    "test_time_second", "unix_time_second", "voltage_volt", "current_ampere", *_COUNTERS, *_COUNTS
)  # fmt: skip
_POINT = ("frequency_hertz", "real_impedance_ohm", "imaginary_impedance_ohm")
_EQUAL_POINTS = 1e-3  # of the largest impedance: exports round
_KEPT = 2  # time series in memory

Indices = NDArray[np.int64]


class Overlaps:
    """What is known of pairs of contents, and how to find it out.

    Without a lab nothing is read: pairs that were not compared yet are taken to share nothing.
    """

    def __init__(self, state: LedgerSnapshot, lab: Lab | None = None) -> None:
        self._state, self._lab = state, lab
        self._known = dict(state.overlaps)
        self._new: list[Overlap] = []
        self._read: dict[str, pl.DataFrame] = {}

    def look_up(self, content: Content, other: Content) -> Overlap | None:
        """Return what a content shares with another one, None if both were not compared yet."""
        overlap = self._known.get((content.sha256, other.sha256))
        return overlap if overlap and overlap.reading == _reading(content, other) else None

    def find(self, content: Content, other: Content) -> Overlap | None:
        """Return what a content shares with another one; None if nothing, or if it can't be told.

        Raises
        ------
        DamagedTableError
            If a table can't be read.

        """
        if not _may_share(content, other):
            return None
        overlap = self.look_up(content, other)
        if overlap is None and self._lab is not None:
            overlap = self._compare(self._lab, content, other)
        return overlap

    def save(self) -> LedgerSnapshot:
        """Record in the ledger what was found out; return the state after it."""
        if self._lab is not None:
            self._lab.ledger.record_overlaps(self._new)
        self._new, self._read = [], {}
        return replace(self._state, overlaps=self._known)

    def _compare(self, lab: Lab, content: Content, other: Content) -> Overlap | None:
        """Compare two contents by their tables; None if one of them is not there."""
        for name in ("timeseries", "impedance"):
            for each in (content, other):
                if name in each.tables and self._table(lab, name, each) is None:
                    return None
        shared, frame = None, None
        if content.extent and other.extent:
            frame = self._table(lab, "timeseries", content)
            shared = find_common(*(self._records(lab, each) for each in (other, content)))
        spectra, count = self._shared_spectra(lab, content, other)
        overlap = _overlap(content, other, shared, frame, spectra, count)
        self._known[content.sha256, other.sha256] = overlap
        self._new.append(overlap)
        return overlap

    def _records(self, lab: Lab, content: Content) -> Records:
        frame = self._table(lab, "timeseries", content)
        return _records(content, pl.DataFrame() if frame is None else frame)

    def _shared_spectra(
        self, lab: Lab, content: Content, other: Content
    ) -> tuple[tuple[int, ...], int]:
        """Return the spectra of a content that another one holds, too, and how many it has."""
        if "impedance" not in content.tables:
            return (), 0
        mine = self._table(lab, "impedance", content)
        theirs = self._table(lab, "impedance", other) if "impedance" in other.tables else None
        if mine is None or theirs is None:
            return (), content.spectra or 0
        return _equal_spectra(mine, theirs), mine["spectrum"].n_unique()

    def _table(self, lab: Lab, name: str, content: Content) -> pl.DataFrame | None:
        """Read the columns of a table that are compared; the last ones stay in memory."""
        key = f"{name} {content.sha256}"
        if key not in self._read:
            columns = (
                _COLUMNS if name == "timeseries" else ("spectrum", "unix_time_second", *_POINT)
            )
            frame = read_table(lab.results, name, content.sha256, columns)
            if frame is None:
                return None
            while len(self._read) >= 2 * _KEPT:
                self._read.pop(next(iter(self._read)))
            self._read[key] = frame
        return self._read[key]


def _reading(content: Content, other: Content) -> str:
    return f"rule {_RULE}; {content.reading}; {other.reading}"


def has_exact_clock(content: Content) -> bool:
    """Return whether a content's absolute times are more than a day."""
    return not any(finding.code == "start_known_to_the_day" for finding in content.findings)


def _may_share(content: Content, other: Content) -> bool:
    """Return whether two contents may share records, from where they begin and end."""
    if content.spectra and other.spectra:
        return True
    a, b = content.extent, other.extent
    if a is None or b is None:
        return False
    if a.unix_second and b.unix_second:
        if not (has_exact_clock(content) and has_exact_clock(other)):
            return True
        apart = max(a.unix_second[0] - b.unix_second[1], b.unix_second[0] - a.unix_second[1])
        return apart <= ZONE_SECOND
    if a.unix_second or b.unix_second:
        return True
    return max(a.test_second[0], b.test_second[0]) <= min(a.test_second[1], b.test_second[1])


def _records(content: Content, frame: pl.DataFrame) -> Records:
    def column(name: str) -> NDArray[np.float64] | None:
        if name not in frame.columns or frame[name].null_count() == frame.height:
            return None
        return frame[name].cast(pl.Float64).fill_null(np.nan).to_numpy()

    def columns(names: Iterable[str]) -> dict[str, NDArray[np.float64]]:
        found = {name: column(name) for name in names}
        return {name: values for name, values in found.items() if values is not None}

    test, volt, ampere = (
        frame[name].to_numpy() for name in ("test_time_second", "voltage_volt", "current_ampere")
    )
    clock = column("unix_time_second") if has_exact_clock(content) else None
    return Records(test, volt, ampere, clock, columns(_COUNTERS), columns(_COUNTS))


def _equal_spectra(mine: pl.DataFrame, theirs: pl.DataFrame) -> tuple[int, ...]:
    """Return the numbers of spectra that another content holds, too: at one time, equal points."""
    others = [(_begin(each), _points(each)) for _, each in theirs.group_by("spectrum")]
    found = []
    for (number,), each in mine.group_by("spectrum", maintain_order=True):
        begin, points = _begin(each), _points(each)
        size = np.hypot(points[:, 1], points[:, 2])
        allowed = _EQUAL_POINTS * np.column_stack([points[:, 0], size, size])
        if any(
            abs(begin - other_begin) <= CLOCK_SECOND
            and points.shape == other.shape
            and bool(np.all(np.abs(points - other) <= allowed))
            for other_begin, other in others
        ):
            found.append(int(str(number)))
    return tuple(found)


def _begin(spectrum: pl.DataFrame) -> float:
    """Return when a spectrum begins, s since 1970; NaN, which is like no other, without a clock."""
    clock = spectrum.get_column("unix_time_second", default=pl.Series([None])).drop_nulls()
    return float(clock[0]) if len(clock) else float("nan")


def _points(spectrum: pl.DataFrame) -> NDArray[np.float64]:
    return spectrum.select(_POINT).to_numpy()


def _overlap(
    content: Content,
    other: Content,
    shared: Shared | None,
    frame: pl.DataFrame | None,
    spectra: tuple[int, ...],
    count: int,
) -> Overlap:
    reading = _reading(content, other)
    at = shared.at if shared is not None else np.zeros(0, np.int64)
    rows = _ranges(at)
    numbers: tuple[tuple[int, int], ...] = ()
    height = 0
    if frame is not None:
        height = frame.height
        ends = frame["record_index"].gather(list(chain.from_iterable(rows))).to_list()
        numbers = tuple(zip(ends[::2], ends[1::2], strict=True))
    return Overlap(
        content.sha256, other.sha256, reading, rows, numbers, spectra,
        is_whole=len(at) == height and len(spectra) == count and bool(height or count),
        test_second=shared.test_second if shared is not None else 0.0,
        clock_second=shared.clock_second if shared is not None else 0.0,
        is_doubtful=shared is not None and shared.is_doubtful,
    )  # fmt: skip


def _ranges(at: Indices) -> tuple[tuple[int, int], ...]:
    """Return places in order as ranges with their first and last one."""
    if not len(at):
        return ()
    breaks = np.flatnonzero(np.diff(at) > 1)
    firsts = at[np.concatenate([[0], breaks + 1])].tolist()
    lasts = at[np.concatenate([breaks, [len(at) - 1]])].tolist()
    return tuple(zip(firsts, lasts, strict=True))
