"""Impedance of a cell: bulk, grain boundaries, the growing interphase, and a blocking tail.

Z = R0 + (R_gb || CPE_gb) + (R_int || CPE_int) + CPE_tail, with Z_CPE = 1 / (Q (jω)^α).
"""

from dataclasses import dataclass
from math import log10, pi

import numpy as np
from numpy.typing import NDArray

from .chemistry import Build, interphase_resistance
from .noise import bell_numbers

Spectrum = NDArray[np.complex128]


@dataclass(frozen=True)
class Elements:
    """Constant-phase elements of the circuit: Q in S·s^α and α, from fast to slow."""

    grain_boundary: tuple[float, float] = (5.0e-8, 0.90)
    interphase: tuple[float, float] = (1.0e-5, 0.86)
    tail: tuple[float, float] = (0.055, 0.55)


def frequencies(highest: float, lowest: float, per_decade: int) -> NDArray[np.float64]:
    """Frequencies in Hz from high to low, evenly spaced on a logarithmic axis."""
    count = round(log10(highest / lowest) * per_decade) + 1
    ratio = (lowest / highest) ** (1.0 / (count - 1))
    return np.array([highest * ratio**index for index in range(count)])


def impedance(
    build: Build, elements: Elements, hours: float, hertz: NDArray[np.float64]
) -> Spectrum:
    """Impedance in Ω at each frequency, `hours` after the test began, without noise."""
    omega = 2j * pi * hertz
    interphase = interphase_resistance(build, hours)
    total = np.full(hertz.shape, build.bulk_ohm, dtype=np.complex128)
    for resistance, (q, alpha) in (
        (build.grain_boundary_ohm, elements.grain_boundary),
        (interphase, elements.interphase),
    ):
        total += resistance / (1.0 + resistance * q * omega**alpha)
    q, alpha = elements.tail
    return total + 1.0 / (q * omega**alpha)


def measured_impedance(clean: Spectrum, seed: int, relative: float) -> Spectrum:
    """Return the impedance with noise on both parts, as a fraction of its modulus."""
    noise = bell_numbers(seed, 2 * clean.size).reshape(2, -1)
    return clean + relative * np.abs(clean) * (noise[0] + 1j * noise[1])
