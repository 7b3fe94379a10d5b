"""Runs the flows of ``cellpipe serve`` in one warm process, as they fall due.

A process for each run, as Prefect's own runner starts them, costs some seconds of imports before a
file is looked at. This one asks the server twice a second and has everything imported. If it ends
in the middle of a run, the next one says so to the server at once, and the slot is free.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from cronsim import CronSim
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import (
    DeploymentFilter,
    DeploymentFilterId,
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.exceptions import ObjectNotFound, SignatureMismatchError
from prefect.flow_engine import run_flow
from prefect.flows import Flow
from prefect.schedules import Cron
from prefect.states import Cancelled, Crashed, Failed, Pending

from cellpipe.config.labs import labs_from_settings
from cellpipe.config.settings import Settings, read_settings
from cellpipe.core.checkout import flow_module
from cellpipe.core.errors import CellpipeError
from cellpipe.service import nightly
from cellpipe.service.prefect_api import call_api
from cellpipe.service.watch.batch_runner import preload_modules
from cellpipe.system.child_processes import call_on_stdin_close

_LOOK_SECONDS = 0.5
_CANCEL_SECONDS = 3.0
_log = logging.getLogger("cellpipe")

process_batch = flow_module("process").process_batch
nightly_flow = flow_module("nightly")
known_labs = flow_module("labs")


def main(path: str) -> None:
    """Deploy the flows, tidy up after a runner that died, and run what falls due, until the end."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    _log.addHandler(handler)
    _log.setLevel(logging.INFO)
    _log.propagate = False
    over = threading.Event()
    call_on_stdin_close(lambda: _exit_later(over))
    given = read_settings(Path(path))
    os.environ[known_labs.SETTINGS_VARIABLE] = str(Path(path).resolve())
    known_labs.give_labs(labs_from_settings(given))
    url = os.environ["PREFECT_API_URL"]
    flows = _with_task_runner(_deploy_flows(given), given)
    add_zombie_automation()
    _mark_crashed(list(flows))
    _run_missed_night(given, flows)
    preload_modules()
    _log.info("ready")
    runner = Runner(url, flows)
    while not over.wait(_LOOK_SECONDS):
        runner.run_due()


def _exit_later(over: threading.Event) -> None:
    over.set()
    time.sleep(30)
    os._exit(0)  # in the middle of a run: the next runner says so to the server


def _deploy_flows(given: Settings) -> dict[str, Flow[..., Any]]:
    """Deploy the flows; give them by their deployments' ids. Their parameters are labs' names."""
    batch = process_batch.to_deployment(
        name="watched", description="Files that the watch found ready, and their cells."
    )
    nights = nightly_flow.nightly.to_deployment(
        name="nightly", parameters={"labs": [lab.name for lab in given.lab]},
        schedule=Cron(given.nightly.cron, timezone=given.cron_zone),
        description="Everything that is new or changed since, and a digest.",
    )  # fmt: skip
    return {str(batch.apply()): process_batch, str(nights.apply()): nightly_flow.nightly}


def _with_task_runner(
    flows: dict[str, Flow[..., Any]], given: Settings
) -> dict[str, Flow[..., Any]]:  # fmt: skip
    """Return the flows with the task runner that the settings ask for."""
    runner = flow_module("task_runners").make_task_runner(given.runner)
    return {deployment: f.with_options(task_runner=runner) for deployment, f in flows.items()}


def add_zombie_automation(within: timedelta = timedelta(seconds=90)) -> None:
    """Let the server call a run crashed from which no sign of life came for a while."""
    from prefect.automations import Automation
    from prefect.events.actions import ChangeFlowRunState
    from prefect.events.schemas.automations import EventTrigger, Posture

    name = "cellpipe: a run without a sign of life has crashed"
    try:
        _ = Automation.read(name=name)
    except ValueError:
        ends = {f"prefect.flow-run.{s}" for s in ("Completed", "Failed", "Cancelled", "Crashed")}
        beat = "prefect.flow-run.heartbeat"
        trigger = EventTrigger(
            after={beat}, expect=ends | {beat},
            match={"prefect.resource.id": ["prefect.flow-run.*"]},
            for_each={"prefect.resource.id"}, posture=Posture.Proactive, threshold=1, within=within,
        )  # fmt: skip
        said = "no sign of life came from it"
        action = ChangeFlowRunState(
            name="Crashed", state=StateType.CRASHED, message=said, force=True
        )  # fmt: skip
        _ = Automation(name=name, trigger=trigger, actions=[action]).create()


def _mark_crashed(deployments: list[str]) -> None:
    """Say of runs that were on their way that they crashed: whoever ran them is no more."""
    on_their_way = [StateType.RUNNING, StateType.PENDING, StateType.CANCELLING]
    with get_client(sync_client=True) as client:
        runs = client.read_flow_runs(
            deployment_filter=DeploymentFilter(
                id=DeploymentFilterId(any_=[UUID(each) for each in deployments])
            ),
            flow_run_filter=FlowRunFilter(
                state=FlowRunFilterState(type=FlowRunFilterStateType(any_=on_their_way))
            ),
        )
        for run in runs:
            cancelled = run.state_type == StateType.CANCELLING
            state: State[Any] = (
                Cancelled() if cancelled else Crashed(message="the process that ran it ended")
            )
            client.set_flow_run_state(run.id, state, force=True)
            _log.warning("%s: %s", run.name, state.type.value)


def _run_missed_night(given: Settings, flows: dict[str, Flow[..., Any]]) -> None:
    """Ask for one nightly run if the last night that was due was missed."""
    now = datetime.now(UTC)
    due = last_due_time(given.nightly.cron, given.cron_zone, now)
    nights = []
    for lab in labs_from_settings(given):
        try:
            nights.append(nightly.last_night_start(lab))
        except CellpipeError as error:  # results out of reach do not stop the other labs
            _log.warning("%s", error)
    if due is None or not any(nights) or all(n and n[:19] >= due.isoformat()[:19] for n in nights):
        return
    deployment = next(d for d, flow in flows.items() if flow is nightly_flow.nightly)
    with get_client(sync_client=True) as client:
        client.create_flow_run_from_deployment(
            UUID(deployment), idempotency_key=f"night {due.isoformat()}, asked {now.isoformat()}",
            name=f"night of {due:%Y-%m-%d}, caught up",
        )  # fmt: skip
    _log.info("the night of %s was missed; it is caught up", due)


def last_due_time(cron: str, zone: str, now: datetime) -> datetime | None:
    """Return when a cron line was last due (UTC), within the last five weeks."""
    due = next(CronSim(cron, now.astimezone(ZoneInfo(zone)), reverse=True), None)
    if due is None or now - due > timedelta(weeks=5):
        return None
    return due.astimezone(UTC)


class Runner:
    """Runs what falls due, one after the other."""

    def __init__(self, url: str, flows: dict[str, Flow[..., Any]]) -> None:
        self.url = url
        self.flows = flows
        self._unreported: dict[UUID, State[Any]] = {}  # final states that could not be reported
        self._was_away = False

    def run_due(self) -> None:
        """Run what is due now; wait for a server that can't be reached."""
        try:
            self._report_states()
            for run in self._due_runs():
                self._run(run)
        except Exception as error:  # any error of the client while the server can't be reached
            if not self._was_away:
                _log.warning("no answer from the server (%s)", error)
            self._was_away = True
            time.sleep(1.0)
            return
        self._was_away = False

    def _due_runs(self) -> list[FlowRun]:
        body = {
            "deployment_ids": list(self.flows), "limit": 20,
            "scheduled_before": datetime.now(UTC).isoformat(),
        }  # fmt: skip
        found = call_api(self.url, "deployments/get_scheduled_flow_runs", body)
        return [FlowRun.model_validate(each) for each in found]

    def _run(self, run: FlowRun) -> None:
        flow = self.flows[str(run.deployment_id)]
        with get_client(sync_client=True) as client:
            given: Any = client.set_flow_run_state(run.id, Pending())
            if given.state is None or given.state.type != StateType.PENDING:
                return  # somebody else runs it, or it was cancelled
            run = client.read_flow_run(run.id)
        _log.info("%s begins", run.name)
        ended = threading.Event()
        threading.Thread(target=self._exit_if_cancelled, args=(run.id, ended), daemon=True).start()
        try:
            state: Any = run_flow(flow, flow_run=run, return_type="state")
        except SignatureMismatchError as error:  # as those of versions that took folders
            state = Failed(message=f"{error}. A lab is named; its folders are in the settings.")
        except BaseException as error:
            state = Crashed(message=f"{type(error).__name__}: {error}")
            _log.exception("%s", run.name)
            if not isinstance(error, Exception):
                raise
        finally:
            ended.set()
        _log.info("%s: %s %s", run.name, state.name, state.message)
        self._unreported[run.id] = state

    def _report_states(self) -> None:
        """Report final states to the server that it could not be told when runs ended."""
        for run_id, state in list(self._unreported.items()):
            with get_client(sync_client=True) as client:
                try:
                    known = client.read_flow_run(run_id)
                except ObjectNotFound:  # somebody deleted it
                    del self._unreported[run_id]
                    continue
                if known.state is None or not known.state.is_final():
                    said = state.model_copy(update={"data": None})
                    client.set_flow_run_state(run_id, said, force=True)
            del self._unreported[run_id]

    def _exit_if_cancelled(self, run_id: UUID, ended: threading.Event) -> None:
        """End this process if its run is cancelled: the results are safe, and a new one starts."""
        while not ended.wait(_CANCEL_SECONDS):
            try:
                run = call_api(self.url, f"flow_runs/{run_id}")
                if run["state_type"] != StateType.CANCELLING.value or ended.is_set():
                    continue
                with get_client(sync_client=True) as client:
                    client.set_flow_run_state(run_id, Cancelled(), force=True)
            except Exception as error:  # the server can't be reached
                _log.debug("%s", error)
                continue
            os._exit(3)


if __name__ == "__main__":
    main(sys.argv[1])
