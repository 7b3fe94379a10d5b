"""Peers beside cellpipe: their guesses, their fits in an environment of their own, their costs."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cellpipe.numerics.impedance.circuits import evaluate_circuit, parse_circuit

HERE = Path(__file__).parent
PEERS = HERE / ".peers-eis"
PINNED = ("impedance==1.7.1", "pyimpspec==5.1.3", "lmfit==1.3.4")
TOOLS = ("impedance.py", "lmfit by hand", "pyimpspec")
Floats = NDArray[np.float64]
Pair = tuple[Floats, NDArray[np.complex128]]


def by_rule(z: NDArray[np.complex128], size: int) -> Floats:
    """Guess by rule of thumb: the span of Z' shared, usual Q and n."""
    low, span = float(z.real.min()), float(z.real.max() - z.real.min())
    tail = [span * 0.1] if size == 8 else [1 / span, 0.6]
    return np.array([max(low, 1e-3), 0.3 * span, 1e-6, 0.85, 0.3 * span, 1e-4, 0.85, *tail])


def costs(circuit: str, pairs: Sequence[Pair], values: Floats) -> Floats:
    """Return sums of squared relative residuals; infinite where a fit failed."""
    tree = parse_circuit(circuit)
    out = []
    for (f, z), row in zip(pairs, values, strict=True):
        with np.errstate(all="ignore"):
            model = evaluate_circuit(tree, f, np.asarray(row, float))[0]
        cost = float(np.sum(np.abs((model - z) / z) ** 2))
        out.append(cost if np.isfinite(cost) else np.inf)
    return np.array(out)


def by_peers(
    circuit: str, pairs: Sequence[Pair], guesses: Sequence[Floats]
) -> dict[str, NDArray[np.float64]]:
    """Let the peers fit in their own environment, which is made if it is not there."""
    python = PEERS / ("Scripts" if os.name == "nt" else "bin") / "python"
    if not python.is_file():
        subprocess.run([sys.executable, "-m", "venv", str(PEERS)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", *PINNED], check=True)

    def ragged(items: Sequence[NDArray[np.generic]]) -> NDArray[np.object_]:
        out = np.empty(len(items), object)
        for place, item in enumerate(items):
            out[place] = item
        return out

    with tempfile.TemporaryDirectory() as folder:
        given, made = Path(folder) / "in.npz", Path(folder) / "out.npz"
        np.savez(
            given, circuit=circuit,
            f=ragged([f for f, _ in pairs]), z=ragged([z for _, z in pairs]),
            guess=ragged(guesses), tools=list(TOOLS),
        )  # fmt: skip
        subprocess.run([str(python), str(HERE / "eis_peers.py"), str(given), str(made)], check=True)
        return dict(np.load(made))
