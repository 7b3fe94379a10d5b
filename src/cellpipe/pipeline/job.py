"""What results are made of, so that they can be made again by their name alone."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

from cellpipe.core.errors import StoreError
from cellpipe.core.limits import Limits
from cellpipe.store.lab import Lab, lab_of_results, resolve_lab
from cellpipe.store.snapshot import LedgerSnapshot

JOB_KEY = "what the results are made of"


def save_job(lab: Lab, state: LedgerSnapshot) -> None:
    """Record what the results are made of, so that they can be made again by their name alone."""
    also = [str(path) for path in lab.also]
    described = {
        "folder": str(lab.folder), "time_zone": lab.time_zone, "also": also,
        "limits": asdict(lab.limits),
    }  # fmt: skip
    text = json.dumps(described)
    if state.values.get(JOB_KEY) != text:
        lab.ledger.set_key_value(JOB_KEY, text)


def load_lab(results: Path) -> Lab:
    """Return the lab that results were made for last.

    Raises
    ------
    StoreError
        If the ledger knows of none.

    """
    text = lab_of_results(results).ledger.key_value(JOB_KEY)
    if text is None:
        raise StoreError(
            "results of which the ledger does not know what they were made of",
            expected="those of a run of this version",
            remedy="run cellpipe process FOLDER --out RESULTS", file=results,
        )  # fmt: skip
    kept = json.loads(text)
    lab = resolve_lab(kept["folder"], results, kept["time_zone"], kept["also"])
    return replace(lab, limits=Limits(**kept.get("limits", {})))
