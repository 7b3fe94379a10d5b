"""Which clock a resistance grows with: time, the charge that passed, or the cycles.

An interphase that grows at rest goes with time; one that the current or the change of volume makes
goes with charge or cycles. The same laws are fitted against each clock, with the same number of
parameters, so their likelihoods can be compared.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy.special import logsumexp

from cellpipe.numerics.impedance.elements import Floats
from cellpipe.numerics.impedance.growth import FEWEST, SURE, build_data, explains
from cellpipe.numerics.impedance.growth_laws import fit_law

_LAWS = ("square root", "linear", "power", "logarithmic", "saturating", "exponential")


def find_clock(
    clocks: Mapping[str, Floats], resistance_ohm: Floats, error_ohm: Floats
) -> tuple[tuple[str, ...], float] | None:
    """Return the clocks that explain a change of resistance, and their probability.

    Parameters
    ----------
    clocks
        What each clock shows at each resistance, from the start of growth on: not negative, never
        decreasing; by name, each of shape (n,).
    resistance_ohm, error_ohm
        The resistance and its standard error, ohm; shape (n,).

    Returns
    -------
    The fewest clocks that have 0.95 of the probability together, in the order given: all of
    them where they are not told apart. None if there are fewer than two clocks or five resistances,
    or no law of any clock describes the resistance.

    """
    if len(clocks) < 2 or len(resistance_ohm) < FEWEST:
        return None
    found = {
        name: _log_likelihood(shown, resistance_ohm, error_ohm) for name, shown in clocks.items()
    }
    if not any(explained for _, explained in found.values()):
        return None
    whole = float(logsumexp([value for value, _ in found.values()]))
    share = {name: float(np.exp(value - whole)) for name, (value, _) in found.items()}
    order = sorted(share, key=lambda name: -share[name])
    together = np.cumsum([share[name] for name in order])
    used = order[: int(np.argmax(together >= SURE)) + 1]
    return tuple(name for name in clocks if name in used), min(float(together[len(used) - 1]), 1.0)


def _log_likelihood(shown: Floats, resistance: Floats, error: Floats) -> tuple[float, bool]:
    """Return the logarithm of the mean likelihood of the laws, and whether one of them holds."""
    if shown[-1] <= shown[0]:
        return -np.inf, False  # it stands still while the resistance changes
    data = build_data(shown, resistance, error)
    fits = [fit_law(law, data, free_start=False) for law in _LAWS]
    value = float(logsumexp([-0.5 * fit.lenient_criterion for fit in fits]))
    return value, any(explains(fit, data) for fit in fits)
