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

from cellpipe.config.settings import read_settings
from cellpipe.core.checkout import flow_module
from cellpipe.core.errors import CellpipeError
from cellpipe.service.nightly import last_night_start, run_night
from cellpipe.store.lab import Lab

_log = logging.getLogger("cellpipe")
batches = flow_module("process")
blocks = flow_module("blocks")


@flow(name="nightly", persist_result=False, task_runner=batches.RUNNER)
def nightly(labs: list[Lab], settings: str | None = None) -> State[Any]:
    """Process each lab; one that fails does not stop the next.

    ``settings`` is the path of the labs' cellpipe.toml: what is handed on, and to whom, stands
    there; tokens are never parameters. A night that was missed is caught up once: of several runs
    that are late, those that were due before the last one began have nothing to do.
    """
    messages, is_bad = [], False
    for lab in labs:
        try:
            message, failed = _run_lab_night(lab, Path(settings) if settings else None)
        except CellpipeError as error:
            message, failed = str(error), True
        except Exception as error:  # one lab that fails does not stop the next
            _log.exception("the night of %s", lab.folder)
            message, failed = f"a fault in cellpipe ({type(error).__name__})", True
        messages.append(f"{lab.folder}: {message}")
        is_bad = is_bad or failed
    return (Failed if is_bad else Completed)(message="; ".join(messages))


def _run_lab_night(lab: Lab, path: Path | None) -> tuple[str, bool]:
    due = flow_run.scheduled_start_time
    last = last_night_start(lab)
    if due is not None and last and last[:19] > due.astimezone(UTC).isoformat()[:19]:
        return "caught up already", False
    result = run_night(
        lab, batches.run_as_tasks, settings=read_settings(path) if path else None,
        base_dir=path.resolve().parent if path else None, blocks=blocks.read_block,
    )  # fmt: skip
    create_markdown_artifact(
        key="digest", markdown=f"```\n{result.digest.read_text(encoding='utf-8')}\n```",
        description=f"The night of {lab.folder}",
    )  # fmt: skip
    used = int((result.summary.files["status"] == "used").sum())
    failures = result.summary.failures
    parts = [f"{len(failures)} set aside"] if failures else []
    parts += [f"{len(result.failed)} failed: {result.failed[0]}"] if result.failed else []
    return ", ".join([*parts, f"{used} files used"]), bool(parts)
