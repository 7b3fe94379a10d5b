"""The nightly flow: everything that is new or changed since, for several folders one by one.

Run ``python flows/nightly.py FOLDER RESULTS`` (of an installed package: ``python -m
cellpipe.flows.nightly FOLDER RESULTS``) beside a Prefect server, which ``PREFECT_API_URL`` names,
to serve it every night at two o'clock; ``--cron`` and ``--time-zone`` set when.
"""

from __future__ import annotations

import argparse
from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.schedules import Cron
from prefect.states import Completed, Failed

from cellpipe.prefect_run import flow_module

process = flow_module("process").process


@flow(name="nightly", persist_result=False, validate_parameters=False)
def nightly(folders: dict[str, str], time_zone: str | None = None) -> State[Any]:
    """Process each folder into its results folder; one that fails does not stop the next.

    ``folders`` maps a folder with raw files to its results folder.
    """
    states = {
        folder: process(folder, out, time_zone, return_state=True)
        for folder, out in folders.items()
    }
    bad = [f"{folder}: {state.message}" for folder, state in states.items() if state.is_failed()]
    if bad:
        return Failed(message="; ".join(bad))
    return Completed(message=f"{len(states)} folders processed, everything used")


def main() -> None:
    """Serve the nightly flow on a schedule."""
    parser = argparse.ArgumentParser(description="Serve the nightly flow on a schedule.")
    parser.add_argument("folder", help="folder with raw files")
    parser.add_argument("out", help="folder for the results")
    parser.add_argument("--cron", default="0 2 * * *", help="when, as a cron line (default 2:00)")
    parser.add_argument("--time-zone", default="UTC", help="zone of the schedule and instruments")
    options = parser.parse_args()
    nightly.serve(
        name="nightly",
        schedule=Cron(options.cron, timezone=options.time_zone),
        parameters={"folders": {options.folder: options.out}, "time_zone": options.time_zone},
    )


if __name__ == "__main__":
    main()
