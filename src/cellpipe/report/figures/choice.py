"""Choose which cycles, spectra and points a figure shows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from cellpipe.numerics.cycling.protocol import NO_CYCLES

MAX_SHOWN = 6
MAX_POINTS = 800


@dataclass(frozen=True)
class ShownCycle:
    """A cycle to draw: its label, and its half cycles, charge first."""

    label: str
    half_cycles: tuple[int, ...]


def sample_evenly(items: list[int], most: int = MAX_SHOWN, head: int = 2) -> list[int]:
    """Return at most ``most`` items: the first ``head``, the last, and an even spread between."""
    if len(items) <= most:
        return items
    indices = np.linspace(head - 1, len(items) - 1, most - head + 1)[1:]
    return items[:head] + [items[round(index)] for index in indices.tolist()]


def select_cycles(cycles: pl.DataFrame, curves: pl.DataFrame) -> list[ShownCycle]:
    """Return at most six cycles that have curves; half cycles if no cycle has any."""
    available = set(curves["half_cycle"].unique().to_list())
    known = cycles.filter(~pl.col("protocol").is_in(NO_CYCLES)).sort("cycle")
    pairs = known.select("cycle", "charging_half_cycle", "discharging_half_cycle")
    drawn_halves = {
        cycle: tuple(half for half in halves if half in available)
        for cycle, *halves in pairs.iter_rows()
    }
    numbers = [cycle for cycle, halves in drawn_halves.items() if halves]
    if numbers:
        return [ShownCycle(f"cycle {n}", drawn_halves[n]) for n in sample_evenly(numbers)]
    return [ShownCycle(f"half cycle {n}", (n,)) for n in sample_evenly(sorted(available))]


def downsample_indices(values: np.ndarray, most: int = MAX_POINTS) -> np.ndarray:
    """Return indices of about ``most`` points: the ends, and each interval's lowest and highest.

    Nothing is averaged, so outliers stay where they are.
    """
    if values.size <= most:
        return np.arange(values.size)
    size = -(-values.size // (most // 2))
    intervals = -(-values.size // size)
    padded = np.pad(values, (0, intervals * size - values.size), mode="edge")
    blocks, starts = padded.reshape(intervals, size), size * np.arange(intervals)
    last = values.size - 1
    extremes = (starts + blocks.argmin(axis=1), starts + blocks.argmax(axis=1))
    return np.unique(np.minimum(np.concatenate([[0, last], *extremes]), last))
