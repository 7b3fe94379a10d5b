"""Hold predictions of retention against what long cells did afterwards.

Of the complete cycles of each cell at its usual rate, stretches of many lengths are taken. The
first 60 % of each are known, and where their own past bears a prediction, the rest is held against
its 95 % interval. Run: ``python benchmarks/life.py RESULTS …``, on what ``cellpipe process`` made.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl

from cellpipe.numerics.cycling.ageing import usual_rate
from cellpipe.numerics.cycling.knee import FEWEST, FEWEST_EFFECTIVE, find_knee
from cellpipe.numerics.cycling.life import REACH, SETTLED, fit_line, predicts_itself, quantile

KNOWN = 0.6
FEWEST_CYCLES = 25
LENGTHS, STARTS = 12, 4


def long_cells(results: Path) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Yield name, cycles and retention at the usual rate of each long cell."""
    table = pl.read_parquet(results / "tables" / "cycles" / "*.parquet")
    known = table.filter("complete", ~pl.col("formation_cycle"))
    known = known.drop_nulls("capacity_retention_at_rate").sort("cell_id", "cycle")
    for (name,), rows in known.group_by("cell_id", maintain_order=True):
        same = rows.filter(rate_group=usual_rate(rows["rate_group"].to_numpy()))
        if same.height >= FEWEST_CYCLES:
            cycle = same["cycle"].to_numpy().astype(np.float64)
            yield str(name), cycle, same["capacity_retention_at_rate"].to_numpy()


def holds(cycle: np.ndarray, retention: np.ndarray) -> bool | None:
    """Return whether the end of a stretch lies within its prediction; None if there is none."""
    cut = round(KNOWN * len(cycle))
    found = find_knee(cycle[:cut], retention[:cut])
    if found is None or found.shape == "curved" or found.effective < FEWEST_EFFECTIVE:
        return None
    start = found.knee.value if found.shape in {"knee", "slower"} else float(found.first)
    x, y = cycle[:cut][cycle[:cut] >= start], retention[:cut][cycle[:cut] >= start]
    if len(x) < FEWEST or not predicts_itself(x, y):
        return None
    ahead = cycle <= x[-1] + REACH * (x[-1] - x[0])
    last = max(round(SETTLED * len(cycle)), 1)
    true = float(np.median(retention[ahead][-last:]))
    middle, error = fit_line(x, y, found).predict(cycle[ahead][-last:])
    return abs(true - float(np.median(middle))) <= quantile(len(x) - 2) * float(np.median(error))


def main() -> None:
    """Print for each cell how many stretches are predicted, and how many predictions hold."""
    total = [0, 0]
    for results in map(Path, sys.argv[1:]):
        for name, cycle, retention in long_cells(results):
            lengths = np.geomspace(FEWEST_CYCLES, len(cycle), LENGTHS).round().astype(int)
            stretches = {
                (int(start), int(length))
                for length in lengths
                for start in np.linspace(0, len(cycle) - length, STARTS).astype(int)
            }
            tried = [
                holds(cycle[start : start + length], retention[start : start + length])
                for start, length in sorted(stretches)
            ]
            made = [each for each in tried if each is not None]
            total = [total[0] + len(made), total[1] + sum(made)]
            print(f"{name}: {len(cycle)} cycles, {len(tried)} stretches, {len(made)} predicted, "
                  f"{sum(made)} held")  # fmt: skip
    print(f"all: {total[1]} of {total[0]} predictions held")


if __name__ == "__main__":
    main()
