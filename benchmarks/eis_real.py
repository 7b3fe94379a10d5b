"""Bars on real spectra: the corpus beside the checkout; without it these lines are left out."""

from __future__ import annotations

import csv
import re
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from eis_beside import TOOLS, Floats, Pair, by_peers, by_rule, costs
from numpy.typing import NDArray

from cellpipe import fit_impedance, fit_impedance_series
from cellpipe.numerics.impedance.circuit_fit import fit_circuit
from cellpipe.numerics.impedance.circuit_forms import build_form, values_from_theta
from cellpipe.numerics.impedance.circuit_starts import start_values
from cellpipe.numerics.impedance.circuits import evaluate_circuit
from cellpipe.numerics.impedance.kramers_kronig import kramers_kronig

SPECTRA = Path(__file__).parents[2] / "shared" / "real_data" / "spectra"
REAL_CIRCUIT = "R0-p(R1,CPE1)-p(R2,CPE2)-CPE3"
ZHANG_CIRCUIT = "L0-R0-p(R1,CPE1)-p(R2,CPE2)-CPE3"
REPEATS_CIRCUIT = "R0-p(R1,CPE1)-p(R2,CPE2)-p(R3,CPE3)-W1"
Row = tuple[str, str, str, str]


def _read(name: str) -> Pair:
    columns = np.genfromtxt(SPECTRA / name, delimiter=",", names=True)
    return columns["f_Hz"], columns["Zre_Ohm"] + 1j * columns["Zim_Ohm"]


def _real_pairs() -> list[Pair]:
    """Every measured spectrum of the corpus, of long series a few; Im Z > 0 left out for all."""
    pairs = []
    with (SPECTRA / "CATALOGUE.tsv").open(encoding="utf-8") as stream:
        for row in csv.DictReader(stream, delimiter="\t"):
            if not row["kind"].startswith("measured"):
                continue
            if row["file"].endswith(".csv"):
                pairs.append(_read(row["file"]))
                continue
            held = np.load(SPECTRA / row["file"])
            places = np.unique(np.linspace(0, len(held["Z"]) - 1, 6).round().astype(int))
            pairs += [(held["f"], held["Z"][place]) for place in places]
    kept = [(f[z.imag < 0], z[z.imag < 0]) for f, z in pairs]
    return [(f, z) for f, z in kept if len(f) >= 12]


def real(_: float) -> Iterator[Row]:
    """Bar 5: real spectra beside the best of all tools."""
    if not SPECTRA.is_dir():
        return
    pairs = _real_pairs()
    start = time.process_time()
    fits = [fit_circuit(REAL_CIRCUIT, f, z) for f, z in pairs]
    seconds = (time.process_time() - start) / len(pairs)
    own = np.array([fit.cost for fit in fits])
    rule = [by_rule(z, 9) for _, z in pairs]
    starts = [_first_start(*pair) for pair in pairs]
    runs = {"rule": by_peers(REAL_CIRCUIT, pairs, rule),
            "cellpipe's": by_peers(REAL_CIRCUIT, pairs, starts)}  # fmt: skip
    reached = {"cellpipe": own}
    for guess, run in runs.items():
        for tool in TOOLS:
            reached[f"{tool} ({guess})"] = costs(REAL_CIRCUIT, pairs, run[f"{tool} values"])
    best = np.min(list(reached.values()), axis=0)
    shares = {name: float(np.mean(cost <= 1.01 * best)) for name, cost in reached.items()}
    worst = float((own / best).max())
    others = ", ".join(
        f"{name} {share:.0%}" for name, share in shares.items() if name != "cellpipe"
    )
    yield (f"{len(pairs)} real spectra, {REAL_CIRCUIT}, within 1 % of the best of all tools; "
           "farthest; exceptions", "≥ 98 %; none", f"{shares['cellpipe']:.1%}; {worst:.2f}; none "
           f"({seconds * 1e3:.0f} ms each)",
           f"{others} (rule of thumb, cellpipe's start)")  # fmt: skip


def _first_start(f: Floats, z: NDArray[np.complex128]) -> Floats:
    form = build_form(REAL_CIRCUIT)
    return values_from_theta(form, start_values(form, f, z, 1 / np.abs(z), 1)[0])


def references(_: float) -> Iterator[Row]:
    """Bar 6: fits that others have published."""
    if not SPECTRA.is_dir():
        return
    values, errors = [], []
    with (SPECTRA / "CATALOGUE.tsv").open(encoding="utf-8") as stream:
        for row in csv.DictReader(stream, delimiter="\t"):
            if row["id"].startswith("eisfitpy_T"):
                stated = np.array(
                    re.findall(r"=([0-9.e+-]+)\+-([0-9.e+-]+)", row["reference"]), float
                )
                fit = fit_impedance(*_read(row["file"]), "p(R1,CPE1)-p(R2,CPE2)-CPE3")
                values.append(np.abs(fit.fit.values / stated[:, 0] - 1).max())
                errors.append(np.abs(fit.fit.errors / stated[:, 1] - 1).max())
    yield ("EISFitpython's seven temperatures: values; standard errors, farthest", "0.1 %; 2 %",
           f"{max(values):.3%}; {max(errors):.2%}", "")  # fmt: skip
    f, z = _read("impy_exampleData.csv")
    f, z = f[z.imag < 0], z[z.imag < 0]
    fit = fit_impedance(f, z, "R0-p(R1,C1)-p(R2-Wo1,C2)", deviation_ohm=np.full(len(f), 1e-3))
    off = fit.impedance_ohm - fit.fit.model
    rms = float(np.sqrt(np.mean(np.concatenate([off.real, off.imag]) ** 2)))
    yield ("impedance.py's example, R0-p(R1,C1)-p(R2-Wo1,C2), root mean square", "≤ 0.000352 Ω",
           f"{rms:.6f} Ω",
           "impedance.py's own documents print 0.000413")  # fmt: skip


def ageing(_: float) -> Iterator[Row]:
    """Bar 8: a real ageing series."""
    if not SPECTRA.is_dir():
        return
    held = np.load(SPECTRA / "series" / "zhang_35C02.npz")
    start = time.process_time()
    found = fit_impedance_series(held["f"], held["Z"], ZHANG_CIRCUIT)
    seconds = time.process_time() - start
    form = found.fits[0].fit.form
    joint = np.array([fit.fit.theta for fit in found.fits])
    single = found.single.copy()
    first = [arc.first for arc in form.arcs]
    order = np.argsort(single[:, [p + 1 for p in first]] - single[:, first], axis=1)
    ranked = np.take_along_axis(single[:, first], order, axis=1)
    rough = [
        float(np.sqrt(np.mean(np.diff(column, 2) ** 2)))
        for column in (*ranked.T, *joint[:, first].T)
    ]
    ratios = [rough[i + len(first)] / rough[i] for i in range(len(first))]
    frequency = np.sort(held["f"])[::-1]
    z = held["Z"][:, np.argsort(-held["f"])]
    left = [
        float(
            np.sqrt(
                np.mean(
                    np.abs(
                        (
                            evaluate_circuit(form.circuit, frequency, values_from_theta(form, t))[0]
                            - z
                        )
                        / z
                    )
                    ** 2
                )
            )
        )
        for t in (single, joint)
    ]
    yield ("299 real spectra jointly: CPU; roughness of R beside single fits; residual beside them",
           "≤ 2 s; ≤ ½; + 2 %", f"{seconds:.2f} s; {', '.join(f'{r:.2f}' for r in ratios)}; "
           f"{left[1] / left[0] - 1:+.1%}", "")  # fmt: skip


def validity(_: float) -> Iterator[Row]:
    """Bar 9: the Kramers–Kronig test."""
    if not SPECTRA.is_dir():
        return
    valid, invalid, seconds = [], [], []
    for path in sorted(SPECTRA.glob("pyimpspec_mock_*.csv")):
        pair = _read(path.name)
        start = time.process_time()
        found = kramers_kronig(*pair)
        seconds.append(time.process_time() - start)
        assert found is not None
        (invalid if "invalid" in path.name else valid).append(found)
    wrong = sum(not f.valid for f in valid) + sum(f.valid for f in invalid)
    yield (f"Kramers–Kronig: {len(valid)} valid and {len(invalid)} invalid mock spectra, "
           "told wrong; "
           "contradiction of the valid, of the invalid; longest", "0; ≤ 40 ms",
           f"{wrong}; ≤ {max(f.contradiction for f in valid):.2f}, "
           f"≥ {min(f.contradiction for f in invalid):.2f}; {max(seconds) * 1e3:.0f} ms",
           "")  # fmt: skip


def repeats(_: float) -> Iterator[Row]:
    """Bar 12: repeats of a solid-state cell."""
    if not SPECTRA.is_dir():
        return
    fits = [
        fit_impedance(*_read(f"hdrt_SSB_NCM_LPSCl_InLi_S2_{i}.csv"), REPEATS_CIRCUIT)
        for i in range(10)
    ]
    said = []
    for name in ("R0", "R1", "R2", "R3"):
        values = np.array([fit.values[name] for fit in fits])
        precision = float(np.mean([fit.precisions[name] / fit.values[name] for fit in fits]))
        formal = float(np.mean([fit.standard_errors[name] / fit.values[name] for fit in fits]))
        spread = float(values.std(ddof=1) / values.mean())
        said.append(f"{name} {spread:.2%}, reported {precision:.2%} (with misfit {formal:.0%})")
    yield ("ten repeats of a solid-state cell: repeatability of each R, and the precision reported",
           "≤ 1.5 %; within × 1.5", "; ".join(said), "")  # fmt: skip
