"""Steps of a resistance between two spectra, as from loss of contact or a short circuit."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from cellpipe.numerics.impedance.growth_laws import GrowthData, LawFit, fit_law
from cellpipe.numerics.impedance.growth_scatter import neighbour_scatter

_MOST_JUMPS = 3
_JUMP_NOISES = 6.0
JUMP_SHARE = 0.05  # of the resistance
_FEWEST_FOR_JUMPS = 8
_MORE_FOR_JUMPS = 4  # spectra for each further one


def find_jumps(data: GrowthData) -> Iterator[tuple[GrowthData, list[int], float]]:
    """Yield the data with one, two and three jumps, their places, and the criterion beside them.

    Each has two spectra on either side, and more of them the more jumps there are.
    """
    jumps: list[int] = []
    noise = neighbour_scatter(data.time, data.resistance)
    while len(data.time) >= _FEWEST_FOR_JUMPS + _MORE_FOR_JUMPS * len(jumps):
        place = _find_next_jump(data, jumps) if len(jumps) < _MOST_JUMPS else None
        if place is None:
            return
        jumps = sorted([*jumps, place])
        stepped = data.with_jumps(jumps)
        best = _fit_smooth(stepped)
        step = abs(float(best.amounts[jumps.index(place) - len(jumps)]))
        seen = abs(float(data.resistance[place] - data.resistance[place - 1]))
        least = _JUMP_NOISES * max(0.5 * float(data.error[place]), noise)
        if 0.5 * step > seen or step < max(least, JUMP_SHARE * abs(data.resistance[place])):
            return
        yield stepped, jumps, best.criterion


def _fit_smooth(data: GrowthData) -> LawFit:
    """Return the best of the laws beside which jumps are looked for."""
    fits = (fit_law(law, data, free_start=False) for law in ("constant", "linear", "power"))
    return min(fits, key=lambda fit: fit.criterion)


def _find_next_jump(data: GrowthData, jumps: list[int]) -> int | None:
    """Return where a step reduces the misfit of smooth curves most; None if nowhere."""
    count = len(data.time)
    places = [p for p in range(2, count - 1) if all(abs(p - other) > 1 for other in jumps)]
    if not places:
        return None
    target = data.resistance / data.error
    steps = (np.arange(count)[:, None] >= np.array(places)) / data.error[:, None]
    best: tuple[float, int] = (np.inf, -1)
    for exponent in (None, 0.35, 0.5, 0.7, 1.0, 1.4, 2.0):
        smooth = [np.ones(count)] + ([] if exponent is None else [data.time**exponent])
        design = np.column_stack([*smooth, data.with_jumps(jumps).steps]) / data.error[:, None]
        basis, _ = np.linalg.qr(design)
        left = target - basis @ (basis.T @ target)
        rest = steps - basis @ (basis.T @ steps)
        reduction = (rest.T @ left) ** 2 / np.maximum(np.sum(rest**2, axis=0), 1e-300)
        at = int(np.argmax(reduction))
        best = min(best, (float(left @ left - reduction[at]), places[at]))
    return best[1]
