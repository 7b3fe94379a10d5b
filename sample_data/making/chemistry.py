"""The cells: how they are built, how they age, and their voltage under a current.

A full cell is NCM811 against silicon, a half cell is a silicon composite against Li-In. Charge in
mAh, current in mA (positive charges the cell), potentials in V, resistances in Ω, time in s. Only
sums, products and square roots are used, so that every machine computes the same last bit.
"""

from dataclasses import dataclass, replace
from math import sqrt

from . import curves

SILICON_MAH_PER_G = 3579.0
LI_IN_POTENTIAL = 0.62  # V vs Li/Li+, two-phase In/InLi


@dataclass(frozen=True)
class Build:
    """What a cell is made of and how it ages.

    `cathode_mg` is the active mass of NCM811 (0 in a half cell), `silicon_mg` that of silicon. The
    interphase resistance at time t (h) is `interphase_ohm + interphase_growth * sqrt(t)`. Of the
    lithium that a charging (half cell: lithiating) current brings to silicon, the fraction
    `first_loss` in cycle 1 and `steady_loss + young_loss / sqrt(n)` in cycle n is lost to the
    interphase. `silicon_fade * sqrt(n)` of the silicon has lost contact in cycle n.
    """

    cathode_mg: float
    silicon_mg: float
    bulk_ohm: float
    grain_boundary_ohm: float
    interphase_ohm: float
    interphase_growth: float
    diffusion_ohm: float
    first_loss: float
    steady_loss: float
    young_loss: float
    silicon_fade: float = 0.0

    @property
    def is_full(self) -> bool:
        """True for a full cell, False for a half cell."""
        return self.cathode_mg > 0.0


@dataclass(frozen=True)
class State:
    """Where a cell stands.

    Charge taken out of the cathode and lithium in silicon (mAh), the share of the delithiation
    branch in silicon's hysteresis (0 to 1), the slow polarisation (V), whether silicon is still
    crystalline, and the cycle (from 1) that sets losses and fade.
    """

    cathode_mah: float = 0.0
    silicon_mah: float = 0.0
    branch: float = 0.0
    slow_volt: float = 0.0
    crystalline: bool = True
    cycle: int = 1


def interphase_resistance(build: Build, hours: float) -> float:
    """Interphase resistance in Ω, `hours` after the test began: parabolic growth."""
    return build.interphase_ohm + build.interphase_growth * sqrt(hours)


def ohmic_resistance(build: Build, hours: float) -> float:
    """Resistance in Ω felt at once when a current begins: bulk, grain boundaries, interphase."""
    return build.bulk_ohm + build.grain_boundary_ohm + interphase_resistance(build, hours)


def lost_fraction(build: Build, cycle: int) -> float:
    """Fraction of the lithium brought to silicon that the interphase keeps in this cycle."""
    if cycle == 1:
        return build.first_loss
    return build.steady_loss + build.young_loss / sqrt(cycle)


def silicon_capacity(build: Build, cycle: int) -> float:
    """Capacity of the silicon still in contact, in mAh."""
    contact = 1.0 - build.silicon_fade * sqrt(cycle)
    return build.silicon_mg * SILICON_MAH_PER_G / 1000.0 * contact


def silicon_potential(build: Build, state: State) -> float:
    """Potential of silicon in V vs Li/Li+, between its two hysteresis branches."""
    filled = state.silicon_mah / silicon_capacity(build, state.cycle)
    table = curves.SILICON_FIRST_LITHIATION if state.crystalline else curves.SILICON_LITHIATION
    lithiating = curves.value_at(table, filled)
    delithiating = curves.value_at(curves.SILICON_DELITHIATION, filled)
    return lithiating + (delithiating - lithiating) * state.branch


def open_circuit_voltage(build: Build, state: State) -> float:
    """Voltage in V without current: cathode minus silicon, or silicon against Li-In."""
    silicon = silicon_potential(build, state)
    if not build.is_full:
        return silicon - LI_IN_POTENTIAL
    removed = state.cathode_mah / build.cathode_mg * 1000.0
    return curves.value_at(curves.NCM811, removed) - silicon


def voltage_under(build: Build, state: State, current: float, ohm: float) -> float:
    """Voltage in V under a current: equilibrium, ohmic drop and slow polarisation."""
    return open_circuit_voltage(build, state) + current * ohm / 1000.0 + state.slow_volt


def diffusion_resistance(build: Build, state: State) -> float:
    """Resistance in Ω behind the slow polarisation; a cathode full of lithium is sluggish."""
    if not build.is_full:
        return build.diffusion_ohm
    removed = state.cathode_mah / build.cathode_mg * 1000.0 / 14.0
    return build.diffusion_ohm * (1.0 + 5.0 / (1.0 + removed * removed))


def advanced(build: Build, state: State, current: float, seconds: float) -> State:
    """Return the state after a constant current has flowed for some seconds.

    Silicon is lithiated by the charge of a full cell and by the discharge of a half cell; the lost
    share of that lithium never reaches it. The hysteresis branch follows within 2.5 % of its
    capacity, the slow polarisation within 500 s.
    """
    charge = current * seconds / 3600.0
    into_silicon = charge if build.is_full else -charge
    if into_silicon > 0.0:
        into_silicon *= 1.0 - lost_fraction(build, state.cycle)
    moved = abs(into_silicon) / silicon_capacity(build, state.cycle)
    target = state.branch if moved == 0.0 else (1.0 if into_silicon < 0.0 else 0.0)
    goal = current * diffusion_resistance(build, state) / 1000.0
    return replace(
        state,
        cathode_mah=state.cathode_mah + (charge if build.is_full else 0.0),
        silicon_mah=state.silicon_mah + into_silicon,
        branch=state.branch + (target - state.branch) * moved / (moved + 0.025),
        slow_volt=state.slow_volt + (goal - state.slow_volt) * seconds / (seconds + 500.0),
        crystalline=state.crystalline and not (into_silicon < 0.0 and state.branch > 0.9),
    )
