"""What is said of a changing resistance: the trend always, a law only where it is a verdict."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest

from cellpipe.analyses import resistance_growth
from cellpipe.core import contracts
from cellpipe.core.model import Cell
from cellpipe.report.growth_sentences import law_sentence

LASTS = 500.0
NAMED = ("square root", "linear", "power of", "logarithm", "levels off", "exponential", "straight")


def row_of(resistance: np.ndarray, *, noise: float = 0.005) -> dict[str, Any]:
    """Return the row of the table that a resistance at even times has, held against its schema."""
    count = len(resistance)
    noisy = resistance * (1 + noise * np.random.default_rng(count).standard_normal(count))
    known = contracts.empty_table("interfacial_resistance")
    spectra = pl.DataFrame({
        "cell_id": "A", "spectrum": np.arange(1, count + 1), "state": np.ones(count, np.int64),
        "unix_time_second": 1.7e9 + 3600 * np.linspace(0, LASTS, count),
        "interfacial_resistance_ohm": noisy,
        "interfacial_resistance_standard_error_ohm": noise * resistance,
    })  # fmt: skip
    tables = {
        "interfacial_resistance": pl.concat([known, spectra], how="diagonal"),
        "impedance_arcs": contracts.empty_table("impedance_arcs"),
        "cycles": contracts.empty_table("cycles"),
        "half_cycles": contracts.empty_table("half_cycles"),
    }
    (found,) = resistance_growth.ANALYSIS.compute(Cell("A"), tables)
    table = contracts.validate("resistance_growth", found.table)
    return table.row(0, named=True)


TIME = np.linspace(0, LASTS, 15)


@pytest.mark.parametrize(
    ("resistance", "said"),
    [
        (100 + 0 * TIME, "does not change beyond its errors."),
        (100 + 0.4 * TIME, "It grows linearly with time (probability"),
        (300 - 0.4 * TIME, "It falls linearly with time (probability"),
        (300 - 8 * np.sqrt(TIME), "It falls with the square root of time"),
        (100 + 200 * np.exp(-TIME / 60), "It falls and levels off (probability"),
        (80 * np.exp(3.6 * TIME / LASTS), "It grows ever faster, exponentially"),
        (100 + 100 * (TIME > 260), "It is constant but for one jump"),
        (100 + 80 * np.sin(np.pi * TIME / LASTS), "It is not monotone: it rises and falls"),
        (100 + 200 / (1 + np.exp(-(TIME - 250) / 40)), "It rises monotonically from "),
        (300 - 200 / (1 + np.exp(-(TIME - 250) / 40)), "It falls monotonically from "),
    ],
)
def test_the_trend_or_the_law_is_said(resistance: np.ndarray, said: str) -> None:
    assert said in law_sentence(row_of(resistance))


@pytest.mark.parametrize("rise", [0.02, 0.1, 0.3, 1.0])
@pytest.mark.parametrize("count", [5, 7, 15])
def test_no_law_is_said_that_is_no_verdict(rise: float, count: int) -> None:
    for power in (0.3, 0.6, 1.0, 1.7):
        time = np.linspace(0, LASTS, count) / LASTS
        row = row_of(100 * (1 + rise * time**power))
        sentence = law_sentence(row)
        is_said = any(name in sentence for name in NAMED)
        assert is_said == (row["law"] not in {"constant", "no simple law"})
        assert not is_said or row["law_probability"] >= 0.95
        assert ("no simple law" in sentence) == (row["law"] == "no simple law")


def test_a_small_change_is_said_with_digits_that_show_it() -> None:
    sentence = law_sentence(row_of(3544.8 - 0.5 * (TIME > 260) * TIME / LASTS, noise=1e-6))
    first, last = sentence.partition(" from ")[2].partition(" Ω")[0].split(" to ")
    assert float(first.replace(",", "")) > float(last.replace(",", ""))


def test_an_odd_spectrum_is_said() -> None:
    resistance = np.full(12, 100.0)
    resistance[6] = 180
    assert law_sentence(row_of(resistance)).endswith("errors, but for spectrum 7.")
    resistance[6], resistance[11] = 100, 180
    assert "but only spectrum 12 differs; no simple law" in law_sentence(row_of(resistance))


def test_a_file_whose_age_is_not_known_says_the_trend() -> None:
    row = row_of(100 + 0.4 * TIME) | {"law": None, "law_probability": None}
    assert law_sentence(row).startswith("It rises monotonically from")
    assert "law" not in law_sentence(row)


@pytest.mark.parametrize(
    ("clock", "probability", "said"),
    [
        ("cycles", 0.97, "Cycles explain it best (probability 97%)."),
        ("time", 0.999, "Time explains it best (probability above 99%)."),
        ("charge passed or cycles", 0.98, "Charge passed or cycles explain it (probability 98%)."),
        ("not told apart", None, "explain it is not told apart."),
    ],
)
def test_the_clock_is_said(clock: str, probability: float | None, said: str) -> None:
    row = row_of(100 + 0.4 * TIME) | {"clock": clock, "clock_probability": probability}
    assert law_sentence(row).endswith(said)
