"""Bars on verdicts about how a resistance changes: true laws, constants, and which clock."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import product

import numpy as np
from eis_real import Row
from made_growth import NONE, SHAPES, WORKED, clocks, measured, noise

from cellpipe.numerics.impedance.growth import fit_growth
from cellpipe.numerics.impedance.growth_clocks import find_clock

COUNTS = (5, 6, 8, 12, 20, 40)
CORRELATIONS = (0.0, 0.6)  # of neighbours' noise
_TRIALS = 8  # of each shape, count and correlation
_CONSTANTS = 7_200
_FAINT = 0.1  # of the changes, beside errors of half a per cent of the resistance


def laws(share: float) -> Iterator[Row]:
    """Bar 13: shapes of known law, as they are and with a tenth of their change."""
    for part, words in ((1.0, "as large as made (mostly × 3)"), (_FAINT, "a tenth of that")):
        wrong, right, still, worst = _count_laws(part, max(2, int(share * _TRIALS)))
        bars = "≤ 5 % in each" + ("; 0" if part == 1 else "; –")
        names = ", ".join(f"{name} {value:.1%}" for value, name in worst if value)
        stay = f"{still:.2%}" if part == 1 else "–"
        yield (f"changes of {len(SHAPES)} shapes, {words}, 5 to 40 spectra, 0.5 % of noise, "
               "independent and correlated: a wrong law named, in the worst shape; said to stay",
               bars, f"{worst[0][0]:.1%} ({names or 'none in any'}; {wrong:.2%} in all; the right "
               f"one {right:.0%}); {stay}", "")  # fmt: skip


def _count_laws(part: float, trials: int) -> tuple[float, float, float, list[tuple[float, str]]]:
    """Return the shares of wrong and right laws and of none seen, and the worst three shapes."""
    seen: dict[str, Counter[str]] = {name: Counter() for name in SHAPES}
    for name, count, correlation in product(SHAPES, COUNTS, CORRELATIONS):
        random = np.random.default_rng([len(name), count, int(10 * correlation)])
        curve, true = SHAPES[name]

        def changed(time: np.ndarray, curve=curve) -> np.ndarray:
            values = curve(time)
            return np.asarray(values[0] + part * (values - values[0]), np.float64)

        for _ in range(trials):
            found = fit_growth(*measured(changed, count, random, correlation))
            assert found is not None
            seen[name]["all"] += 1
            seen[name]["still"] += found.trend == "unchanged"
            seen[name]["right"] += found.law == true != NONE
            seen[name]["wrong"] += found.law not in {true, NONE, "constant"}
    whole: Counter[str] = sum(seen.values(), Counter())
    worst = sorted(((c["wrong"] / c["all"], name) for name, c in seen.items()), reverse=True)
    lawful = sum(c["all"] for name, c in seen.items() if SHAPES[name][1] != NONE)
    return (whole["wrong"] / whole["all"], whole["right"] / lawful,
            whole["still"] / whole["all"], worst[:3])  # fmt: skip


def constants(share: float) -> Iterator[Row]:
    """Bar 14: resistances that stay."""
    each = int(share * _CONSTANTS)
    said = []
    for correlation in CORRELATIONS:
        random = np.random.default_rng(int(10 * correlation))
        trends: Counter[str] = Counter()
        for place in range(each):
            found = fit_growth(*measured(_stay, 5 + place % 36, random, correlation))
            assert found is not None
            trends[found.trend] += 1
        said.append(f"{trends['rising']} rise, {trends['falling']} fall, "
                    f"{trends['not monotone']} neither, of {each:,}")  # fmt: skip
    yield ("resistances that stay, 5 to 40 spectra: said to change; the same, correlated by 0.6",
           "≤ 1 in 1,000 said to rise", "; ".join(said), "")  # fmt: skip


def _stay(time: np.ndarray) -> np.ndarray:
    return np.full(len(time), 100.0)


def which_clock(share: float) -> Iterator[Row]:
    """Bar 15: a growth with time, charge or cycles, in a test that rests now and then."""
    trials = max(4, int(share * 40))
    right = wrong = 0
    for clock, count, correlation in product(WORKED, (8, 15, 30), CORRELATIONS):
        random = np.random.default_rng([len(clock), count, int(10 * correlation)])
        for _ in range(trials):
            shown = clocks(count, random)
            true = 100 + 60 * (shown[clock] / shown[clock][-1]) ** random.uniform(0.4, 1.2)
            resistance = true * (1 + 0.005 * noise(random, count, correlation))
            found = find_clock(shown, resistance, 0.005 * true)
            right += found is not None and found[0] == (clock,)
            wrong += found is not None and clock not in found[0]
    whole = trials * len(WORKED) * 3 * len(CORRELATIONS)
    yield (f"which of time, charge and cycles a resistance grows with ({whole} series with rests): "
           "another named; the right one alone named", "≤ 5 %; –",
           f"{wrong / whole:.1%}; {right / whole:.0%}", "")  # fmt: skip
