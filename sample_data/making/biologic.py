"""The BioLogic tests: techniques that EC-Lab ran one after the other, each into its own file."""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from . import biologic_mpr as mpr
from .biologic_parameters import galvanostatic_parameters
from .biologic_records import (
    galvanostatic_records,
    impedance_records,
    open_circuit_records,
    sweep_seconds,
)
from .chemistry import open_circuit_voltage
from .impedance import Elements, frequencies
from .lab import (
    AREA_CM2,
    BUILDS,
    PLANS,
    cycle_steps,
    cycles_in_passes,
    one_c,
    recording,
    started_run,
)
from .protocol import Record, Run, Step, wait
from .truth import Fact, cell_facts, circuit_facts, spectrum_fact

FIRST_RECORD = 0.0004  # s after a step began


@dataclass
class Loop:
    """Cycling and spectra that took turns: the records of both, where each turn began, facts."""

    records: list[Record] = field(default_factory=list)
    spectra: list[NDArray[np.void]] = field(default_factory=list)
    cycling_starts: list[int] = field(default_factory=list)
    facts: list[Fact] = field(default_factory=list)

    @property
    def spectra_starts(self) -> list[int]:
        """First record of each spectrum, and the end."""
        sizes = [spectrum.size for spectrum in self.spectra]
        return [0, *np.cumsum(sizes).tolist()]


@dataclass(frozen=True)
class Sweep:
    """Spectra of a cell: circuit elements and frequencies, and the file they are named after."""

    elements: Elements
    hertz: NDArray[np.float64]
    file_name: str


def spectrum_now(cell: str, run: Run, sweep: Sweep, number: int) -> tuple[NDArray[np.void], Fact]:
    """One spectrum taken now; the cell rests while it is taken."""
    wait(run, 2.0)
    begun, volt = run.clock, open_circuit_voltage(run.build, run.state) + run.state.slow_volt
    spectrum = impedance_records(run.build, sweep.elements, begun, volt, sweep.hertz, number)
    fact = spectrum_fact(cell, run.build, f"{sweep.file_name} {number}", begun)
    wait(run, float(sweep_seconds(sweep.hertz)[-1]) + 2.0)
    return spectrum, fact


def looped_cycling(cell: str, run: Run, first: int, per_pass: int, sweep: Sweep) -> Loop:
    """Cycle to the end of the plan; after every pass of some cycles a spectrum is taken."""
    loop = Loop(cycling_starts=[0])
    for number in cycles_in_passes(cell, run, first, PLANS[cell].cycles, per_pass):
        loop.records += run.taken()
        loop.cycling_starts.append(len(loop.records))
        spectrum, fact = spectrum_now(cell, run, sweep, number)
        loop.spectra.append(spectrum)
        loop.facts.append(fact)
    return loop


def heading(cell: str, begun: datetime, comment: str) -> mpr.Heading:
    """Return what the operator typed into EC-Lab for this cell."""
    build = BUILDS[cell]
    mass = build.cathode_mg or build.silicon_mg
    electrode = "NCM811 | Li6PS5Cl | uSi" if build.is_full else "Si/Li6PS5Cl/C | Li6PS5Cl | Li-In"
    return mpr.Heading(
        technique=mpr.OCV,
        file_name="",
        begun=begun,
        comment=comment,
        electrode=electrode,
        electrolyte="Li6PS5Cl",
        area_cm2=AREA_CM2,
        active_mass_mg=mass,
        capacity_mah=one_c(build),
    )


def galvanostatic_heading(plain: mpr.Heading, name: str, cell: str, cycles: range) -> mpr.Heading:
    """Return the heading of a GCPL file that runs some cycles."""
    steps = cycle_steps(cell, cycles[0], 1, own_rests=False)
    interval = recording(cell, FIRST_RECORD).interval
    parameters = galvanostatic_parameters(steps, len(cycles), interval)
    return replace(plain, technique=mpr.GCPL, file_name=name, parameters=parameters)


def ssb_01() -> tuple[dict[str, bytes], list[Fact]]:
    """Full cell in five linked `.mpr` files: OCV, formation, spectrum, ageing, spectra."""
    cell, begun = "SSB-01", datetime.fromisoformat("2025-03-17T09:12:30.512")
    names = [f"{cell}_{n:02d}_{t}_C01.mpr" for n, t in enumerate(_TECHNIQUES, start=1)]
    plain = heading(cell, begun, "NCM811 20 mg/cm2, uSi, 25 °C, 75 MPa")
    run = started_run(cell, FIRST_RECORD)
    run.cycle([Step(0.0, 0, seconds=7200.0)], 1)
    rest = run.taken()
    for _ in cycles_in_passes(cell, run, 1, 2, 2):
        pass
    formation = run.taken()
    hertz = frequencies(7.0e6, 0.01, 8)
    single = Sweep(Elements(), hertz, names[2])
    fresh, fresh_fact = spectrum_now(cell, run, single, 1)
    loop = looped_cycling(cell, run, 3, 5, Sweep(Elements(), hertz, names[4]))
    ageing = galvanostatic_records(loop.records, 13)
    spectra = np.concatenate(loop.spectra)
    end = begun + timedelta(seconds=run.clock)
    gcpl = [galvanostatic_heading(plain, names[1], cell, range(1, 3))]
    gcpl.append(galvanostatic_heading(plain, names[3], cell, range(3, 8)))
    peis = [replace(plain, technique=mpr.PEIS, file_name=names[n]) for n in (2, 4)]
    files = [
        mpr.mpr_file(
            replace(plain, file_name=names[0]), mpr.OCV_COLUMNS, open_circuit_records(rest, 11), end
        ),
        mpr.mpr_file(gcpl[0], mpr.GCPL_COLUMNS, galvanostatic_records(formation, 12), end),
        mpr.mpr_file(peis[0], mpr.PEIS_COLUMNS, fresh, end),
        mpr.mpr_file(gcpl[1], mpr.GCPL_COLUMNS, ageing, end, loop.cycling_starts),
        mpr.mpr_file(peis[1], mpr.PEIS_COLUMNS, spectra, end, loop.spectra_starts),
    ]
    facts = cell_facts(cell, formation + loop.records) + circuit_facts(cell, run.build)
    return dict(zip(names, files, strict=True)), [*facts, fresh_fact, *loop.facts]


_TECHNIQUES = ("OCV", "GCPL", "PEIS", "GCPL", "PEIS")


def ssb_08() -> dict[str, bytes]:
    """Return a `.mpr` of which the copy over the network broke off before its first record."""
    cell, begun = "SSB-08", datetime.fromisoformat("2025-05-05T16:40:02.118")
    name = f"{cell}_02_GCPL_C03.mpr"
    run = started_run(cell, FIRST_RECORD)
    for _ in cycles_in_passes(cell, run, 1, PLANS[cell].cycles, PLANS[cell].cycles):
        pass
    head = heading(cell, begun, "NCM811 20 mg/cm2, uSi, 25 °C, 75 MPa")
    head = galvanostatic_heading(head, name, cell, range(1, PLANS[cell].cycles + 1))
    records = galvanostatic_records(run.taken(), 81)
    whole = mpr.mpr_file(head, mpr.GCPL_COLUMNS, records, begun + timedelta(seconds=run.clock))
    return {name: whole[:4096]}
