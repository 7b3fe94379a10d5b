"""What stripping and plating says of a cell, in a few numbers and one sentence."""

from __future__ import annotations

import polars as pl

from cellpipe.core.contracts import empty_table
from cellpipe.core.model import Tables


def plating_summary(tables: Tables) -> dict[str, object]:
    """Return the columns of a cell's row about stripping and plating."""
    critical, shorts, methods = (
        tables.get(name, empty_table(name))
        for name in ("critical_current", "short_circuits", "plating_efficiency")
    )
    row = critical.row(0, named=True) if critical.height else {}
    efficiency = methods.filter("used")
    return {
        "symmetric": critical.height > 0,
        "critical_current_density_ma_per_cm2": row.get("critical_current_density_ma_per_cm2"),
        "critical_current_verdict": row.get("verdict"),
        "short_circuit_hour": row.get("short_hour"),
        "plating_efficiency": efficiency["efficiency"][0] if efficiency.height else None,
        "plating_summary": _sentence(row, shorts, methods),
    }


def _sentence(row: dict[str, object], shorts: pl.DataFrame, methods: pl.DataFrame) -> str | None:
    """Return what is said of the cell on one line; None if it neither strips nor plates."""
    said = []
    if row:
        said.append("symmetric by its voltage" if row["known_from"] == "voltage" else "")
        said.append(critical_text(row))
        said.append(short_text(row, shorts))
    said += [
        f"plating efficiency {100 * method['efficiency']:.2f} % ({method['method']})"
        for method in methods.filter("used").to_dicts()
    ]
    if methods.height and not said:
        said.append(f"no plating efficiency: {methods['remark'].drop_nulls()[-1]}")
    return "; ".join(text for text in said if text) or None


def critical_text(row: dict[str, object]) -> str:
    """Return what a row of ``critical_current`` says of the critical current; "" without a test."""
    verdict = row["verdict"]
    if verdict == "no rising current":
        return ""
    held, shorted = (current_text(row, end) for end in ("held", "shorted"))
    name = "critical current density" if "cm²" in held + shorted else "critical current"
    if verdict == "shorted":
        return f"{name} {held} (shorted at {shorted})"
    if verdict == "shorted at the lowest":
        return f"{name} below {shorted}"
    return f"{name} above {held} (the test ended without a short)"


def current_text(row: dict[str, object], end: str) -> str:
    """Return a current of a row of ``critical_current`` per area or, without one, in mA."""
    stems = {"held": "critical_current_density", "shorted": "shorted_current_density"}
    density, ampere = row[f"{stems[end]}_ma_per_cm2"], row[f"{end}_ampere"]
    if isinstance(density, float):
        return f"{density:.3g} mA/cm²"
    return f"{1e3 * ampere:.3g} mA" if isinstance(ampere, float) else ""


def short_text(row: dict[str, object], shorts: pl.DataFrame) -> str:
    """Return whether and when the cell was shorted."""
    if shorts.height:
        first = shorts.row(0, named=True)
        kind = {"open": "short"}.get(first["kind"], f"{first['kind']} short")
        return f"{kind} at {first['start_hour']:.3g} h"
    return "no short" if row["judged"] else "a short can't be told: the voltage is within its noise"
