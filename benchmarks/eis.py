"""How well and how fast spectra are fitted, beside peers: ``python benchmarks/eis.py``.

Made spectra and series come from tests/numerics/made_spectra.py; real ones, and those with
published fits, from the corpus beside the checkout, without which their lines are left out. Peers
fit the same spectra in an environment of their own in benchmarks/.peers-eis, from a good guess (the
true values, each off by a factor of up to two), and from one by rule of thumb. BLAS runs on one
thread. Writes its section of docs/benchmarks.md.
"""

from __future__ import annotations

import os

os.environ["OPENBLAS_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"] = "1"

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "tests" / "numerics"))

from eis_arcs import before_blocking, diffusion, pellets
from eis_beside import PINNED, TOOLS, Floats, by_peers, by_rule, costs
from eis_growth import constants, laws, which_clock
from eis_interfaces import energies, interfaces, odd_spectra, single_arcs
from eis_real import Row, ageing, real, references, repeats, validity
from made_spectra import (
    FREQUENCY,
    KINDS,
    Made,
    arcs_in_a_row,
    labelled,
    series,
    two_arcs,
    with_outliers,
)
from page import table, write_section

from cellpipe import fit_impedance, fit_impedance_series
from cellpipe.numerics.impedance.circuit_choice import fit_best_circuit
from cellpipe.numerics.impedance.circuit_forms import values_from_theta
from cellpipe.numerics.impedance.growth import fit_growth


def main() -> None:
    """Measure all bars and write the section."""
    parser = argparse.ArgumentParser(description="Measure fits of impedance spectra.")
    parser.add_argument("--only", default="", help="numbers of the bars to measure, as 1,4,7")
    parser.add_argument("--share", type=float, default=1.0, help="share of the spectra to make")
    options = parser.parse_args()
    wanted = set(options.only.split(",")) - {""}
    rows: list[tuple[str, ...]] = []
    for number, measure in BARS:
        if wanted and number not in wanted:
            continue
        for row in measure(options.share):
            rows.append((number, *row))
            print(*rows[-1], sep=" | ", flush=True)
    heads = ("#", "What", "Bar", "cellpipe", "Peers on the same spectra")
    for title, numbers in _APART.items():
        about = [row[:-1] for row in rows if row[0] in numbers]
        if {row[0] for row in about} == numbers and options.share == 1:
            command = f"python benchmarks/eis.py --only {','.join(sorted(numbers))}"
            write_section(title, command, table(heads[:-1], about))
    if not wanted and options.share == 1:
        rows = [row for row in rows if not any(row[0] in numbers for numbers in _APART.values())]
        lines = [
            "No start values are given to cellpipe; peers start from a good guess (the truth, each "
            "value off by a factor of up to two) or one by rule of thumb. CPU seconds of one core, "
            f'BLAS on one thread. Peers: {", ".join(PINNED)}. "Bound" is the Cramér–Rao bound. '
            "pyimpspec minimises another objective: it is not at this optimum even where its "
            "values are near.\n",
            *table(heads, rows),
        ]
        write_section("Impedance", "python benchmarks/eis.py", lines)


class _Fitted:
    """What fits of made spectra reached beside a fit from the truth, and beside the bound."""

    def __init__(self, made: list[Made]) -> None:
        self.made, self.seconds = made, []
        self.error, self.spread, self.best, self.oracle_off = [], [], [], []
        for one in made:
            start = time.process_time()
            fit = fit_impedance(one.frequency, one.impedance, one.form.circuit.text)
            self.seconds.append(time.process_time() - start)
            truth, cost = one.from_truth()
            self.best.append(bool(fit.used.all()) and fit.fit.cost <= 1.0001 * cost)
            self.error.append(fit.fit.theta - one.theta)
            self.spread.append(np.sqrt(np.diag(fit.fit.spread)))
            self.oracle_off.append(truth - one.theta)
        positive = made[0].form.positive
        theta = np.array([one.theta for one in made])
        self.bound = np.array([one.bound for one in made])
        self.relative_bound = np.where(
            positive, self.bound, self.bound / np.where(positive, 1, theta)
        )
        self.well = (self.relative_bound[:, made[0].resistances] < 0.05).all(axis=1)

    def optimum(self) -> tuple[float, float]:
        best = np.array(self.best)
        return float(best.mean()), float(best[self.well].mean())

    def right(self, off: Sequence[Floats]) -> float:
        places = self.made[0].resistances
        error = np.abs(np.expm1(np.array(off)[:, places]))
        return float((error < np.maximum(0.02, 3 * self.bound[:, places])).all(axis=1).mean())


_CACHE: dict[tuple[str, bool], _Fitted] = {}


def _made(tail: str, share: float, *, inductive: bool = False) -> _Fitted:
    key = (tail, inductive)
    if key not in _CACHE:
        count = int(share * (1000 if key == ("W", False) else 250))
        _CACHE[key] = _Fitted(list(two_arcs(count, 1, tail, inductive=inductive)))
    return _CACHE[key]


def _optimum(share: float) -> Iterator[Row]:
    whole, well = _made("W", share).optimum()
    yield ("global optimum, R0, two arcs, Warburg", "≥ 99.5 %; 100 % of the well-conditioned",
           f"{whole:.2%}; {well:.2%} of {_made('W', share).well.sum()}",
           _peers_optimum(share))  # fmt: skip
    for name, tail, inductive in (
        ("with an inductor", "W", True), ("with a CPE tail", "CPE", False),
        ("with a blocked finite Warburg", "Wo", False),
        ("with an open finite Warburg", "Ws", False),
    ):  # fmt: skip
        whole, _ = _made(tail, share, inductive=inductive).optimum()
        yield (f"… {name}", "≥ 98.5 %", f"{whole:.1%}", "")


def _limit(share: float) -> Iterator[Row]:
    fits = _made("W", share)
    error, spread = np.array(fits.error), np.array(fits.spread)
    kinds = [f"{e}.{p}" for e, p in fits.made[0].form.fitted.keys]
    names = dict(enumerate(kinds))
    plain, robust, cover, of_well = [], [], [], []
    for place in names:
        known = fits.relative_bound[:, place] < 0.05
        z = error[known, place] / fits.bound[known, place]
        plain.append(float(np.sqrt(np.mean(z**2))))
        robust.append(1.4826 * float(np.median(np.abs(z))))
        cover.append(float(np.mean(np.abs(error[known, place]) < 1.96 * spread[known, place])))
        both = known & fits.well
        of_well.append(float(np.sqrt(np.mean((error[both, place] / fits.bound[both, place]) ** 2))))
    yield ("spread over bound (rms), parameters with a bound < 5 % where every R has one",
           "0.95–1.05", f"{min(of_well):.3f}–{max(of_well):.3f}", "")  # fmt: skip
    yield ("… in all spectra: by the median; rms", "0.95–1.05",
           f"{min(robust):.3f}–{max(robust):.3f}; {min(plain):.2f}–{max(plain):.2f}",
           "")  # fmt: skip
    yield ("coverage of the 95 % interval, each parameter with a bound < 5 %", "0.93–0.97",
           f"{min(cover):.3f}–{max(cover):.3f}", "")  # fmt: skip


def _resistances(share: float) -> Iterator[Row]:
    fits = _made("W", share)
    yield ("every R within max(2 %, 3 bounds)", "≥ 98.5 %", f"{fits.right(fits.error):.1%}; "
           f"{fits.right(fits.oracle_off):.1%} if started from the truth", "")  # fmt: skip


def _speed(share: float) -> Iterator[Row]:
    seconds = np.array(_made("W", share).seconds) * 1e3
    peers = _peers_on_made(share)
    ratio = peers["good impedance.py seconds"].mean() * 1e3 / seconds.mean()
    times = ", ".join(
        f"{name} {1e3 * np.median(peers[f'good {name} seconds']):.0f} ms" for name in TOOLS
    )
    yield ("CPU of a fit with its search and test: median; 95th percentile; mean beside "
           "impedance.py's from a good guess", "≤ 20 ms; ≤ 60 ms; ≥ 15 ×",
           f"{np.median(seconds):.1f} ms; {np.quantile(seconds, 0.95):.1f} ms; {ratio:.1f} ×",
           times)  # fmt: skip


def _guesses(made: Sequence[Made]) -> tuple[list[Floats], list[Floats]]:
    """Good guesses, and those by rule of thumb: the span of Z' shared, usual Q and n."""
    rng = np.random.default_rng(0)
    good, rule = [], []
    for one in made:
        circuit = one.form.circuit
        values = values_from_theta(one.form, one.theta)
        factor = np.where(
            [p.positive for p in circuit.parameters], 2 ** rng.uniform(-1, 1, len(values)), 1
        )
        good.append(values * factor)
        rule.append(by_rule(one.impedance, len(values)))
    return good, rule


_PEER_RUNS: dict[str, dict[str, NDArray[np.float64]]] = {}


def _peers_on_made(share: float) -> dict[str, NDArray[np.float64]]:
    if "made" not in _PEER_RUNS:
        made = _made("W", share).made[: int(60 * share)]
        good, rule = _guesses(made)
        pairs = [(one.frequency, one.impedance) for one in made]
        circuit = made[0].form.circuit.text
        _PEER_RUNS["made"] = {
            f"{name} {key}": value
            for name, guess in (("good", good), ("rule", rule))
            for key, value in by_peers(circuit, pairs, guess).items()
        }
    return _PEER_RUNS["made"]


def _peers_optimum(share: float) -> str:
    found = _peers_on_made(share)
    made = _made("W", share).made[: int(60 * share)]
    truth = np.array([one.from_truth()[1] for one in made])
    said = []
    for tool in TOOLS:
        shares = []
        for guess in ("good", "rule"):
            cost = costs(made[0].form.circuit.text, [(m.frequency, m.impedance) for m in made],
                          found[f"{guess} {tool} values"])  # fmt: skip
            shares.append(f"{np.mean(cost <= 1.001 * truth):.0%}")
        said.append(f"{tool} {shares[0]} / {shares[1]}")
    return "good / rule-of-thumb guess, within 0.1 %: " + ", ".join(said)


def _series(share: float) -> Iterator[Row]:
    bars = {"crossing, C drifts": "0; ≤ 5 %; –; –; ≥ 0.85"}
    for kind in KINDS:
        found = [_one_series(kind, seed) for seed in range(max(2, int(12 * share)))]
        swaps, median, high, cover, exponent, seconds = (
            np.array(c) for c in zip(*found, strict=True)
        )
        bar = bars.get(kind, "0; ≤ 1.5 %; ≤ 4 %; ± 0.02; ≥ 0.9")
        yield (f"series of 50, {kind}: swapped; error of R in the median, at 95 %; of the exponent "
               "(rms, farthest); coverage", bar,
               f"{swaps.mean():.0%}; {np.median(median):.2%} (worst {median.max():.1%}); "
               f"{np.median(high):.2%}; {np.sqrt(np.mean(exponent**2)):.3f}, "
               f"{np.abs(exponent).max():.3f}; "
               f"{cover.mean():.2f} ({np.median(seconds):.1f} s)", "")  # fmt: skip


def _one_series(kind: str, seed: int) -> tuple[float, float, float, float, float, float]:
    made = series(kind, seed)
    start = time.process_time()
    found = fit_impedance_series(FREQUENCY, made.impedance, "R0-p(R1,CPE1)-p(R2,CPE2)-W1")
    seconds = time.process_time() - start
    theta = np.array([fit.fit.theta for fit in found.fits])
    spread = np.array([np.diag(fit.fit.spread) for fit in found.fits])
    named, swaps, turned = labelled(theta, made.theta)
    error = np.sqrt(spread[:, 4 if turned else 1])
    off = named[:, 1] - made.theta[:, 1]
    resistance = np.exp(named[:, 1])
    law = fit_growth(made.time, resistance, resistance * error)
    assert law is not None
    relative = np.abs(np.expm1(off))
    return (
        swaps, float(np.median(relative)), float(np.quantile(relative, 0.95)),
        float(np.mean(np.abs(off) < 1.96 * error)), law.exponent - 0.5, seconds,
    )  # fmt: skip


def _bad_points(share: float) -> Iterator[Row]:
    rng = np.random.default_rng(5)
    clean, plain, robust = [], [], []
    for one in two_arcs(int(400 * share), 21, noise=0.005):
        places = one.resistances
        if (one.bound[places] > 0.05).any():
            continue
        spoilt, text = with_outliers(one.impedance, rng), one.form.circuit.text
        for z, careful, out in (
            (one.impedance, True, clean), (spoilt, False, plain), (spoilt, True, robust),
        ):  # fmt: skip
            fit = fit_impedance(one.frequency, z, text, robust=careful)
            out.append(np.abs(fit.fit.theta - one.theta)[places] / one.bound[places])
    far = [float(np.mean(np.array(rows) > 4)) for rows in (robust, plain)]
    lost = float(np.sqrt(np.mean(np.array(clean) ** 2)))
    yield (f"4 of 81 points 5–30 % off ({len(clean)} spectra): R off by more than 4 bounds; spread "
           "over bound of clean ones", "≤ 1 %; ≤ 1.02 of plain",
           f"{far[0]:.2%}; {lost:.3f}", f"plain least squares {far[1]:.0%}")  # fmt: skip
    errors = []
    for one in two_arcs(int(400 * share), 22, inductive=True, noise=0.005):
        places = one.resistances
        if (one.bound[places] > 0.05).any():
            continue
        fit = fit_impedance(one.frequency, one.impedance, one.form.circuit.text)
        errors.append(abs(float(np.expm1(fit.fit.theta[1] - one.theta[1]))))
    yield ("50 nH–1 µH of leads: error of R0 at the 90th percentile", "≤ 0.5 %",
           f"{np.quantile(errors, 0.9):.2%}", "")  # fmt: skip


def _number_of_arcs(share: float) -> Iterator[Row]:
    right, over, identifiable, seconds = [], [], [], []
    for arcs, one in arcs_in_a_row(int(240 * share), 11):
        start = time.process_time()
        found = len(fit_best_circuit(one.frequency, one.impedance).form.arcs)
        seconds.append(time.process_time() - start)
        right.append(found == arcs)
        over.append(found > arcs)
        identifiable.append(bool((one.bound < 0.35).all()))
    known = np.array(identifiable)
    yield (f"number of arcs (1–3) right where the bound allows it ({known.sum()} of {len(known)}); "
           "too many in all", "≥ 98 %; ≤ 1 %",
           f"{np.mean(np.array(right)[known]):.1%}; {np.mean(over):.1%} "
           f"({np.median(seconds):.2f} s)",
           "")  # fmt: skip


_APART = {  # sections of their own, which need no peers
    "Impedance: how a resistance changes": {"13", "14", "15"},
    "Impedance: what is said of a series": {"30", "31", "32"},
}
Measure = Callable[[float], Iterator[Row]]
BARS: tuple[tuple[str, Measure], ...] = (
    ("1", _optimum), ("2", _limit), ("3", _resistances), ("4", _speed), ("5", real),
    ("6", references), ("7", _series), ("8", ageing), ("9", validity), ("10", _bad_points),
    ("11", _number_of_arcs), ("12", repeats), ("13", laws), ("14", constants),
    ("15", which_clock), ("20", diffusion), ("21", before_blocking), ("22", pellets),
    ("30", interfaces), ("30", single_arcs), ("31", odd_spectra), ("32", energies),
)  # fmt: skip

if __name__ == "__main__":
    main()
