"""Running sums that Arbin and Neware cyclers print beside every record."""

from collections.abc import Sequence
from dataclasses import dataclass

from .noise import bell_numbers
from .protocol import Record


@dataclass(frozen=True)
class Row:
    """A record with its counters.

    Charges in Ah and energies in Wh since the step, the cycle and
    the test began (the latter two for charging and discharging apart); V and A with noise. Energies
    are negative where the voltage is.
    """

    record: Record
    volt: float
    ampere: float
    step_ah: float
    step_wh: float
    cycle_ah: tuple[float, float]
    cycle_wh: tuple[float, float]
    test_ah: tuple[float, float]
    test_wh: tuple[float, float]


Pair = tuple[float, float]


def _plus(sums: Pair, amount: float, ah: float) -> Pair:
    """Add the amount to the first sum while charging, to the second while discharging."""
    return (sums[0] + amount, sums[1]) if ah > 0.0 else (sums[0], sums[1] + amount)


def counted_rows(records: Sequence[Record], seed: int) -> list[Row]:
    """Return records with counters; 80 µV of noise on the voltage, 20 ppm on the current."""
    noise = bell_numbers(seed, 2 * len(records)).reshape(2, -1)
    rows: list[Row] = []
    step, cycle = 0, 0
    step_ah = step_wh = 0.0
    cycle_ah = cycle_wh = test_ah = test_wh = (0.0, 0.0)
    for number, record in enumerate(records):
        if record.step != step:
            step, step_ah, step_wh = record.step, 0.0, 0.0
        if record.cycle != cycle:
            cycle, cycle_ah, cycle_wh = record.cycle, (0.0, 0.0), (0.0, 0.0)
        ah = record.charge / 1000.0
        size, energy = abs(ah), abs(ah) * record.volt
        step_ah, step_wh = step_ah + size, step_wh + energy
        cycle_ah, cycle_wh = _plus(cycle_ah, size, ah), _plus(cycle_wh, energy, ah)
        test_ah, test_wh = _plus(test_ah, size, ah), _plus(test_wh, energy, ah)
        volt = record.volt + 8.0e-5 * float(noise[0, number])
        ampere = record.current / 1000.0 * (1.0 + 2.0e-5 * float(noise[1, number]))
        rows.append(
            Row(record, volt, ampere, step_ah, step_wh, cycle_ah, cycle_wh, test_ah, test_wh)
        )
    return rows


def clock_text(seconds: float) -> str:
    """Hours, minutes and whole seconds; hours run on beyond 24."""
    whole = int(seconds + 0.5)
    return f"{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}"


def grouped(rows: Sequence[Row], by: str) -> list[list[Row]]:
    """Rows in groups of one step or one cycle, in order."""
    groups: list[list[Row]] = []
    last = -1
    for row in rows:
        key = int(getattr(row.record, by))
        if key != last:
            groups.append([])
            last = key
        groups[-1].append(row)
    return groups
