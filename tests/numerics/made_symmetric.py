"""Symmetric cells that are made up: healthy ones of many kinds, and shorts of each kind in them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

SHORTS = (
    "hard, within a half cycle",
    "hard, in a rest",
    "hard, in a rising current",
    "soft, recovers within a half cycle",
    "soft, recovers later",
    "noise burst",
    "gradual collapse",
)
_KELVIN, _BOLTZMANN = 298.15, 8.617333e-5


@dataclass
class MadeCell:
    """Records of a made cell, and where it was shorted; None where it was not.

    Time in s, voltage in V, current in A, temperature in °C (NaN: not recorded).
    """

    second: np.ndarray
    volt: np.ndarray
    ampere: np.ndarray
    celsius: np.ndarray
    shorted_at: float | None = None
    facts: dict[str, float] = field(default_factory=dict)

    @property
    def direction(self) -> np.ndarray:
        """1, 0 or -1 for each record."""
        return np.sign(self.ampere).astype(np.int8)


def protocol(random: np.random.Generator, kind: str) -> list[float]:
    """Return the current of each half cycle, mA, without its sign."""
    low = float(random.choice([0.05, 0.1, 0.2, 0.5]))
    if kind == "rising":
        steps = int(random.integers(4, 14))
        each = 2 * int(random.integers(1, 4))
        levels = low * np.arange(1, steps + 1)
        return [float(level) for level in np.repeat(levels, each)]
    if kind == "rates":
        levels = [low, 2 * low, 4 * low, 8 * low, low] if random.random() < 0.5 else [
            low, 4 * low, 2 * low, 10 * low, low, 0.5 * low
        ]  # fmt: skip
        return [float(level) for level in np.repeat(levels, 2 * int(random.integers(2, 6)))]
    return [low] * int(random.integers(8, 80))


def make_cell(random: np.random.Generator, short: str | None = None) -> MadeCell:
    """Return a cell of random properties, healthy or with a short of one kind."""
    kind = str(random.choice(["steady", "steady", "rates", "rising"]))
    if short == "hard, in a rising current":
        kind = "rising"
    currents = protocol(random, kind)
    hours = float(random.choice([0.25, 0.5, 1, 2, 5, 10]))
    count = int(random.choice([12, 30, 60, 120, 360]))
    rest = float(random.choice([0.0, 0.0, 1 / 12, 1.0]))
    ohmic = random.uniform(10, 200)
    interface, exchange = random.uniform(5, 400), 10 ** random.uniform(-1.5, 1)
    growth, heals = random.choice([0, 0.5, 2, 7]) * random.random(), random.random()
    wetting, wets_in = random.choice([0, 1.0]) * random.random(), random.uniform(1, 5)
    peak, fades_in = random.choice([0, 0.3, 0.8]) * random.random(), random.uniform(0.03, 0.3)
    voids = random.choice([0, 0.2, 1.5]) * random.random()
    swing, phase = random.choice([0, 1, 3, 5]) * random.random(), random.uniform(0, 6.28)
    has_sensor = random.random() < 0.5
    heats_at = len(currents) // 2 if has_sensor and random.random() < 0.1 else None
    relative, absolute = 10 ** random.uniform(-3.3, -1.6), 10 ** random.uniform(-5, -3.5)
    spikes, offset = random.choice([0, 0.002]), random.normal(0, 0.002)
    long_rest = int(random.integers(3, len(currents))) if random.random() < 0.3 else None
    begins = int(random.integers(max(2, len(currents) // 3), len(currents))) if short else None
    place = float(random.uniform(0.15, 0.85))
    left = float(random.uniform(0.02, 0.35))  # of the voltage, after a hard short
    lasts = int(random.integers(1, 3))
    is_open, shorted_at = False, None
    clock, parts = 0.0, []
    aged = 0.0
    for number, current in enumerate(currents):
        if number == long_rest:
            clock += 3600 * 24
            aged *= 1 - heals
        aged += growth / len(currents)
        sign = 1.0 if number % 2 == 0 else -1.0
        time = np.linspace(0, 3600 * hours, count)
        share = time / time[-1]
        now = clock + time
        celsius = 25 + swing * np.sin(6.283 * now / 86400 + phase)
        if heats_at is not None and number >= heats_at:
            celsius = celsius + 35
        warm = np.exp(0.35 / _BOLTZMANN * (1 / (celsius + 273.15) - 1 / _KELVIN))
        surface = 1 + aged + wetting * np.exp(-number / wets_in)
        profile = 1 + peak * np.exp(-share / fades_in) + voids * np.clip(share - 0.6, 0, 1) ** 2 / 0.16
        drop = 1e-3 * current * ohmic
        reaction = 0.0514 * np.arcsinh(1e-3 * current * interface / 0.0514 / exchange) * exchange
        size = warm * (drop + reaction * surface * profile)
        if begins is not None and short is not None:
            factor, at = _shorted(short, number - begins, share, place, left, lasts, random)
            size = size * factor
            if at is not None and shorted_at is None:
                shorted_at = clock + at * time[-1]
        volt = sign * size + offset
        if not is_open:
            volt[0] = offset if random.random() < 0.5 else volt[0]
        parts.append((now, volt, np.full(count, sign * 1e-3 * current), celsius))
        clock = now[-1]
        if rest:
            dwell = np.linspace(0.01, 3600 * rest, 6)
            parts.append((clock + dwell, np.full(6, offset), np.zeros(6), np.full(6, celsius[-1])))
            clock += dwell[-1]
        clock += time[1] * 0.01
    second, volt, ampere, celsius = (np.concatenate(each) for each in zip(*parts, strict=True))
    volt = volt * (1 + relative * random.standard_normal(len(volt)))
    volt = volt + absolute * random.standard_normal(len(volt))
    outliers = random.random(len(volt)) < spikes
    volt[outliers] *= 1 + random.choice([-0.4, 0.4], outliers.sum())
    celsius = celsius if has_sensor else np.full(len(volt), np.nan)
    return MadeCell(
        second, np.round(volt, 5), ampere, celsius, shorted_at, {"hours": hours, "records": count}
    )


def _shorted(
    short: str, since: int, share: np.ndarray, place: float, left: float, lasts: int,
    random: np.random.Generator,
) -> tuple[np.ndarray, float | None]:
    """Return the factor of the voltage in a half cycle, and when the short begins in it."""
    whole = np.ones(len(share))
    flicker = 1 + 0.1 * random.standard_normal(len(share))
    if since < 0:
        return whole, None
    if short.startswith("hard"):
        begin = 0.0 if short == "hard, in a rest" else place
        if since == 0:
            return np.where(share >= begin, left * flicker, 1.0), begin
        return left * flicker, None
    if short == "soft, recovers within a half cycle":
        inside = (share >= 0.6 * place) & (share < 0.6 * place + 0.3)
        return (np.where(inside, 1.6 * left * flicker, 1.0), 0.6 * place) if since == 0 else (
            whole, None
        )  # fmt: skip
    if short == "soft, recovers later":
        if since == 0:
            return np.where(share >= place, 1.6 * left * flicker, 1.0), place
        return (1.6 * left * flicker, None) if since < lasts else (whole, None)
    if short == "noise burst":
        inside = (share >= 0.6 * place) & (share < 0.6 * place + 0.35)
        jumps = random.choice([0.5, 0.65, 0.8, 1.0, 1.0], len(share))
        return (np.where(inside, jumps, 1.0), 0.6 * place) if since == 0 else (whole, None)
    progress = np.clip((since + share) / (1 + lasts), 0, 1)
    return 1 - (1 - left) * progress, 0.0 if since == 0 else None
