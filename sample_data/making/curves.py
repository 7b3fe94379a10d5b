"""Equilibrium potentials of the electrodes as smooth curves through tabulated points.

The points are drawn after published slow-rate curves: NCM811 between 3.0 and 4.5 V (with the
H2-H3 plateau near 4.2 V), and silicon against Li/Li+ with the flat two-phase plateau of the first
lithiation of the crystal, the sloping lithiation of amorphous silicon afterwards, and the
delithiation about 0.2 V above it. All potentials in volt vs Li/Li+.
"""

from collections.abc import Sequence
from itertools import pairwise

Curve = Sequence[float]

_GRID = 4000

# Charge taken out of NCM811 in mAh/g, potential in V.
_NCM811 = (
    (-5.0, 2.2), (0.0, 3.05), (2.0, 3.38), (5.0, 3.50), (10.0, 3.565), (20.0, 3.605), (35.0, 3.640),
    (55.0, 3.680), (75.0, 3.728), (90.0, 3.778), (105.0, 3.842), (120.0, 3.905), (135.0, 3.962),
    (150.0, 4.020), (165.0, 4.083), (178.0, 4.145), (188.0, 4.178), (200.0, 4.194), (212.0, 4.214),
    (220.0, 4.245), (228.0, 4.305), (236.0, 4.400), (245.0, 4.560), (260.0, 5.0),
)  # fmt: skip
# Lithium in silicon as a fraction of 3579 mAh/g, potential in V.
_SILICON_FIRST_LITHIATION = (
    (-0.02, 2.2), (0.0, 0.80), (0.008, 0.42), (0.02, 0.24), (0.04, 0.165), (0.08, 0.132),
    (0.15, 0.118), (0.30, 0.108), (0.50, 0.099), (0.70, 0.088), (0.85, 0.072), (0.95, 0.045),
    (1.0, 0.015), (1.1, -0.2),
)  # fmt: skip
_SILICON_LITHIATION = (
    (-0.02, 2.2), (0.0, 0.95), (0.01, 0.62), (0.03, 0.455), (0.06, 0.370), (0.10, 0.312),
    (0.16, 0.268), (0.22, 0.240), (0.28, 0.221), (0.36, 0.196), (0.44, 0.163), (0.52, 0.128),
    (0.60, 0.103), (0.70, 0.083), (0.80, 0.066), (0.90, 0.045), (1.0, 0.012), (1.1, -0.2),
)  # fmt: skip
_SILICON_DELITHIATION = (
    (-0.02, 2.6), (0.0, 1.50), (0.01, 1.05), (0.025, 0.82), (0.05, 0.665), (0.09, 0.575),
    (0.15, 0.518), (0.22, 0.482), (0.30, 0.452), (0.38, 0.425), (0.46, 0.394), (0.54, 0.352),
    (0.62, 0.312), (0.70, 0.282), (0.78, 0.255), (0.86, 0.220), (0.93, 0.170), (1.0, 0.095),
    (1.1, 0.0),
)  # fmt: skip


def monotone_curve(points: Sequence[tuple[float, float]]) -> tuple[float, float, Curve]:
    """Evenly spaced values of a monotone cubic through the points: first x, step of x, values.

    Slopes are the harmonic means of the neighbouring secants (Fritsch and Butland 1984,
    doi 10.1137/0905021), so the curve has no wiggles between its points.
    """
    x = [point[0] for point in points]
    y = [point[1] for point in points]
    secants = [(y[i + 1] - y[i]) / (x[i + 1] - x[i]) for i in range(len(x) - 1)]
    inner = [2.0 * a * b / (a + b) for a, b in pairwise(secants)]
    slopes = [secants[0], *inner, secants[-1]]
    step = (x[-1] - x[0]) / _GRID
    values: list[float] = []
    segment = 0
    for index in range(_GRID + 1):
        at = x[0] + index * step
        while segment < len(secants) - 1 and at > x[segment + 1]:
            segment += 1
        values.append(_cubic(at, segment, x, y, slopes))
    return x[0], step, tuple(values)


def _cubic(at: float, segment: int, x: Curve, y: Curve, slopes: Curve) -> float:
    """Value of the Hermite cubic of one segment."""
    width = x[segment + 1] - x[segment]
    t = (at - x[segment]) / width
    left = (1.0 + 2.0 * t) * (1.0 - t) * (1.0 - t) * y[segment]
    right = t * t * (3.0 - 2.0 * t) * y[segment + 1]
    rise = t * (1.0 - t) * (1.0 - t) * width * slopes[segment]
    fall = t * t * (t - 1.0) * width * slopes[segment + 1]
    return left + right + rise + fall


def value_at(table: tuple[float, float, Curve], x: float) -> float:
    """Linear interpolation in an evenly spaced curve; beyond the ends the end value holds."""
    start, step, values = table
    place = (x - start) / step
    if place <= 0.0:
        return values[0]
    if place >= _GRID:
        return values[_GRID]
    index = int(place)
    part = place - index
    return values[index] * (1.0 - part) + values[index + 1] * part


NCM811 = monotone_curve(_NCM811)
SILICON_FIRST_LITHIATION = monotone_curve(_SILICON_FIRST_LITHIATION)
SILICON_LITHIATION = monotone_curve(_SILICON_LITHIATION)
SILICON_DELITHIATION = monotone_curve(_SILICON_DELITHIATION)
