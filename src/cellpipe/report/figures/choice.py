"""Which cycles, spectra and points a figure shows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

MAX_SHOWN = 6
MAX_POINTS = 800


@dataclass(frozen=True)
class ShownCycle:
    """A cycle that is drawn: its name, and its half cycles by direction."""

    label: str
    half_cycles: tuple[int, ...]


def sample_evenly(items: list[int], most: int = MAX_SHOWN, head: int = 2) -> list[int]:
    """Take the first ``head`` items, the last, and the rest evenly spread between."""
    if len(items) <= most:
        return items
    places = np.linspace(head - 1, len(items) - 1, most - head + 1)[1:]
    return items[:head] + [items[round(place)] for place in places.tolist()]


def select_cycles(cycles: pl.DataFrame, curves: pl.DataFrame) -> list[ShownCycle]:
    """Choose at most six cycles that have curves; half cycles where there are no cycles."""
    drawn = set(curves["half_cycle"].unique().to_list())
    pairs = cycles.sort("cycle").select("cycle", "charging_half_cycle", "discharging_half_cycle")
    found = {
        cycle: tuple(half for half in halves if half in drawn)
        for cycle, *halves in pairs.iter_rows()
    }
    numbers = [cycle for cycle, halves in found.items() if halves]
    if numbers:
        return [ShownCycle(f"cycle {n}", found[n]) for n in sample_evenly(numbers)]
    return [ShownCycle(f"half cycle {n}", (n,)) for n in sample_evenly(sorted(drawn))]


def downsample_indices(values: np.ndarray, most: int = MAX_POINTS) -> np.ndarray:
    """Return the places of at most ``most`` points that keep the lowest and highest of each stretch.

    Nothing is averaged, so an outlier stays where it is.
    """
    if values.size <= most:
        return np.arange(values.size)
    size = -(-values.size // (most // 2))
    stretches = -(-values.size // size)
    padded = np.pad(values, (0, stretches * size - values.size), mode="edge")
    blocks, starts = padded.reshape(stretches, size), size * np.arange(stretches)
    last = values.size - 1
    extremes = (starts + blocks.argmin(axis=1), starts + blocks.argmax(axis=1))
    return np.unique(np.minimum(np.concatenate([[0, last], *extremes]), last))
