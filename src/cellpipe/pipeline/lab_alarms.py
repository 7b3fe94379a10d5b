"""Alarms that only the lab as a whole can tell: a replicate apart, and a cell that fell silent."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta

import polars as pl

from cellpipe.core.limits import Limits
from cellpipe.core.model import Finding
from cellpipe.pipeline.cell_history import InputFile
from cellpipe.pipeline.cell_inputs import CellInputs, Grouping
from cellpipe.pipeline.file_order import end_second
from cellpipe.report.groups import GroupValues, Measure, collect_measures
from cellpipe.store import Results, read_table
from cellpipe.store.lab import Lab
from cellpipe.store.ledger import Arrival

TOLD = "alarms that the lab as a whole tells"  # with it, pages know them before the next run
_ZONE_HOURS = 14.0  # by which a clock of an unknown time zone may be off
_LOWER, _HIGHER, _EITHER = -1, 1, 0
_MEASURES = {"retention": _LOWER, "first": _EITHER, "resistance": _HIGHER}  # the bad direction
Told = Mapping[str, Sequence[Finding]]


@dataclass(frozen=True)
class LabAlarms:
    """Alarms by cell, and when the next one can come without a new file (None: never).

    ``of_groups`` are findings about whole groups, each with the group's name.
    """

    by_cell: Told
    look_again: datetime | None = None
    of_groups: tuple[tuple[str, Finding], ...] = ()

    def to_json(self) -> str:
        """Return the alarms as the ledger keeps them."""
        return json.dumps(
            {name: [asdict(each) for each in found] for name, found in self.by_cell.items()},
            sort_keys=True,
        )


def known_alarms(text: str | None) -> Told:
    """Return the alarms that the ledger keeps of the run before."""
    kept = json.loads(text or "{}")
    return {name: tuple(Finding(**each) for each in found) for name, found in kept.items()}


def find_lab_alarms(
    lab: Lab, grouping: Grouping, arrivals: Mapping[str, Arrival], now: datetime
) -> LabAlarms:
    """Return the alarms of cells that are told by their groups, or by the time since they ended."""
    found: dict[str, list[Finding]] = {}
    of_groups = []
    for measure, group in _replicates(lab, grouping):
        for cell_id, finding in _apart_findings(measure, group, lab.limits):
            found.setdefault(cell_id, []).append(finding)
        if len(group.apart) > len(group.left_out):
            of_groups.append((group.name, _scatter_finding(measure, group)))
    next_looks = []
    for inputs in grouping.cells:
        last = last_record_time(lab, inputs, arrivals)
        if last is None:
            continue
        due = last + timedelta(hours=lab.limits.silent_hours)
        if due > now:
            next_looks.append(due)
        else:
            silent = _silent_finding(inputs, last, lab.limits)
            found.setdefault(inputs.cell.cell_id, []).append(silent)
    by_cell = {name: tuple(findings) for name, findings in sorted(found.items())}
    return LabAlarms(by_cell, min(next_looks, default=None), tuple(of_groups))


def _replicates(lab: Lab, grouping: Grouping) -> Iterator[tuple[Measure, GroupValues]]:
    """Yield the numbers of each group of replicates by which one may stand apart."""
    groups: dict[str, list[str]] = {}
    for inputs in grouping.cells:
        if inputs.cell.group is not None:
            groups.setdefault(inputs.cell.group, []).append(inputs.cell.cell_id)
    chosen = [cell for members in groups.values() if len(members) > 2 for cell in members]
    if not chosen:
        return
    results, is_member = Results(lab.results), pl.col("cell_id").is_in(chosen)
    cells = results["cells"].filter(is_member).sort("cell_id").collect()
    cycles = results["cycles"].filter(is_member).collect()
    for name, members in sorted(groups.items()):
        own = cells.filter(pl.col("cell_id").is_in(members))
        for measure in collect_measures(own, cycles, {name: sorted(members)}):
            if measure.key in _MEASURES and measure.groups:
                yield measure, measure.groups[0]


def _scatter_finding(measure: Measure, group: GroupValues) -> Finding:
    """Say that so many cells of a group stand apart that none of them is an outlier."""
    sentence = (
        f"{measure.name}: {len(group.apart)} of its {len(group.cells)} cells stand apart "
        f"({', '.join(group.apart)}), too many to be outliers."
    )
    remedy = "Look whether they are replicates: at their masses, areas and groups in the sheet."
    return Finding("warning", f"group_scatters_by_{measure.key}", sentence, remedy=remedy)


def _apart_findings(
    measure: Measure, group: GroupValues, limits: Limits
) -> Iterator[tuple[str, Finding]]:
    """Yield each replicate that stands apart from its group, for the worse and by much."""
    for cell_id in group.left_out:
        place = group.cells.index(cell_id)
        others = pl.Series(group.values).filter(pl.Series(group.cells) != cell_id)
        value, middle = float(group.values[place]), float(others.median())  # type: ignore[arg-type]
        share = value / middle - 1 if middle else 0.0
        least = limits.resistance_growth - 1 if measure.key == "resistance" else limits.apart
        direction = _MEASURES[measure.key]
        if abs(share) <= least or (direction and share * direction < 0):
            continue
        unit = f" {measure.unit}".rstrip()
        basis = f" ({measure.basis})" if measure.basis else ""
        sentence = (
            f"{measure.name} {measure.write(value)}{unit}{basis} stands apart from the other "
            f"{len(others)} cells of the group {group.name}, whose median is "
            f"{measure.write(middle)}{unit}."
        )
        remedy = "Look at what happened to it: to its mass and area in the sheet, its contacts."
        yield cell_id, Finding("alarm", f"apart_by_{measure.key}", sentence, remedy=remedy)


def last_record_time(
    lab: Lab, inputs: CellInputs, arrivals: Mapping[str, Arrival]
) -> datetime | None:
    """Return when the last record came of a cell that should run; None if it need not run.

    It should run if its last recording ends in the middle of a half cycle, and was seen to run:
    by its clock it had been written shortly before it was read, or its file grew from run to run.
    One that ended by a limit, or that the sheet calls ended, need not.
    """
    if inputs.cell.ended is not None or not inputs.files:
        return None
    last = inputs.files[-1]
    arrival = arrivals.get(last.path)
    if arrival is None or arrival.read_at is None or not _was_running(last, arrival, lab.limits):
        return None
    halves = read_table(lab.results, "half_cycles", inputs.cell.cell_id, ("half_cycle", "ended_by"))
    if halves is None or halves.is_empty():
        return None
    ended_by = halves.sort("half_cycle")["ended_by"][-1]
    return arrival.read_at if ended_by == "end of file" else None


def _was_running(last: InputFile, arrival: Arrival, limits: Limits) -> bool:
    end = end_second(last.content)
    if end is None or arrival.read_at is None:
        return arrival.contents > 1
    age = (arrival.read_at - datetime.fromtimestamp(end, UTC)) / timedelta(hours=1)
    return -_ZONE_HOURS <= age <= limits.silent_hours


def _silent_finding(inputs: CellInputs, last: datetime, limits: Limits) -> Finding:
    sentence = (
        f"No new record came since {last:%Y-%m-%d %H:%M} UTC (limit {limits.silent_hours:g} h), "
        f"though {inputs.files[-1].path} ends in the middle of a half cycle: it should run."
    )
    remedy = "Look at the cycler; if the test is over, write so into the sheet's column Ended."
    return Finding("alarm", "no_new_record", sentence, remedy=remedy)
