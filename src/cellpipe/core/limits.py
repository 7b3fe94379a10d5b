"""The limits of a lab whose crossing is an alarm."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Limits of a lab; a cell that crosses one raises an alarm (:mod:`cellpipe.analyses.alarms`).

    The efficiency is a median of three cycles, the loss one from a cycle to the next, the growth
    that of the interfacial resistance, ``retention`` that at the usual rate. A replicate stands
    apart from its group by more than ``apart`` of the others' median; ``silent_hours`` are those
    without a new record of a cell that should run.
    """

    coulombic_efficiency: float = 0.98
    sudden_loss: float = 0.05
    resistance_growth: float = 2.0
    retention: float = 0.8
    apart: float = 0.1
    silent_hours: float = 24.0
