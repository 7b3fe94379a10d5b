"""Fits spectra with impedance.py, lmfit and pyimpspec: run by eis.py in the peers' environment.

``python eis_peers.py IN.npz OUT.npz``: IN holds the circuit, guesses and spectra; OUT gets for
every tool the values (NaN where it failed) and CPU seconds of each fit.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import sys
import time
import warnings
from collections.abc import Callable

import numpy as np

Fit = Callable[[str, np.ndarray, np.ndarray, np.ndarray], np.ndarray]


def _bounds(names: list[str]) -> tuple[list[float], list[float]]:
    return (
        [0.3 if name.endswith("_1") else 0.0 for name in names],
        [1.0 if name.endswith("_1") else np.inf for name in names],
    )


def impedance_py(circuit: str, f: np.ndarray, z: np.ndarray, guess: np.ndarray) -> np.ndarray:
    """impedance.py, weighted by the modulus, exponents within 0.3 and 1."""
    from impedance.models.circuits import CustomCircuit

    model = CustomCircuit(circuit, initial_guess=list(guess))
    bounds = _bounds(model.get_param_names()[0])
    model.fit(f, z, bounds=bounds, weight_by_modulus=True)
    return np.asarray(model.parameters_)


def lmfit_plain(circuit: str, f: np.ndarray, z: np.ndarray, guess: np.ndarray) -> np.ndarray:
    """Return what is written by hand around lmfit: R, Q and n as they are, numeric derivatives."""
    import lmfit

    del circuit
    s = 2j * np.pi * f
    weight = 1 / np.abs(z)
    names = ("r0", "r1", "q1", "n1", "r2", "q2", "n2", "q3", "n3")[: len(guess)]
    parameters = lmfit.Parameters()
    for name, value in zip(names, guess, strict=True):
        low, high = (0.3, 1.0) if name[0] == "n" else (0.0, np.inf)
        parameters.add(name, value=float(np.clip(value, low, high)), min=low, max=high)

    def residual(p: lmfit.Parameters) -> np.ndarray:
        v = p.valuesdict()
        model = v["r0"] + sum(
            v[f"r{i}"] / (1 + v[f"r{i}"] * v[f"q{i}"] * s ** v[f"n{i}"]) for i in (1, 2)
        )
        tail = v["q3"] * np.sqrt(2) / np.sqrt(s) if "n3" not in v else 1 / (v["q3"] * s ** v["n3"])
        off = (model + tail - z) * weight
        return np.concatenate([off.real, off.imag])

    result = lmfit.minimize(residual, parameters)
    return np.array([result.params[name].value for name in names])


def pyimpspec_ls(circuit: str, f: np.ndarray, z: np.ndarray, guess: np.ndarray) -> np.ndarray:
    """Pyimpspec with least_squares and modulus weights, from the same guess."""
    import pyimpspec

    del circuit
    parsed = pyimpspec.parse_cdc(_cdc(guess))
    data = pyimpspec.DataSet(frequencies=f, impedances=z)
    result = pyimpspec.fit_circuit(
        parsed, data, method="least_squares", weight="modulus", num_procs=1
    )
    found = np.array([v for e in result.circuit.get_elements() for v in e.get_values().values()])
    if len(guess) == 8:
        found[7] = 1 / (np.sqrt(2) * found[7])  # its Warburg is 1 / (Y √(jω))
    return found[: len(guess)]


def _cdc(guess: np.ndarray) -> str:
    """R0, two arcs and a CPE or a Warburg in pyimpspec's code."""
    arc = "(R{{R={:.6e}}}Q{{Y={:.6e},n={:.6f}/0.3/1}})"
    head = f"R{{R={guess[0]:.6e}}}" + arc.format(*guess[1:4]) + arc.format(*guess[4:7])
    if len(guess) == 8:
        return head + f"W{{Y={1 / (np.sqrt(2) * guess[7]):.6e}}}"
    return head + "Q{{Y={:.6e},n={:.6f}/0.3/1}}".format(*guess[7:9])


TOOLS: dict[str, Fit] = {
    "impedance.py": impedance_py, "lmfit by hand": lmfit_plain, "pyimpspec": pyimpspec_ls,
}  # fmt: skip


def main() -> None:
    """Fit everything with every tool that is asked for."""
    warnings.simplefilter("ignore")
    given = np.load(sys.argv[1], allow_pickle=True)
    out: dict[str, np.ndarray] = {}
    for tool in given["tools"]:
        values, seconds = [], []
        for row in zip(given["f"], given["z"], given["guess"], strict=True):
            f, z, guess = (np.asarray(x) for x in row)
            start = time.process_time()
            try:
                found = TOOLS[str(tool)](str(given["circuit"]), f.astype(float),
                                         z.astype(complex), guess.astype(float))  # fmt: skip
            except Exception:
                found = np.full(len(guess), np.nan)
            seconds.append(time.process_time() - start)
            values.append(found)
        out[f"{tool} values"], out[f"{tool} seconds"] = np.array(values), np.array(seconds)
        print(tool, f"{np.median(seconds):.3f} s", file=sys.stderr, flush=True)
    np.savez(sys.argv[2], **out)


if __name__ == "__main__":
    main()
