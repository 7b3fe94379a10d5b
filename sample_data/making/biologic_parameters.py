"""The parameters of BioLogic techniques: as `VMP Set` stores them and as `.mpt` headers print."""

import struct
from collections.abc import Sequence

import numpy as np

from .protocol import Step

# One set (one Ns) of a GCPL: 33 parameters in 102 bytes.
_GCPL_SET = np.dtype(
    [
        ("set_i_c", "u1"), ("current", "<f4"), ("unit_current", "u1"), ("versus", "u1"),
        ("n", "<f4"), ("sign", "u1"), ("t1", "<f4"), ("i_range", "u1"), ("bandwidth", "u1"),
        ("de1", "<f4"), ("dt1", "<f4"), ("em", "<f4"), ("tm", "<f4"), ("im", "<f4"),
        ("unit_im", "u1"), ("di_dt", "<f4"), ("unit_di_dt", "u1"), ("e_min", "<f4"),
        ("e_max", "<f4"), ("dq", "<f4"), ("unit_dq", "u1"), ("dtq", "<f4"), ("dQM", "<f4"),
        ("unit_dqm", "u1"), ("dxm", "<f4"), ("dsoc", "<f4"), ("tr", "<f4"), ("der_dt", "<f4"),
        ("der", "<f4"), ("dtr", "<f4"), ("el", "<f4"), ("goto", "<i4"), ("cycles", "<i4"),
    ]
)  # fmt: skip


def galvanostatic_parameters(steps: Sequence[Step], cycles: int, interval: float) -> bytes:
    """Return the sets of a GCPL: Ns 0 rests, then one set per half cycle; the last loops to Ns 1.

    `steps` are those of one cycle, each current followed by its rest.
    """
    flowing, rests = steps[0::2], steps[1::2]
    table = np.zeros(1 + len(flowing), dtype=_GCPL_SET)
    table["bandwidth"], table["unit_current"], table["n"] = 5, 1, 1.0
    table["e_min"], table["e_max"], table["i_range"] = -2.5, 5.0, 10
    table["tr"][0], table["dtr"][0] = 30.0, 30.0
    for row, step, rest in zip(table[1:], flowing, rests, strict=True):
        row["current"], row["em"], row["t1"] = step.current, step.stop_volt, 3.6e6
        row["dt1"], row["de1"], row["tr"] = interval, 30.0, rest.seconds
        row["dtr"] = rest.seconds / 3.0
    table["goto"][-1], table["cycles"][-1] = 1, cycles - 1
    return struct.pack("<HH", len(table), len(_GCPL_SET.names or ())) + table.tobytes()


def galvanostatic_lines(
    steps: Sequence[Step], cycles: int, interval: float
) -> list[tuple[str, list[str]]]:
    """Return the same parameters as lines of an `.mpt` header: name, and one value per set."""
    flowing, rests = steps[0::2], steps[1::2]
    last = ["0"] * len(flowing)
    clock = [f"0:{int(rest.seconds) // 60:02d}:0.0000" for rest in rests]
    return [
        ("Ns", [str(number) for number in range(1 + len(flowing))]),
        ("Set I/C", ["I"] * (1 + len(flowing))),
        ("Is", ["0.000", *[f"{step.current:.3f}" for step in flowing]]),
        ("unit Is", ["mA"] * (1 + len(flowing))),
        ("vs.", ["<None>"] * (1 + len(flowing))),
        ("N", ["1.00"] * (1 + len(flowing))),
        ("I sign", ["> 0"] * (1 + len(flowing))),
        ("t1 (h:m:s)", ["0:00:0.0000", *["1000:00:0.0000" for _ in flowing]]),
        ("I Range", ["1 mA"] * (1 + len(flowing))),
        ("Bandwidth", ["5"] * (1 + len(flowing))),
        ("dE1 (mV)", ["0.00", *["30.00" for _ in flowing]]),
        ("dt1 (s)", ["0.0000", *[f"{interval:.4f}" for _ in flowing]]),
        ("EM (V)", ["0.000", *[f"{step.stop_volt:.3f}" for step in flowing]]),
        ("tM (h:m:s)", ["0:00:0.0000"] * (1 + len(flowing))),
        ("Im", ["0.000"] * (1 + len(flowing))),
        ("unit Im", ["mA"] * (1 + len(flowing))),
        ("E range min (V)", ["-2.500"] * (1 + len(flowing))),
        ("E range max (V)", ["5.000"] * (1 + len(flowing))),
        ("dQM", ["0.000"] * (1 + len(flowing))),
        ("tR (h:m:s)", ["0:00:30.0000", *clock]),
        ("dER/dt (mV/h)", ["0.0"] * (1 + len(flowing))),
        ("dtR (s)", ["30.0000", *[f"{rest.seconds / 3.0:.4f}" for rest in rests]]),
        ("EL (V)", ["pass"] * (1 + len(flowing))),
        ("goto Ns'", ["0", *last[:-1], "1"]),
        ("nc cycles", ["0", *last[:-1], str(cycles - 1)]),
    ]
