"""The nightly flow: everything that is new or changed since, for every lab, one by one."""

from __future__ import annotations

import logging
from datetime import UTC
from typing import Any

from prefect import flow
from prefect.artifacts import create_markdown_artifact
from prefect.client.schemas.objects import State
from prefect.runtime import flow_run
from prefect.states import Completed, Failed

from cellpipe.config.labs import LabName
from cellpipe.config.settings import read_settings
from cellpipe.core.checkout import flow_module
from cellpipe.core.errors import CellpipeError
from cellpipe.service.nightly import last_night_start, run_night

_log = logging.getLogger("cellpipe")
batches = flow_module("process")
blocks = flow_module("blocks")
known_labs = flow_module("labs")


@flow(name="nightly", persist_result=False, task_runner=batches.RUNNER)
def nightly(labs: list[LabName]) -> State[Any]:
    """Process each lab; one that fails does not stop the next.

    ``labs`` are names: where a lab lies, what is handed on, and to whom, stands in the settings of
    the process that runs the flow. A night that was missed is caught up once: of several runs that
    are late, those that were due before the last one began have nothing to do.
    """
    messages, is_bad = [], False
    for lab in labs:
        try:
            message, failed = _run_lab_night(lab)
        except CellpipeError as error:
            message, failed = str(error), True
        except Exception as error:  # one lab that fails does not stop the next
            _log.exception("the night of %s", lab)
            message, failed = f"a fault in cellpipe ({type(error).__name__})", True
        messages.append(f"{lab}: {message}")
        is_bad = is_bad or failed
    return (Failed if is_bad else Completed)(message="; ".join(messages))


def _run_lab_night(name: str) -> tuple[str, bool]:
    lab = known_labs.find_lab(name)
    due = flow_run.scheduled_start_time
    last = last_night_start(lab)
    if due is not None and last and last[:19] > due.astimezone(UTC).isoformat()[:19]:
        return "caught up already", False
    path = known_labs.settings_file()
    result = run_night(
        lab, batches.run_as_tasks, settings=read_settings(path), base_dir=path.parent,
        blocks=blocks.read_block,
    )  # fmt: skip
    create_markdown_artifact(
        key="digest", markdown=f"```\n{result.digest.read_text(encoding='utf-8')}\n```",
        description=f"The night of {name}",
    )  # fmt: skip
    used = int((result.summary.files["status"] == "used").sum())
    failures = result.summary.failures
    parts = [f"{len(failures)} set aside"] if failures else []
    parts += [f"{len(result.failed)} failed: {result.failed[0]}"] if result.failed else []
    return ", ".join([*parts, f"{used} files used"]), bool(parts)
