"""Comparison of a cell with published ones, in sentences with numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

_STANDING = {"above": "Above", "below": "Below", "within": "Within the spread"}


def verdict(row: Mapping[str, Any]) -> str:
    """Return the comparison of the cell with one published cell, in one or two sentences."""
    if not row["comparable"]:
        return f"Not comparable: {row['reason']}."
    capacity = describe_capacity(row)
    if row.get("standing") is None:
        return f"{capacity}; no retention to compare."
    so_far = " so far" if row["interpolated"] and not row["reached"] else ""
    return f"{_STANDING[row['standing']]}{so_far}: {describe_retention(row)}. {capacity}."


def describe_retention(row: Mapping[str, Any]) -> str:
    """Return a text of the cell's retention and the published one."""
    published = format_range(row["baseline_retention_low"], row["baseline_retention_high"])
    line = ", on a straight line to its end" if row["interpolated"] else ""
    own = 100 * row["cell_retention"]
    return f"{own:.1f} % retained at cycle {row['cycle']}, published {published}{line}"


def describe_capacity(row: Mapping[str, Any]) -> str:
    """Return a text of the cell's first discharge and the published one."""
    own, published = row["cell_initial_capacity"], row["baseline_initial_capacity"]
    unit = row["unit"].replace("cm2", "cm²")
    per = "" if row["basis"] == "area" else f" per {row['basis']}"
    derived = ", converted with its loading" if row["baseline_initial_derived"] else ""
    ratio = "" if row["capacity_ratio"] is None else f"{row['capacity_ratio']:.2f} times: "
    return f"First discharge {ratio}{own:.4g}, published {published:.4g} {unit}{per}{derived}"


def format_range(low: float, high: float) -> str:
    """Return a range of fractions in per cent; one number if both ends round to the same."""
    ends = [f"{100 * value:.1f}" for value in (low, high)]
    return f"{ends[0]} %" if ends[0] == ends[1] else f"{ends[0]} to {ends[1]} %"


def count_standings(rows: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Return the number of published cells that a cell's retention is above, within and below.

    Those whose cycle the cell has not reached do not count: the line to it is no measurement.
    """
    standings = [row["standing"] for row in rows if row["reached"]]
    return {name: standings.count(name) for name in ("above", "within", "below")}


def describe_standing(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the comparison of a cell with all published cells of its kind, in a few sentences.

    ``rows`` are the cell's rows of ``baseline_comparison``.
    """
    if not rows:
        return "Not compared with published cells."
    comparable = sorted((row for row in rows if row["comparable"]), key=lambda row: row["rank"])
    if not comparable:
        reasons = dict.fromkeys(row["reason"] for row in rows if row["reason"])
        return f"Not comparable with any published cell: {'; '.join(reasons)}."
    compared = [row for row in comparable if row["standing"]]
    if not compared:
        row = comparable[0]
        return (
            f"No retention to compare yet. Nearest is {_baseline_name(row)}: "
            f"{_lower_first(describe_capacity(row))}."
        )
    nearest = compared[0]
    so_far = " so far" if nearest["interpolated"] and not nearest["reached"] else ""
    standing = _STANDING[nearest["standing"]].lower()
    first = comparable[0]
    lead = f"Nearest is {_baseline_name(nearest)}"
    if first is not nearest:
        lead = (
            f"Nearest is {_baseline_name(first)}: {_lower_first(describe_capacity(first))}, "
            f"no retention to compare. Nearest with one is {_baseline_name(nearest)}"
        )
    rates = ""
    if nearest["other_rate"]:
        rates = " The first discharge was at another rate than later ones: retention contains that."
    return (
        f"{_count_sentence(compared)} {lead}: "
        f"{standing}{so_far}, {describe_retention(nearest)}; "
        f"{_lower_first(describe_capacity(nearest))}."
        f"{rates}"
    )


def _count_sentence(compared: Sequence[Mapping[str, Any]]) -> str:
    """Say how many published cells the retention is above, within and below, of those reached."""
    words = {"above": "above", "within": "within the spread of", "below": "below"}
    counts = ", ".join(
        f"{words[name]} {number}" for name, number in count_standings(compared).items() if number
    )
    reached = sum(bool(row["reached"]) for row in compared)
    ahead = len(compared) - reached
    if not reached:
        cells = "the one published cell" if ahead == 1 else f"any of {ahead} published cells"
        return f"The cell has not yet reached the last cycle of {cells} that can be compared."
    of = f"{reached} published {'cell' if reached == 1 else 'cells'}"
    said = f"Retention {counts} of {of} whose last cycle the cell has reached."
    more = f" {ahead} more {'goes' if ahead == 1 else 'go'} on for longer and do not count."
    return said + (more.replace("do not", "does not") if ahead == 1 else more if ahead else "")


def _baseline_name(row: Mapping[str, Any]) -> str:
    return f"{row['first_author_year']} ({row['source']}, row {row['row']}; {row['alike']})"


def _lower_first(sentence: str) -> str:
    return sentence[0].lower() + sentence[1:]
