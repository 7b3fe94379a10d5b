"""Circuits in the notations of other programs are the circuits that those programs mean."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import cellpipe
from cellpipe.core.errors import CellpipeError
from cellpipe.numerics.impedance.circuit_notations import translate_circuit
from cellpipe.numerics.impedance.circuits import evaluate_circuit, parse_circuit

FREQUENCY = np.geomspace(1e6, 1e-2, 41)
S = 2j * np.pi * FREQUENCY
Curve = np.ndarray


def beside(*branches: Curve) -> Curve:
    """In parallel: admittances add."""
    return 1 / sum(1 / branch for branch in branches)


def cpe(q: float, n: float) -> Curve:
    return 1 / (q * S**n)


def warburg(sigma: float) -> Curve:
    return sigma * (1 - 1j) / np.sqrt(2 * np.pi * FREQUENCY)


def open_end(r: float, tau: float) -> Curve:
    """Diffusion that ends in a sink: Boukamp's O, EC-Lab's Wd, Ws elsewhere."""
    return r * np.tanh(np.sqrt(tau * S)) / np.sqrt(tau * S)


def blocked_end(r: float, tau: float) -> Curve:
    """Diffusion that ends at a wall: Boukamp's T, EC-Lab's M, Wo elsewhere."""
    return r / np.tanh(np.sqrt(tau * S)) / np.sqrt(tau * S)


# The string, the values in the order of its elements, and the formula by these values.
MEANT: list[tuple[str, tuple[float, ...], Callable[..., Curve]]] = [
    ("R(RQ)W", (5, 20, 1e-5, 0.9, 3),
     lambda r, r1, q, n, s: r + beside(r1 + 0 * S, cpe(q, n)) + warburg(s)),
    ("R(RQ)(RQ)", (5, 20, 1e-7, 0.9, 40, 1e-4, 0.8),
     lambda r, r1, q, n, r2, p, m: (
         r + beside(r1 + 0 * S, cpe(q, n)) + beside(r2 + 0 * S, cpe(p, m)))),
    ("R(C(RW))", (5, 1e-5, 20, 3),
     lambda r, c, r1, s: r + beside(1 / (c * S), r1 + warburg(s))),
    ("R(Q[RW])", (5, 1e-5, 0.9, 20, 3),
     lambda r, q, n, r1, s: r + beside(cpe(q, n), r1 + warburg(s))),
    ("R(Q(R(RQ)))", (5, 1e-7, 0.9, 20, 40, 1e-4, 0.8),
     lambda r, q, n, r1, r2, p, m: (
         r + beside(cpe(q, n), r1 + beside(r2 + 0 * S, cpe(p, m))))),
    ("LR(RC)O", (1e-7, 5, 20, 1e-5, 9, 2),
     lambda el, r, r1, c, d, t: (
         el * S + r + beside(r1 + 0 * S, 1 / (c * S)) + open_end(d, t))),
    ("R(RC)T", (5, 20, 1e-5, 9, 2),
     lambda r, r1, c, d, t: r + beside(r1 + 0 * S, 1 / (c * S)) + blocked_end(d, t)),
    ("R0(R1Q1)(R2C2)Ws3", (5, 20, 1e-7, 0.9, 40, 1e-3, 9, 2),
     lambda r, r1, q, n, r2, c, d, t: (
         r + beside(r1 + 0 * S, cpe(q, n)) + beside(r2 + 0 * S, 1 / (c * S)) + open_end(d, t))),
    ("[R(RQ)([RW]C)]", (5, 20, 1e-7, 0.9, 40, 3, 1e-4),
     lambda r, r1, q, n, r2, s, c: (
         r + beside(r1 + 0 * S, cpe(q, n)) + beside(r2 + warburg(s), 1 / (c * S)))),
    ("R0-p(R1,CPE1)-W1", (5, 20, 1e-5, 0.9, 3),
     lambda r, r1, q, n, s: r + beside(r1 + 0 * S, cpe(q, n)) + warburg(s)),
    ("R-p(R,CPE)-p(R,C)", (5, 20, 1e-7, 0.9, 40, 1e-4),
     lambda r, r1, q, n, r2, c: (
         r + beside(r1 + 0 * S, cpe(q, n)) + beside(r2 + 0 * S, 1 / (c * S)))),
    ("R1+Q2/R2+W3", (5, 1e-5, 0.9, 20, 3),
     lambda r, q, n, r1, s: r + beside(cpe(q, n), r1 + 0 * S) + warburg(s)),
    ("R1+C2/(R2+Wd2)", (5, 1e-5, 20, 9, 2),
     lambda r, c, r1, d, t: r + beside(1 / (c * S), r1 + open_end(d, t))),
    ("R1+C2/R2+M3", (5, 1e-5, 20, 9, 2),
     lambda r, c, r1, d, t: r + beside(1 / (c * S), r1 + 0 * S) + blocked_end(d, t)),
    ("R1-[P2,R3-L4]", (5, 1e-5, 0.9, 20, 1e-7),
     lambda r, q, n, r1, el: r + beside(cpe(q, n), r1 + el * S)),
    ("R0-(R1|C1)-(R2||CPE2)", (5, 20, 1e-7, 40, 1e-4, 0.8),
     lambda r, r1, c, r2, q, n: (
         r + beside(r1 + 0 * S, 1 / (c * S)) + beside(r2 + 0 * S, cpe(q, n)))),
]  # fmt: skip


@pytest.mark.parametrize(("text", "values", "formula"), MEANT, ids=[row[0] for row in MEANT])
def test_a_string_has_the_impedance_of_the_formula_that_its_program_means(
    text: str, values: tuple[float, ...], formula: Callable[..., Curve]
) -> None:
    circuit = parse_circuit(text)
    z, _ = evaluate_circuit(circuit, FREQUENCY, np.array(values, float))
    assert np.allclose(z, formula(*values), rtol=1e-10)


@pytest.mark.parametrize("text", [row[0] for row in MEANT])
def test_a_string_that_was_translated_stays_as_it_is(text: str) -> None:
    once = translate_circuit(text)
    assert translate_circuit(once) == once
    assert parse_circuit(text).text == once


@pytest.mark.parametrize(
    ("text", "here"),
    [
        ("R(RQ)(RC)W", "R0-p(R1,CPE1)-p(R2,C2)-W1"),
        ("(RQ)(RQ)", "p(R1,CPE1)-p(R2,CPE2)"),
        ("LR(RQ)", "L0-R0-p(R1,CPE1)"),
        ("[R(RQ)]", "R0-p(R1,CPE1)"),
        ("R1+Q2/R2", "R1-p(CPE2,R2)"),
        ("Q", "CPE1"),
    ],
)
def test_elements_without_a_number_get_the_numbers_of_this_house(text: str, here: str) -> None:
    assert parse_circuit(text).text == here


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("R0-R1/C1", "either may bind first"),
        ("R0-(R1-C1)", "without p and without a comma"),
        ("R0-p(R1-C1)", "without a comma"),
        ("[R(C(RW))]", "in parallel for pyimpspec"),
        ("R0-T1", "'T1'"),
        ("R1/C1+T2", "differs from program to program"),
        ("R0-P1", "'P1'"),
        ("R0-M1", "'M1'"),
        ("R{R=5}(RC)", "values in braces"),
        ("R+C-W", "both - and +"),
        ("R0-p((RQ),C1)", "within another notation"),
        ("R(R)W", "around one element"),
        ("Rs-p(Rct,Cdl)", "'Rs'"),
        ("R(RQ", "not complete"),
        ("R(RQ]W", "don't match"),
        ("R0+", "not complete"),
        ("R(RD)", "'D'"),
        ("rq", "'rq'"),
        ("R0(R1Q1)(R1Q2)", "twice"),
    ],
)
def test_what_can_be_read_in_two_ways_or_not_at_all_is_refused_with_the_reason(
    text: str, reason: str
) -> None:
    with pytest.raises(CellpipeError, match="expected") as refused:
        parse_circuit(text)
    assert reason in refused.value.found


def test_a_fit_takes_any_notation_and_names_the_circuit_in_one() -> None:
    z = evaluate_circuit(parse_circuit("R(RQ)W"), FREQUENCY, np.array([5.0, 20.0, 1e-5, 0.9, 3.0]))[
        0
    ]
    rng = np.random.default_rng(1)
    z = z * (1 + 0.003 * (rng.standard_normal(41) + 1j * rng.standard_normal(41)))
    fits = [cellpipe.fit_impedance(FREQUENCY, z, text)
            for text in ("R(RQ)W", "R0-p(R1,CPE1)-W1", "R0+R1/Q1+W1")]  # fmt: skip
    assert {fit.circuit for fit in fits} == {"R0-p(R1,CPE1)-W1"}
    assert fits[0].values == pytest.approx(fits[1].values)
    assert fits[0].values["R1"] == pytest.approx(20, rel=0.02)
