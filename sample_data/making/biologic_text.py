"""The half cell SSB-02: cycling and spectra as EC-Lab exports them into text."""

from datetime import datetime, timedelta

import numpy as np

from . import biologic_mpt as mpt
from .biologic import FIRST_RECORD, Sweep, looped_cycling
from .biologic_parameters import galvanostatic_lines
from .biologic_records import galvanostatic_records
from .impedance import Elements, frequencies
from .lab import AREA_CM2, BUILDS, cycle_steps, one_c, recording, started_run
from .noise import bell_numbers
from .truth import Fact, cell_facts, circuit_facts

_ELEMENTS = Elements((5.0e-8, 0.90), (1.6e-5, 0.84), (0.040, 0.58))
_PEIS_LINES = (
    ("Mode", ["Single sine"]), ("E (V)", ["0.0000"]), ("vs.", ["Eoc"]),
    ("tE (h:m:s)", ["0:00:0.0000"]), ("record", ["0"]), ("fi", ["7.000"]), ("unit fi", ["MHz"]),
    ("ff", ["10.000"]), ("unit ff", ["mHz"]), ("Nd", ["10"]), ("Points", ["per decade"]),
    ("spacing", ["Logarithmic"]), ("Va (mV)", ["10.0"]), ("pw", ["0.10"]), ("Na", ["2"]),
    ("corr", ["0"]), ("E range min (V)", ["-2.500"]), ("E range max (V)", ["5.000"]),
    ("I Range", ["Auto"]), ("Bandwidth", ["5"]), ("nc cycles", ["0"]), ("goto Ns'", ["0"]),
    ("nr cycles", ["0"]), ("inc. cycle", ["0"]),
)  # fmt: skip


def ssb_02() -> tuple[dict[str, bytes], list[Fact]]:
    """Cycling with decimal commas, spectra with decimal points (exported on another computer)."""
    cell, begun = "SSB-02", datetime.fromisoformat("2025-04-22T14:05:11.306")
    names = (f"{cell}_01_GCPL_C02.mpt", f"{cell}_02_PEIS_C02.mpt")
    run = started_run(cell, FIRST_RECORD)
    sweep = Sweep(_ELEMENTS, frequencies(7.0e6, 0.01, 8), names[1])
    loop = looped_cycling(cell, run, 1, 5, sweep)
    table = galvanostatic_records(loop.records, 21)
    flow = bell_numbers(22, len(loop.records))
    currents = [
        round(record.current * (1.0 + 1.0e-5 * float(noise)), 9)
        for record, noise in zip(loop.records, flow, strict=True)
    ]
    spectra = np.concatenate(loop.spectra)
    cycling = mpt.mpt_file(
        _cycling_heading(cell, names[0], begun, loop.cycling_starts),
        mpt.GCPL_NAMES,
        mpt.galvanostatic_rows(table, currents),
        comma=True,
    )
    sweeps = mpt.mpt_file(
        _spectra_heading(cell, names[1], begun, float(spectra["time"][0]), loop.spectra_starts),
        mpt.PEIS_NAMES,
        mpt.impedance_rows(spectra),
        comma=False,
    )
    facts = [*cell_facts(cell, loop.records), *circuit_facts(cell, run.build), *loop.facts]
    return {names[0]: cycling, names[1]: sweeps}, facts


def _cycling_heading(cell: str, name: str, begun: datetime, loops: list[int]) -> mpt.TextHeading:
    """Return the heading of the cycling."""
    steps = cycle_steps(cell, 2, 1, own_rests=False)
    lines = galvanostatic_lines(steps, 5, recording(cell, FIRST_RECORD).interval)
    title = "Galvanostatic Cycling with Potential Limitation"
    return _heading(cell, title, name, begun, begun, lines, loops)


def _spectra_heading(
    cell: str, name: str, begun: datetime, first: float, loops: list[int]
) -> mpt.TextHeading:
    """Return the heading of the spectra, of which the first began `first` seconds into the test."""
    title = "Potentio Electrochemical Impedance Spectroscopy"
    later = begun + timedelta(milliseconds=round(first * 1000.0))
    return _heading(cell, title, name, begun, later, list(_PEIS_LINES), loops)


def _heading(
    cell: str,
    title: str,
    name: str,
    begun: datetime,
    later: datetime,
    lines: list[tuple[str, list[str]]],
    loops: list[int],
) -> mpt.TextHeading:
    """Return what both exports say of the cell."""
    build = BUILDS[cell]
    return mpt.TextHeading(
        technique=title,
        file_name=name,
        begun=begun,
        technique_begun=later,
        channel=2,
        comment="Si 60 wt%, Li6PS5Cl 35 wt%, VGCF 5 wt%; 25 °C",
        electrode="Si/Li6PS5Cl/C | Li6PS5Cl | Li-In",
        electrolyte="Li6PS5Cl",
        area_cm2=AREA_CM2,
        active_mass_mg=build.silicon_mg,
        capacity_mah=one_c(build),
        parameters=lines,
        loops=loops,
    )
