"""Records of a BioLogic test as EC-Lab counts them: flags, half cycles, running charges."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .biologic_mpr import GCPL_RECORD, OCV_RECORD, PEIS_RECORD
from .chemistry import Build
from .impedance import Elements, impedance, measured_impedance
from .noise import bell_numbers
from .protocol import Record

# Bits of the flag byte.
_RESTING, _HOLDING, _CURRENT = 3, 2, 1
_OXIDATION, _CONTROL_CHANGED, _SEQUENCE_CHANGED, _COUNTED = 0x04, 0x10, 0x20, 0x80
_MILLIAMPERE_RANGE, _REST_RANGE = 10, 12


def galvanostatic_records(records: Sequence[Record], seed: int) -> NDArray[np.void]:
    """Return records of a GCPL: the current is not stored, it is 3600 dq / dt.

    A half cycle begins with the first record of a current of the other sign; rests belong to the
    half cycle before them. The voltage carries 60 µV of noise.
    """
    table = np.zeros(len(records), dtype=GCPL_RECORD)
    half, sign, q, q_half, sequence, control = 0, 0.0, 0.0, 0.0, 0, 0.0
    for row, record in zip(table, records, strict=True):
        if record.nominal != 0.0 and record.nominal * sign < 0.0:
            half, q_half = half + 1, 0.0
        sign = record.nominal or sign
        dq = round(record.charge, 12)
        q, q_half = q + dq, q_half + dq
        wanted = record.nominal if not record.holds_voltage else record.volt
        flags = _mode(record) | (_OXIDATION if sign > 0.0 else 0)
        flags |= _CONTROL_CHANGED if wanted != control else 0
        flags |= _SEQUENCE_CHANGED if record.index != sequence else 0
        flags |= _COUNTED if half % 2 else 0
        sequence, control = record.index, wanted
        range_code = _REST_RANGE if record.nominal == 0.0 else _MILLIAMPERE_RANGE
        row["flags"], row["sequence"], row["time"] = flags, sequence, round(record.time, 6)
        row["dq"], row["q"], row["q_half"], row["half"] = dq, round(q, 12), round(q_half, 12), half
        row["control"], row["volt"], row["range"] = wanted, record.volt, range_code
    volts = np.array([record.volt for record in records])
    table["volt"] = np.round(volts + 6.0e-5 * bell_numbers(seed, len(records)), 6)
    return table


def _mode(record: Record) -> int:
    """Return the two lowest bits: 1 current control, 2 voltage control, 3 open circuit."""
    if record.nominal == 0.0:
        return _RESTING
    return _HOLDING if record.holds_voltage else _CURRENT


def open_circuit_records(records: Sequence[Record], seed: int) -> NDArray[np.void]:
    """Return records of an OCV technique."""
    table = np.zeros(len(records), dtype=OCV_RECORD)
    table["flags"] = _RESTING
    table["flags"][-1] |= 0x40
    table["time"] = [round(record.time, 6) for record in records]
    volts = np.array([record.volt for record in records])
    table["volt"] = np.round(volts + 6.0e-5 * bell_numbers(seed, len(records)), 6)
    return table


def sweep_seconds(hertz: NDArray[np.float64]) -> NDArray[np.float64]:
    """Seconds from the start of a spectrum to the end of each of its points."""
    return np.cumsum(0.45 + 2.2 / hertz)


def impedance_records(
    build: Build,
    elements: Elements,
    begun: float,
    volt: float,
    hertz: NDArray[np.float64],
    cycle: int,
) -> NDArray[np.void]:
    """Return records of one spectrum begun `begun` seconds into the test, with 0.4 % of noise."""
    clean = impedance(build, elements, begun / 3600.0, hertz)
    seed = round(10.0 * begun)
    ohm = measured_impedance(clean, seed, 0.004)
    table = np.zeros(hertz.size, dtype=PEIS_RECORD)
    omega = 2.0 * np.pi * hertz
    table["hertz"], table["cycle"] = hertz, float(cycle)
    table["real"], table["minus_imaginary"] = ohm.real, -ohm.imag
    table["modulus"], table["phase"] = np.abs(ohm), np.degrees(np.angle(ohm))
    table["time"] = np.round(begun + sweep_seconds(hertz), 6)
    table["cs"] = -1.0e6 / (omega * ohm.imag)
    table["cp"] = 1.0e6 * (1.0 / ohm).imag / omega
    noise = bell_numbers(seed + 1_000_000_000, 2 * hertz.size).reshape(2, -1)
    table["volt"] = np.round(volt + 3.0e-5 * noise[0], 6)
    table["current"] = np.round(2.0e-4 * noise[1], 7)
    table["volt_sine"], table["current_sine"] = 0.01, 0.01 / np.abs(ohm)
    table["range"] = _MILLIAMPERE_RANGE
    return table
