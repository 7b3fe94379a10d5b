"""Count false alarms and misses of the search for short circuits, on made symmetric cells.

Healthy cells grow, heal in rests, follow a swinging temperature, relax after each onset, run at
steady, stepped and rising currents, and are measured with noise, outliers and an offset; shorts of
seven kinds are put into such cells. Run: ``python benchmarks/symmetric.py [HEALTHY [SHORTED]]``.
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "numerics"))
from made_symmetric import SHORTS, MadeCell, make_cell

from cellpipe.numerics.cycling.shorts import Short, find_shorts
from cellpipe.numerics.cycling.symmetric import find_stretches

FEW = 30  # records of a half cycle; with fewer, little can be seen within it


def find(cell: MadeCell) -> tuple[Short, ...]:
    """Return the shorts that are found in a made cell."""
    stretches = find_stretches(cell.second, cell.ampere, cell.direction)
    return find_shorts(cell.volt, cell.second, stretches, cell.celsius).shorts


def count_false(cells: int) -> int:
    """Return in how many healthy cells a short is found."""
    return sum(bool(find(make_cell(np.random.default_rng([1, n])))) for n in range(cells))


def count_kind(kind: str, cells: int) -> Counter[str]:
    """Return how many shorts of a kind are missed, found too early, late or of the wrong kind.

    Early is more than a half cycle before the short, late is more than a half cycle after it.
    """
    seen: Counter[str] = Counter()
    for number in range(cells):
        cell = make_cell(np.random.default_rng([2, number]), kind)
        assert cell.shorted_at is not None
        lasts = 3600 * cell.facts["hours"]
        records = "few" if cell.facts["records"] < FEW else "many"
        seen[records] += 1
        found = find(cell)
        delays = [float(cell.second[short.record]) - cell.shorted_at for short in found]
        seen["early"] += any(delay < -1.1 * lasts for delay in delays)
        own = [pair for pair in zip(delays, found, strict=True) if pair[0] >= -1.1 * lasts]
        if not own:
            seen[f"missed, {records}"] += 1
            continue
        seen["late"] += own[0][0] > 1.1 * lasts
        wanted = {"hard": {"hard", "open"}, "soft": {"soft"}, "nois": {"soft"}}
        seen["other"] += own[0][1].kind not in wanted.get(kind[:4], {"hard", "soft", "open"})
    return seen


def main(healthy: int = 10_000, shorted: int = 500) -> None:
    """Print the figures that docs/benchmarks.md holds."""
    false = count_false(healthy)
    print(f"healthy cells: {false} of {healthy} said to be shorted")
    print("| short | missed, 30 records or more | missed, 12 records | early | late | other kind |")
    print("|---|---:|---:|---:|---:|---:|")
    for kind in SHORTS:
        seen = count_kind(kind, shorted)
        missed = [seen[f"missed, {name}"] / max(seen[name], 1) for name in ("many", "few")]
        rest = [seen[name] / shorted for name in ("early", "late", "other")]
        print(f"| {kind} | {' | '.join(f'{share:.1%}' for share in (*missed, *rest))} |")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
