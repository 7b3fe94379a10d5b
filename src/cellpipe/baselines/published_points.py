"""Published cells as points: areal capacity, cycles, retention and electrolyte of each."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import polars as pl

from cellpipe.baselines import review_text
from cellpipe.baselines.materials import cathode_family, electrolyte_family

_TYPES: dict[str, type[pl.DataType]] = {
    "name": pl.String, "kind": pl.String, "cycle": pl.Int64,
    "areal_capacity_mah_per_cm2": pl.Float64, "derived": pl.Boolean,
    "retention_low": pl.Float64, "retention_high": pl.Float64,
    "electrolyte": pl.String,
}  # fmt: skip


def published_points(baselines: pl.DataFrame) -> pl.DataFrame:
    """Return name, kind, last cycle, areal capacity, retention and electrolyte of published cells.

    First the rows of ``baselines``, whose mAh/g become mAh/cm² (``derived``) by the printed
    loading of the same material, null without one; then the areal capacities of first cycles in
    the review's text, which come without a retention. Retentions are fractions.
    """
    rows = [_point(row) for row in baselines.to_dicts()]
    text = review_text().filter(
        (pl.col("measure_inferred") == "areal_capacity") & (pl.col("cycle_inferred") == 1)
    )
    rows += [
        {"name": f"[{row['ref']}]", "kind": row["cell_kind_inferred"], "cycle": 1,
         "areal_capacity_mah_per_cm2": row["value_high"], "derived": False,
         "electrolyte": electrolyte_family(_separator(row["system"]))}
        for row in text.to_dicts()
    ]  # fmt: skip
    return pl.DataFrame(rows, schema=_TYPES)


def published_pressures() -> dict[str, float]:
    """Return the stack pressures (MPa) that the review's text gives, by reference; least first."""
    found = {
        f"[{row['ref']}]": float(pressure[1])
        for row in review_text().to_dicts()
        if (pressure := re.search(r"(?<![\d.])(\d+(?:\.\d+)?) MPa", row["conditions"] or ""))
    }
    return dict(sorted(found.items(), key=lambda pair: pair[1]))


def _point(row: Mapping[str, Any]) -> dict[str, Any]:
    is_areal = row["initial_unit"] == "mAh/cm2"
    areal = row["initial_value"] if is_areal else None
    loading = loading_mg_per_cm2(row["loading_text"] or "", row["capacity_basis_inferred"])
    if not is_areal and loading is not None and row["initial_value"] is not None:
        areal = 1e-3 * row["initial_value"] * loading
    ends = end_retentions(row)
    return {
        "name": row["first_author_year"], "kind": row["cell_kind_inferred"],
        "cycle": row["later_cycle"] or 1, "areal_capacity_mah_per_cm2": areal,
        "derived": not is_areal, "retention_low": min(ends) if ends else None,
        "retention_high": max(ends) if ends else None,
        "electrolyte": electrolyte_family(row["solid_electrolyte"]),
    }  # fmt: skip


def _separator(system: str) -> str | None:
    """Return the electrolyte of a cell that is written as anode | electrolyte | cathode."""
    parts = [part.strip() for part in system.split("|")]
    return parts[1] if len(parts) > 1 else None


def end_retentions(row: Mapping[str, Any]) -> list[float] | None:
    """Return a row's final retentions, from its capacities and as printed; None without any."""
    values = [row["later_value_low"], row["later_value_high"]]
    computed = row["later_unit"] == row["initial_unit"] and row["initial_value"]
    ends = [v / row["initial_value"] for v in values if computed and v is not None]
    printed = row["retention_percent"]
    return [*ends, *([] if printed is None else [printed / 100])] or None


def loading_mg_per_cm2(text: str, basis: str) -> float | None:
    """Return the loading, mg/cm², of the material of a row's capacity basis, from the printed text.

    None if the text does not name that material, or not exactly one number for it.
    """
    cathode = basis == "cathode active material"
    loadings = []
    for part in text.split(";"):
        label, _, _ = part.partition(":")
        is_cathode = bool(cathode_family(label) or re.search(r"cathode", label, re.IGNORECASE))
        is_anode = bool(re.search(r"anode|silicon|Si(?![a-z])", label)) and not is_cathode
        if is_cathode if cathode else is_anode:
            loadings += re.findall(r"(\d+(?:[.,]\d+)?)\s*mg\s*/?\s*cm", part)
            if re.search(r"\d\s*(?:±|[-–—]|to)\s*\d+(?:[.,]\d+)?\s*mg", part):
                return None
    return float(loadings[0].replace(",", ".")) if len(loadings) == 1 else None
