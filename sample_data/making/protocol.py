"""Protocols: what the cycler does with a cell, and the records it keeps of it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from .chemistry import (
    Build,
    State,
    advanced,
    ohmic_resistance,
    open_circuit_voltage,
    voltage_under,
)


@dataclass(frozen=True)
class Step:
    """One step of a protocol.

    A current other than 0 (mA) flows until `stop_volt` is reached; with `hold_until` (mA) that
    voltage is then held until the current has fallen so low. A rest has current 0 and lasts
    `seconds`. `index` is the line of the protocol as the vendor numbers it.
    """

    current: float
    index: int
    stop_volt: float = 0.0
    hold_until: float = 0.0
    seconds: float = 0.0


@dataclass(frozen=True)
class Record:
    """One record of a test.

    Times in s (of the test and of the step), V, mA, and the charge in mAh that flowed since the
    record before. `cycle` counts from 1, `step` counts every step run.
    """

    time: float
    step_time: float
    volt: float
    current: float
    charge: float
    cycle: int
    step: int
    index: int
    nominal: float
    holds_voltage: bool


@dataclass(frozen=True)
class Recording:
    """When records are kept.

    At a step's start plus `first` s, every `interval` s (rests:
    `rest_interval` s), and when the voltage has moved by `volts`.
    """

    interval: float
    rest_interval: float = 120.0
    first: float = 0.0
    volts: float = 0.02


@dataclass
class Run:
    """A cell on a cycler: its state, the clock in s, and the records kept so far."""

    build: Build
    recording: Recording
    state: State = field(default_factory=State)
    clock: float = 0.0
    steps: int = 0
    records: list[Record] = field(default_factory=list)

    def cycle(self, steps: Iterable[Step], number: int) -> None:
        """Run the steps of one cycle."""
        self.state = replace(self.state, cycle=number)
        for step in steps:
            _run_step(self, step)

    def taken(self) -> list[Record]:
        """Return the records since they were last taken, and an empty list for the next."""
        taken, self.records = self.records, []
        return taken


@dataclass
class _Meter:
    """What the cycler remembers between two records of a step."""

    begun: float
    last_time: float
    last_volt: float
    charge: float = 0.0


def _run_step(run: Run, step: Step) -> None:
    """Run one step: rest, or constant current and then, if asked for, constant voltage."""
    run.steps += 1
    ohm = ohmic_resistance(run.build, run.clock / 3600.0)
    volt = voltage_under(run.build, run.state, step.current, ohm)
    meter = _Meter(begun=run.clock, last_time=run.clock, last_volt=volt)
    _flow(run, step.current, run.recording.first, meter)
    _keep(run, step, step.current, ohm, meter)
    if step.current == 0.0:
        _rest(run, step, ohm, meter)
        return
    _constant_current(run, step, ohm, meter)
    if step.hold_until > 0.0:
        _constant_voltage(run, step, ohm, meter)


def _flow(run: Run, current: float, seconds: float, meter: _Meter) -> None:
    """Let the current flow for some seconds."""
    run.state = advanced(run.build, run.state, current, seconds)
    run.clock += seconds
    meter.charge += current * seconds / 3600.0


def _keep(
    run: Run, step: Step, current: float, ohm: float, meter: _Meter, *, holding: bool = False
) -> None:
    """Keep a record of this moment."""
    volt = step.stop_volt if holding else voltage_under(run.build, run.state, current, ohm)
    run.records.append(
        Record(
            time=run.clock,
            step_time=run.clock - meter.begun,
            volt=volt,
            current=current,
            charge=meter.charge,
            cycle=run.state.cycle,
            step=run.steps,
            index=step.index,
            nominal=step.current,
            holds_voltage=holding,
        )
    )
    meter.last_time, meter.last_volt, meter.charge = run.clock, volt, 0.0


def _rest(run: Run, step: Step, ohm: float, meter: _Meter) -> None:
    """Let the cell relax until the rest is over."""
    end = meter.begun + step.seconds
    while run.clock < end - 1e-6:
        seconds = min(10.0, end - run.clock)
        _flow(run, 0.0, seconds, meter)
        volt = voltage_under(run.build, run.state, 0.0, ohm)
        moved = abs(volt - meter.last_volt) >= run.recording.volts
        due = run.clock - meter.last_time >= run.recording.rest_interval - 1e-6
        if moved or due or run.clock >= end - 1e-6:
            _keep(run, step, 0.0, ohm, meter)


def _passed(step: Step, volt: float) -> bool:
    """Return true once the voltage has reached the limit in the direction of the current."""
    return volt >= step.stop_volt if step.current > 0.0 else volt <= step.stop_volt


def _constant_current(run: Run, step: Step, ohm: float, meter: _Meter) -> None:
    """Constant current until the voltage limit, which is met to about a microvolt."""
    longest = run.recording.interval / 4.0
    seconds = longest / 16.0
    volt = voltage_under(run.build, run.state, step.current, ohm)
    while not _passed(step, volt):
        left = run.recording.interval - (run.clock - meter.last_time)
        seconds = min(seconds, longest, max(left, 0.02))
        ahead = advanced(run.build, run.state, step.current, seconds)
        next_volt = voltage_under(run.build, ahead, step.current, ohm)
        if (_passed(step, next_volt) or abs(next_volt - volt) > run.recording.volts) and (
            seconds > 0.01
        ):
            seconds /= 2.0
            continue
        _flow(run, step.current, seconds, meter)
        volt = next_volt
        seconds *= 1.5
        moved = abs(volt - meter.last_volt) >= run.recording.volts
        due = run.clock - meter.last_time >= run.recording.interval - 1e-3
        if moved or due or _passed(step, volt):
            _keep(run, step, step.current, ohm, meter)


def _constant_voltage(run: Run, step: Step, ohm: float, meter: _Meter) -> None:
    """Hold the voltage limit until the current has fallen to `hold_until`."""
    seconds = run.recording.interval / 12.0
    current = last = step.current
    while abs(current) > step.hold_until:
        equilibrium = open_circuit_voltage(run.build, run.state) + run.state.slow_volt
        current = (step.stop_volt - equilibrium) * 1000.0 / ohm
        current = min(max(current, -abs(last)), abs(last))
        _flow(run, current, seconds, meter)
        due = run.clock - meter.last_time >= run.recording.interval - 1e-3
        if due or abs(current) < 0.85 * abs(last) or abs(current) <= step.hold_until:
            _keep(run, step, current, ohm, meter, holding=True)
            last = current


def total_charge(records: Sequence[Record], *, positive: bool, cycle: int) -> float:
    """Charge in mAh that flowed in one direction during one cycle."""
    chosen = (r.charge for r in records if r.cycle == cycle and (r.nominal > 0.0) == positive)
    return abs(sum(chosen))


def wait(run: Run, seconds: float) -> None:
    """Let time pass without records, as while another technique has the cell."""
    left = seconds
    while left > 0.0:
        part = min(30.0, left)
        run.state = advanced(run.build, run.state, 0.0, part)
        run.clock += part
        left -= part
