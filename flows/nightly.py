"""The nightly flow: everything that is new or changed since, for every lab, one by one."""

from __future__ import annotations

import logging
from datetime import UTC
from pathlib import Path
from typing import Any

from prefect import flow
from prefect.artifacts import create_markdown_artifact
from prefect.client.schemas.objects import State
from prefect.runtime import flow_run
from prefect.states import Completed, Failed
from pydantic import BaseModel, ConfigDict

from cellpipe.config.settings import read_settings
from cellpipe.core.checkout import flow_module
from cellpipe.core.errors import CellpipeError
from cellpipe.pipeline.run import prepare_lab
from cellpipe.service import nightly as night

_log = logging.getLogger("cellpipe")
batches = flow_module("process")
blocks = flow_module("blocks")


class LabRun(BaseModel):
    """One lab's folders, results and time zone; ``settings`` is the path of its cellpipe.toml.

    What is handed on, and to whom, stands there; tokens are never parameters.
    """

    model_config = ConfigDict(extra="forbid")

    folder: str
    out: str
    time_zone: str | None = None
    also: list[str] = []
    settings: str | None = None


@flow(name="nightly", persist_result=False, task_runner=batches.RUNNER)
def nightly(labs: list[LabRun]) -> State[Any]:
    """Process each lab; one that fails does not stop the next.

    A night that was missed is caught up once: of several runs that are late, those that were due
    before the last one began have nothing to do.
    """
    said, bad = [], False
    for lab in labs:
        try:
            message, failed = _run_night(lab)
        except CellpipeError as error:
            message, failed = str(error), True
        except Exception as error:  # one lab that fails does not stop the next
            _log.exception("the night of %s", lab.folder)
            message, failed = f"a fault in cellpipe ({type(error).__name__})", True
        said.append(f"{lab.folder}: {message}")
        bad = bad or failed
    return (Failed if bad else Completed)(message="; ".join(said))


def _run_night(lab: LabRun) -> tuple[str, bool]:
    path = Path(lab.settings) if lab.settings else None
    given = read_settings(path) if path else None
    missed = night.fetch_files(night.find_lab(given, Path(lab.out)))
    job = prepare_lab(lab.folder, lab.out, lab.time_zone, lab.also)
    due = flow_run.scheduled_start_time
    last = night.last_night_start(job)
    if due is not None and last and last[:19] > due.astimezone(UTC).isoformat()[:19]:
        return "caught up already", False
    begun = night.start()
    summary = batches.run_lab(job, None)
    ended = night.finish(
        job, summary, begun, given=given,
        beside=path.resolve().parent if path else None, blocks=blocks.read_block,
        missed=missed,
    )  # fmt: skip
    create_markdown_artifact(
        key="digest", markdown=f"```\n{ended.digest.read_text(encoding='utf-8')}\n```",
        description=f"The night of {lab.folder}",
    )  # fmt: skip
    used = int((summary.files["status"] == "used").sum())
    parts = [f"{len(summary.failures)} set aside"] if summary.failures else []
    parts += [f"{len(ended.failed)} failed: {ended.failed[0]}"] if ended.failed else []
    return ", ".join([*parts, f"{used} files used"]), bool(parts)
