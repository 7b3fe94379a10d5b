"""Assignment of arcs to processes by capacitance per area, and effective capacitances.

The capacitance of an arc stays constant while its resistance grows by orders of magnitude, so it
identifies the process. The limits between the ranges follow J. T. S. Irvine, D. C. Sinclair, A. R.
West, Adv. Mater. 2, 132 (1990), doi 10.1002/adma.19900020304, table 1 (for samples of about 1 cm²):
bulk about 1e-12 F, grain boundaries 1e-11 to 1e-8 F, surface layers and the sample's interface with
an electrode 1e-9 to 1e-5 F, electrochemical reactions about 1e-4 F. Real ranges overlap, so a limit
has a standard deviation of half a decade (one decade if the area is unknown), and each assignment
has a probability.

A double layer has 10 to 40 µF per cm² of true surface, and a composite electrode up to a hundred
cm² of it per cm²: above 4 mF/cm² a capacitance is that of inserted charge, the arc is finite
diffusion or insertion and no interface. Where the area is unknown, only an arc slower than 0.1 s is
called so: a large cell has large capacitances.

An arc is a resistance only if it closes: if its low-frequency end lies within the measured window.
One that does not is a tail, whatever its capacitance: a blocking electrode, diffusion. So is one
of more than 10 kΩ cm² and a hundred times all resistance before it: a blocking electrode that
leaks.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

BULK, GRAIN_BOUNDARY = "bulk", "grain boundary"
INTERPHASE, CHARGE_TRANSFER = "interphase", "charge transfer"
DIFFUSION, TAIL = "diffusion", "tail"
PROCESSES = (BULK, GRAIN_BOUNDARY, INTERPHASE, CHARGE_TRANSFER)
ELECTROLYTE = (BULK, GRAIN_BOUNDARY)
INTERFACE = (INTERPHASE, CHARGE_TRANSFER)
EDGES_FARAD_PER_CM2 = (3e-11, 3e-8, 3e-5, 4e-3)
_SLOW_SECOND = 0.1
_LEAK_OHM_CM2, _LEAK_SHARE = 1e4, 100.0  # no cell works with such an interface
CLOSED = 0.3  # ω τ at the lowest frequency: there -Im Z has fallen to half of its top
_EDGE_DECADES = 0.5
_AREA_DECADES = 0.87  # together with the limit: one decade


def effective_capacitance(resistance_ohm: float, q: float, n: float) -> float:
    """Return the effective capacitance of R‖CPE, F, from its peak frequency: (QR)^(1/n) / R.

    C. H. Hsu, F. Mansfeld, Corrosion 57, 747 (2001), doi 10.5006/1.3280607.
    """
    return float((q * resistance_ohm) ** (1 / n) / resistance_ohm)


def brug_capacitance(resistance_ohm: float, q: float, n: float, series_ohm: float) -> float:
    """Return the effective capacitance of R‖CPE, F, for time constants varying along the surface.

    Q^(1/n) (1/R_s + 1/R)^((n-1)/n), where R_s is the resistance in series with the arc; NaN if
    there is none. G. J. Brug et al., J. Electroanal. Chem. 176, 275 (1984), doi
    10.1016/S0022-0728(84)80324-1.
    """
    if series_ohm <= 0:
        return math.nan
    conductance = 1 / series_ohm + 1 / resistance_ohm
    return float(q ** (1 / n) * conductance ** ((n - 1) / n))


def closes(time_constant_second: float, lowest_hertz: float) -> bool:
    """Return whether an arc closes within the window: its low-frequency end is measured."""
    return 2 * math.pi * lowest_hertz * time_constant_second <= CLOSED


def process_probabilities(
    capacitance_farad: float,
    area_cm2: float | None,
    error_decades: float = 0.0,
    time_constant_second: float = math.inf,
) -> dict[str, float]:
    """Return the probability of each process for an arc of this capacitance.

    Parameters
    ----------
    capacitance_farad
        Effective capacitance, F.
    area_cm2
        Electrode area, cm²; None if unknown, then 1 cm² within a decade.
    error_decades
        Standard error of the capacitance's decimal logarithm.
    time_constant_second
        Time constant of the arc, s; it counts where the area is unknown.

    """
    place = math.log10(capacitance_farad / (area_cm2 or 1.0))
    area = 0.0 if area_cm2 else _AREA_DECADES
    width = math.sqrt(_EDGE_DECADES**2 + area**2 + min(error_decades, 3.0) ** 2)
    above = [
        1.0,
        *(0.5 * math.erfc((math.log10(edge) - place) / width / math.sqrt(2))
          for edge in EDGES_FARAD_PER_CM2),
        0.0,
    ]  # fmt: skip
    if not area_cm2 and time_constant_second < _SLOW_SECOND:
        above[-2] = 0.0
    return {name: above[i] - above[i + 1] for i, name in enumerate((*PROCESSES, DIFFUSION))}


def process_by_capacitance(
    capacitance_farad: float,
    area_cm2: float | None,
    error_decades: float = 0.0,
    time_constant_second: float = math.inf,
) -> tuple[str, float]:
    """Return the likeliest process and its probability; see :func:`process_probabilities`."""
    likely = process_probabilities(capacitance_farad, area_cm2, error_decades, time_constant_second)
    process = max(likely, key=lambda name: likely[name])
    return process, likely[process]


@dataclass(frozen=True)
class ArcShape:
    """What an arc is known by: F, ohm, s; ``faster_ohm`` is all resistance before it, R0 with it.

    ``error_decades`` is the standard error of the capacitance's decimal logarithm.
    """

    capacitance_farad: float
    resistance_ohm: float
    time_constant_second: float
    faster_ohm: float
    error_decades: float = 0.0


def likely_process(arc: ArcShape, area_cm2: float | None, lowest_hertz: float) -> tuple[str, float]:
    """Return the process of an arc and its probability; a tail if the arc does not close.

    A blocking electrode with a leak closes far beyond any interface; it is a tail, too.
    """
    areal = arc.resistance_ohm * (area_cm2 or 1.0)
    leaks = areal > _LEAK_OHM_CM2 and arc.resistance_ohm > _LEAK_SHARE * arc.faster_ohm > 0
    process, probability = process_by_capacitance(
        arc.capacitance_farad, area_cm2, arc.error_decades, arc.time_constant_second
    )
    if not closes(arc.time_constant_second, lowest_hertz):
        return TAIL, 1.0
    if leaks and process not in ELECTROLYTE:
        return TAIL, 1.0
    return process, probability
