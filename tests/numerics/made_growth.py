"""Resistances that change in known ways, with the law that each has, and their noise."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Curve = Callable[[np.ndarray], np.ndarray]
LASTS = 500.0  # h
NONE = "no simple law"
SHAPES: dict[str, tuple[Curve, str]] = {
    "square root": (lambda t: 100 + 200 * np.sqrt(t / LASTS), "square root"),
    "square root, a tenth": (lambda t: 100 + 10 * np.sqrt(t / LASTS), "square root"),
    "square root from 100 h on": (
        lambda t: 100 + 200 * np.sqrt(np.maximum(t - 100, 0) / 400), "square root"),
    "linear": (lambda t: 100 + 200 * t / LASTS, "linear"),
    "linear from 350 h on": (lambda t: 100 + 200 * np.maximum(t - 350, 0) / 150, "linear"),
    "power 0.7": (lambda t: 100 + 200 * (t / LASTS) ** 0.7, "power"),
    "power 0.4": (lambda t: 100 + 200 * (t / LASTS) ** 0.4, "power"),
    "power 0.6": (lambda t: 100 + 200 * (t / LASTS) ** 0.6, "power"),
    "power 1.3": (lambda t: 100 + 200 * (t / LASTS) ** 1.3, "power"),
    "power 3": (lambda t: 100 + 200 * (t / LASTS) ** 3, "power"),
    "logarithmic": (lambda t: 100 + 60 * np.log1p(t / 20), "logarithmic"),
    "saturating, 20 h": (lambda t: 100 + 200 * (1 - np.exp(-t / 20)), "saturating"),
    "saturating, 60 h": (lambda t: 100 + 200 * (1 - np.exp(-t / 60)), "saturating"),
    "saturating, 150 h": (lambda t: 100 + 200 * (1 - np.exp(-t / 150)), "saturating"),
    "decaying": (lambda t: 100 + 200 * np.exp(-t / 60), "saturating"),
    "exponential, three times": (lambda t: 100 * np.exp(1.1 * t / LASTS), "exponential"),
    "exponential, ten times": (lambda t: 100 * np.exp(2.3 * t / LASTS), "exponential"),
    "exponential, 38 times": (lambda t: 80 * np.exp(3.64 * t / LASTS), "exponential"),
    "knee": (lambda t: 100 + 0.1 * t + 0.3 * np.maximum(t - 250, 0), "knee"),
    "jump": (lambda t: 100 + 100 * (t > 260), "jump"),
    "fall, then rise": (lambda t: 60 + 40 * np.exp(-t / 30) + 140 * (t / LASTS) ** 2, NONE),
    "rise, then fall": (lambda t: 100 + 100 * np.sin(np.pi * t / LASTS), NONE),
}  # fmt: skip
FALLING = {"decaying"}
TURNING = {"fall, then rise", "rise, then fall"}


def noise(random: np.random.Generator, count: int, correlation: float) -> np.ndarray:
    """Return noise of deviation 1 whose neighbours are correlated; shape (count,)."""
    values = random.standard_normal(count)
    for place in range(1, count):
        fresh = np.sqrt(1 - correlation**2) * values[place]
        values[place] = correlation * values[place - 1] + fresh
    return values


def measured(
    curve: Curve, count: int, random: np.random.Generator, correlation: float = 0.0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return times, h, resistances with half a percent of noise, and their errors, Ω."""
    time = np.linspace(1, LASTS, count)
    true = curve(time)
    return time, true * (1 + 0.005 * noise(random, count, correlation)), 0.005 * true


WORKED = ("time", "charge passed", "cycles")


def clocks(count: int, random: np.random.Generator) -> dict[str, np.ndarray]:
    """Return what three clocks show in a test of cycles of unlike length and charge, with rests."""
    cycles = random.integers(0, 5, count).astype(np.float64)
    cycles[0] = 1
    charge = cycles * random.uniform(0.3, 1.7, count)
    hours = 10 * charge + random.exponential(60, count) * (random.random(count) < 0.5) + 1
    shown = zip(WORKED, (hours, charge, cycles), strict=True)
    return {name: np.cumsum(steps) for name, steps in shown}
