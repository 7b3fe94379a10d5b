"""Table rows of what changed at the interfaces of a cell: contact lost, a film grown, leads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import polars as pl

from cellpipe.analyses.impedance_rows import Row, series_places
from cellpipe.core.model import Cell
from cellpipe.numerics.impedance.arcs import unclosed_arcs
from cellpipe.numerics.impedance.fit import MISFIT, ImpedanceFit
from cellpipe.numerics.impedance.interface_change import (
    BOTH,
    CONTACT,
    FILM,
    ArcState,
    InterfaceChange,
    explain_change,
)
from cellpipe.numerics.impedance.processes import CHARGE_TRANSFER, ELECTROLYTE, INTERFACE

_ODDS = {
    "unchanged": "unchanged_odds", CONTACT: "contact_odds", FILM: "film_odds",
    BOTH: "contact_and_film_odds", "leads": "leads_odds", "none of these": "other_odds",
}  # fmt: skip
_MOST_AVERAGED = 3

Fitted = tuple[ImpedanceFit, list[str], float | None]


def interface_change_rows(
    cell: Cell, spectra: pl.DataFrame, fits: Mapping[int, Fitted]
) -> Iterator[Row]:
    """Iterate over the rows of ``interface_changes``: one for each state with two spectra.

    Parameters
    ----------
    cell
        The cell, with its stack pressure if the sheet says it.
    spectra
        ``interfacial_resistance``.
    fits
        Fit and process of each arc by the number of the spectrum.

    """
    usable = spectra.filter(
        pl.col("left_out_of_series").is_null() & pl.col("varies").is_null()
        & (pl.col("relative_residual") <= MISFIT)
    )  # fmt: skip
    for (state,), rows in usable.sort("spectrum").group_by("state", maintain_order=True):
        numbers = rows["spectrum"].to_list()
        places = _interface_arcs(fits, numbers) if len(numbers) > 1 else []
        if not places:
            continue
        states = [build_state(*fits[number][:2], places) for number in numbers]
        ends = min(_MOST_AVERAGED, max(1, len(numbers) // 4))
        fit, processes, _ = fits[numbers[0]]
        transfers = [processes[place] == CHARGE_TRANSFER for place in places]
        change = explain_change(states[:ends], states[-ends:], transfers)
        names = [fit.arcs[place].name for place in places]
        yield {
            "cell_id": cell.cell_id, "state": state, "spectra": len(numbers),
            "first_spectrum": numbers[0], "last_spectrum": numbers[-1],
            "stack_pressure_mpa": cell.stack_pressure_mpa, **_change_columns(change, names),
        }  # fmt: skip


def _interface_arcs(fits: Mapping[int, Fitted], numbers: Sequence[int]) -> list[int]:
    """Return the places of arcs that are an interface, closed and determined at both ends.

    None where an arc of an interface does not close at one end: the rest can't tell.
    """
    ends = [fits[number][0].arcs for number in (numbers[0], numbers[-1])]
    first, processes, _ = fits[numbers[0]]
    if any(unclosed_arcs(arcs, processes, first.area_cm2) for arcs in ends):
        return []
    return [
        place
        for place, process in enumerate(processes)
        if process in INTERFACE and all(a[place].identifiable and a[place].closed for a in ends)
    ]


def build_state(fit: ImpedanceFit, processes: Sequence[str], places: Sequence[int]) -> ArcState:
    """Return the arcs of a fit at these places, and its series resistance, with their covariance.

    The covariance is that of the noise: the circuit's misfit is the same in every spectrum.
    """
    arcs, theta = fit.fit.form.arcs, fit.fit.theta
    chosen = [arcs[place].first + more for place in places for more in (0, 1)]
    series = series_places(fit) + [
        arc.first for arc, process in zip(arcs, processes, strict=True) if process in ELECTROLYTE
    ]
    turn = np.zeros((len(chosen) + 1, len(theta)))
    turn[np.arange(len(chosen)), chosen] = 1.0
    sizes = np.exp(theta[series])
    total = float(sizes.sum())
    turn[-1, series] = sizes / total if series else 0.0
    share = fit.noise_share if np.isfinite(fit.noise_share) else 1.0
    value = np.append(theta[chosen], np.log(total) if series else 0.0)
    return ArcState(value, share**2 * turn @ fit.fit.spread @ turn.T)


def _change_columns(change: InterfaceChange, names: Sequence[str]) -> Row:
    verdict, odds = change.verdict, change.odds
    said = "; ".join(
        f"arc {name}: R × {r:.3g}, C × {c:.3g}"
        for name, r, c in zip(
            names, change.resistance_ratios, change.capacitance_ratios, strict=True
        )
    )
    of_area = verdict in {CONTACT, BOTH}
    return {
        "arcs": len(names), "explanation": verdict,
        **{column: odds[name] for name, column in _ODDS.items()},
        "area_ratio": change.area_ratio if of_area else None,
        "area_ratio_standard_error": change.area_ratio_error if of_area else None,
        "film_arc": names[change.film_arc] if verdict in {FILM, BOTH} else None,
        "series_resistance_ratio": change.series_ratio, "arc_changes": said,
    }  # fmt: skip
