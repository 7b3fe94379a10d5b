"""The cells of the lab: how each is built, and the test it went through."""

from collections.abc import Iterator
from dataclasses import dataclass

from .chemistry import Build
from .protocol import Record, Recording, Run, Step

AREA_CM2 = 0.785  # a die of 10 mm
SILICON_1C = 3500.0  # mAh/g
NCM811_1C = 200.0  # mAh/g


@dataclass(frozen=True)
class Window:
    """Voltage limits in V against the cell's counter electrode."""

    lower: float
    upper: float


FULL_WINDOW = Window(2.5, 4.2)
HALF_WINDOW = Window(-0.58, 0.90)

BUILDS: dict[str, Build] = {
    "SSB-01": Build(15.71, 1.31, 16.0, 9.0, 16.0, 1.60, 30.0, 0.205, 0.0003, 0.0090),
    "SSB-02": Build(0.0, 0.912, 20.0, 10.0, 18.0, 1.70, 36.0, 0.175, 0.0010, 0.0050, 0.018),
    "SSB-03a": Build(15.86, 1.28, 18.0, 9.0, 18.0, 1.10, 30.0, 0.192, 0.0002, 0.0072),
    "SSB-03b": Build(15.62, 1.25, 19.5, 9.0, 20.0, 1.45, 32.0, 0.200, 0.0003, 0.0090),
    "SSB-04": Build(18.05, 1.46, 14.0, 8.0, 14.0, 0.90, 26.0, 0.168, 0.0002, 0.0060),
    "SSB-05": Build(12.20, 1.02, 20.0, 10.0, 24.0, 2.40, 40.0, 0.240, 0.0005, 0.0140),
    "SSB-06": Build(0.0, 1.135, 17.0, 7.0, 15.0, 1.20, 45.0, 0.150, 0.0010, 0.0045, 0.016),
    "SSB-07": Build(19.60, 1.61, 30.0, 6.0, 12.0, 0.85, 34.0, 0.158, 0.0002, 0.0075),
    "SSB-08": Build(15.80, 1.30, 17.0, 9.0, 17.0, 1.50, 30.0, 0.200, 0.0003, 0.0090),
}


@dataclass(frozen=True)
class Plan:
    """How a cell is cycled.

    C-rates of the formation and of the ageing cycles, the rest between
    half cycles in s, and the C-rate down to which the upper voltage is held (0: not held).
    """

    cycles: int
    formation_cycles: int
    formation_rate: float
    rate: float
    rest: float
    hold_rate: float
    window: Window


PLANS: dict[str, Plan] = {
    "SSB-01": Plan(62, 2, 0.1, 1 / 3, 600.0, 0.0, FULL_WINDOW),
    "SSB-02": Plan(25, 1, 0.1, 0.1, 600.0, 0.0, HALF_WINDOW),
    "SSB-03a": Plan(50, 2, 0.1, 0.5, 600.0, 0.05, FULL_WINDOW),
    "SSB-03b": Plan(50, 2, 0.1, 0.5, 600.0, 0.05, FULL_WINDOW),
    "SSB-04": Plan(50, 2, 0.1, 1 / 3, 900.0, 0.05, FULL_WINDOW),
    "SSB-05": Plan(30, 1, 0.1, 0.2, 600.0, 0.05, Window(2.5, 4.25)),
    "SSB-06": Plan(20, 1, 0.1, 0.1, 1800.0, 0.0, Window(-0.59, 0.90)),
    "SSB-07": Plan(30, 2, 0.1, 0.3, 600.0, 0.0, Window(2.5, 4.25)),
    "SSB-08": Plan(8, 2, 0.1, 1 / 3, 600.0, 0.0, FULL_WINDOW),
}


def one_c(build: Build) -> float:
    """Return the current of 1C in mA, to a microampere as it is typed into a cycler."""
    if build.is_full:
        return round(build.cathode_mg * NCM811_1C / 1000.0, 3)
    return round(build.silicon_mg * SILICON_1C / 1000.0, 3)


def cycle_steps(cell: str, number: int, first_index: int, *, own_rests: bool) -> list[Step]:
    """Return the steps of one cycle: charge first in a full cell, lithiation first in a half cell.

    With `own_rests` a rest is a step of its own with its own index (Arbin, Neware); without, it
    belongs to the step before it (BioLogic).
    """
    build, plan = BUILDS[cell], PLANS[cell]
    rate = plan.formation_rate if number <= plan.formation_cycles else plan.rate
    current = round(rate * one_c(build), 3)
    hold = round(plan.hold_rate * one_c(build), 3)
    charge = (current, plan.window.upper, hold)
    discharge = (-current, plan.window.lower, 0.0)
    halves = (charge, discharge) if build.is_full else (discharge, charge)
    steps: list[Step] = []
    index = first_index
    for flowing, limit, held in halves:
        steps.append(Step(flowing, index, stop_volt=limit, hold_until=held))
        index += own_rests
        steps.append(Step(0.0, index, seconds=plan.rest))
        index += 1
    return steps


def recording(cell: str, first: float) -> Recording:
    """Return records about 70 times per half cycle, and whenever the voltage moved by 30 mV."""
    plan = PLANS[cell]
    interval = float(round(0.8 * 3600.0 / plan.rate / 70.0 / 10.0) * 10)
    return Recording(
        interval=interval, rest_interval=max(plan.rest / 3.0, 180.0), first=first, volts=0.03
    )


def started_run(cell: str, first: float) -> Run:
    """Return a fresh cell on its cycler."""
    return Run(BUILDS[cell], recording(cell, first))


def whole_test(cell: str, first: float) -> list[Record]:
    """Every record of a test on an Arbin or Neware cycler: a rest of 2 h, then all cycles.

    Protocol lines: 1 rest, 2 to 5 formation (6 is its loop), 7 to 10 ageing (11 is its loop).
    """
    run, plan = started_run(cell, first), PLANS[cell]
    run.cycle([Step(0.0, 1, seconds=7200.0)], 1)
    for number in range(1, plan.cycles + 1):
        line = 2 if number <= plan.formation_cycles else 7
        run.cycle(cycle_steps(cell, number, line, own_rests=True), number)
    return run.taken()


def cycles_in_passes(cell: str, run: Run, first: int, last: int, per_pass: int) -> Iterator[int]:
    """Run cycles `first` to `last` on a BioLogic cycler, stopping after every pass of some cycles.

    Each pass begins with a rest of 30 s (sequence 0). Yields the number of the pass, from 1.
    """
    for number in range(first, last + 1):
        if (number - first) % per_pass == 0:
            run.cycle([Step(0.0, 0, seconds=30.0)], number)
        run.cycle(cycle_steps(cell, number, 1, own_rests=False), number)
        if (number - first) % per_pass == per_pass - 1:
            yield (number - first) // per_pass + 1
