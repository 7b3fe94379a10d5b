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


@dataclass
class Properties:
    """Properties of a made cell, drawn at random within what healthy cells have."""

    random: np.random.Generator

    def __post_init__(self) -> None:
        """Draw them."""
        random = self.random
        self.hours = float(random.choice([0.25, 0.5, 1, 2, 5, 10]))
        self.records = int(random.choice([12, 30, 60, 120, 360]))
        self.rest = float(random.choice([0.0, 0.0, 1 / 12, 1.0]))
        self.ohmic, self.interface = random.uniform(10, 200), random.uniform(5, 400)
        self.exchange = 10 ** random.uniform(-1.5, 1)
        self.growth = random.choice([0, 0.5, 2, 7]) * random.random()
        self.heals = random.random()
        self.wetting = random.choice([0, 1.0]) * random.random()
        self.wets_in = random.uniform(1, 5)
        self.peak = random.choice([0, 0.3, 0.8]) * random.random()
        self.fades_in = random.uniform(0.03, 0.3)
        self.voids = random.choice([0, 0.2, 1.5]) * random.random()
        self.swing, self.phase = random.choice([0, 1, 3, 5]) * random.random(), random.uniform(0, 6)
        self.has_sensor = random.random() < 0.5
        self.heats = self.has_sensor and random.random() < 0.1
        self.relative = 10 ** random.uniform(-3.3, -1.6)
        self.absolute = 10 ** random.uniform(-5, -3.5)
        self.spikes, self.offset = random.choice([0, 0.002]), random.normal(0, 0.002)
        self.place = float(random.uniform(0.15, 0.85))
        self.left = float(random.uniform(0.02, 0.35))  # of the voltage, after a hard short
        self.lasts = int(random.integers(1, 3))

    def celsius(self, second: np.ndarray, *, late: bool) -> np.ndarray:
        """Return the temperature, °C: it swings by day, and some cells are heated half way."""
        swung = 25 + self.swing * np.sin(6.283 * second / 86400 + self.phase)
        return swung + (35 if self.heats and late else 0)

    def size(
        self, number: int, current: float, share: np.ndarray, aged: float, celsius: np.ndarray
    ) -> np.ndarray:
        """Return the overpotential, V, of a half cycle at a current, mA, as its time passes."""
        warm = np.exp(0.35 / _BOLTZMANN * (1 / (celsius + 273.15) - 1 / _KELVIN))
        surface = 1 + aged + self.wetting * np.exp(-number / self.wets_in)
        profile = 1 + self.peak * np.exp(-share / self.fades_in)
        profile += self.voids * np.clip(share - 0.6, 0, 1) ** 2 / 0.16
        rising = np.arcsinh(1e-3 * current * self.interface / 0.0514 / self.exchange)
        reaction = 0.0514 * rising * self.exchange
        return np.asarray(warm * (1e-3 * current * self.ohmic + reaction * surface * profile))


def make_cell(random: np.random.Generator, short: str | None = None) -> MadeCell:
    """Return a cell of random properties, healthy or with a short of one kind."""
    kind = str(random.choice(["steady", "steady", "rates", "rising"]))
    if short == "hard, in a rising current":
        kind = "rising"
    currents = protocol(random, kind)
    has = Properties(random)
    count = has.records
    long_rest = int(random.integers(3, len(currents))) if random.random() < 0.3 else None
    begins = int(random.integers(max(2, len(currents) // 3), len(currents))) if short else None
    shorted_at = None
    clock, aged = 0.0, 0.0
    parts = []
    for number, current in enumerate(currents):
        if number == long_rest:
            clock += 3600 * 24
            aged *= 1 - has.heals
        aged += has.growth / len(currents)
        sign = 1.0 if number % 2 == 0 else -1.0
        time = np.linspace(0, 3600 * has.hours, count)
        now, share = clock + time, time / time[-1]
        celsius = has.celsius(now, late=number >= len(currents) // 2)
        size = has.size(number, current, share, aged, celsius)
        if begins is not None and short is not None:
            factor, at = _shorted(short, number - begins, share, has)
            size = size * factor
            if at is not None and shorted_at is None:
                shorted_at = clock + at * time[-1]
        volt = sign * size + has.offset
        volt[0] = has.offset if random.random() < 0.5 else volt[0]
        parts.append((now, volt, np.full(count, sign * 1e-3 * current), celsius))
        clock = now[-1]
        if has.rest:
            dwell = np.linspace(0.01, 3600 * has.rest, 6)
            blank = np.zeros(6)
            parts.append((clock + dwell, blank + has.offset, blank, blank + celsius[-1]))
            clock += dwell[-1]
        clock += time[1] * 0.01
    return _measured(parts, has, shorted_at)


def _measured(parts: list, has: Properties, shorted_at: float | None) -> MadeCell:
    """Return the records with noise, outliers and the digits of an instrument."""
    random = has.random
    second, volt, ampere, celsius = (np.concatenate(each) for each in zip(*parts, strict=True))
    volt = volt * (1 + has.relative * random.standard_normal(len(volt)))
    volt = volt + has.absolute * random.standard_normal(len(volt))
    outliers = random.random(len(volt)) < has.spikes
    volt[outliers] *= 1 + random.choice([-0.4, 0.4], outliers.sum())
    celsius = celsius if has.has_sensor else np.full(len(volt), np.nan)
    facts = {"hours": has.hours, "records": has.records}
    return MadeCell(second, np.round(volt, 5), ampere, celsius, shorted_at, facts)


def _shorted(
    short: str, since: int, share: np.ndarray, has: Properties
) -> tuple[np.ndarray, float | None]:
    """Return the factor of the voltage in a half cycle, and when the short begins in it.

    ``since`` counts half cycles from that in which it begins, ``share`` is the part of its time.
    """
    place, left = has.place, has.left
    flicker = 1 + 0.1 * has.random.standard_normal(len(share))
    jumps = has.random.choice([0.5, 0.65, 0.8, 1.0, 1.0], len(share))
    begin = {"hard, in a rest": 0.0, "gradual collapse": 0.0, "noise burst": 0.6 * place}.get(
        short, 0.6 * place if short == SHORTS[3] else place
    )
    at = begin if since == 0 else None
    if since < 0:
        return np.ones(len(share)), None
    after = (share >= begin) | (since > 0)
    if short.startswith("hard"):
        return np.where(after, left * flicker, 1.0), at
    if short == "soft, recovers later":
        return np.where(after & (since < has.lasts), 1.6 * left * flicker, 1.0), at
    if short == "gradual collapse":
        progress = np.clip((since + share) / (1 + has.lasts), 0, 1)
        return 1 - (1 - left) * progress, at
    lasts = 0.3 if short == SHORTS[3] else 0.35
    inside = (since == 0) & after & (share < begin + lasts)
    return np.where(inside, 1.6 * left * flicker if short == SHORTS[3] else jumps, 1.0), at
