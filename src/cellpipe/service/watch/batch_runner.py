"""Who deals with a batch: a process of the watch's own, or Prefect, asked over its API."""

from __future__ import annotations

from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import Literal, Protocol

from cellpipe.core.errors import ServerError
from cellpipe.service.prefect_api import DEPLOYMENT, call_api
from cellpipe.store.lab import Lab
from cellpipe.system.child_processes import WorkerContext
from cellpipe.system.processes import exit_on_interrupt

State = Literal["running", "done", "died"]
_BATCHES = 100  # that a process deals with before a fresh one takes its place
_OVER = {"COMPLETED": "done", "FAILED": "done", "CRASHED": "died", "CANCELLED": "died"}
_GONE = 404


@dataclass(frozen=True)
class BatchTask:
    """A batch of a lab's files: what a runner needs to process it."""

    lab: Lab
    batch: str

    @property
    def parameters(self) -> dict[str, object]:
        """Return it as the flow's parameters: the lab's name, and no folder."""
        return {"lab": self.lab.name, "batch": self.batch}


class BatchRunner(Protocol):
    """Deals with batches, one at a time for each lab."""

    def start(self, task: BatchTask) -> str:
        """Begin with a batch; give a name to ask after it."""

    def state(self, name: str) -> tuple[State, str]:
        """Tell how a batch stands, and why if it died."""

    def close(self) -> None:
        """Let go."""


class LocalRunner:
    """A process beside the watch, kept warm; one that dies is replaced."""

    def __init__(self) -> None:
        self._pool: ProcessPoolExecutor | None = None
        self._futures: dict[str, Future[str]] = {}

    def warm_up(self) -> None:
        """Start the process, so that the first batch need not wait for it."""
        self._ensure_pool().submit(preload_modules)

    def start(self, task: BatchTask) -> str:
        """Begin with a batch."""
        try:
            future = self._ensure_pool().submit(process_batch, task)
        except BrokenProcessPool:
            self.close()
            future = self._ensure_pool().submit(process_batch, task)
        self._futures[task.batch] = future
        return task.batch

    def state(self, name: str) -> tuple[State, str]:
        """Tell how a batch stands."""
        future = self._futures.get(name)
        if future is None:
            return "died", "it was begun by another watch"
        if not future.done():
            return "running", ""
        del self._futures[name]
        error = future.exception()
        if isinstance(error, BrokenProcessPool):
            self.close()
            return "died", "its process ended (out of memory?)"
        return ("died", str(error)) if error else ("done", future.result())

    def close(self) -> None:
        """End the process when it is done with what it is at."""
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
        self._pool = None

    def _ensure_pool(self) -> ProcessPoolExecutor:
        if self._pool is None:
            self._pool = ProcessPoolExecutor(
                1, WorkerContext(), exit_on_interrupt, max_tasks_per_child=_BATCHES
            )
        return self._pool


def preload_modules() -> None:
    """Import what a batch will need, here and in the process that will read."""
    from cellpipe.system.processes import prestart

    prestart("cellpipe.pipeline.executors")
    import lmfit  # noqa: F401
    import matplotlib.figure  # noqa: F401

    import cellpipe.pipeline.run
    import cellpipe.report.excel.cell_workbook
    import cellpipe.report.html.cell_page

    cellpipe.analyses.all_analyses()


def process_batch(task: BatchTask) -> str:
    """Process a batch's files and the cells that they belong to; return what came of it."""
    from cellpipe.pipeline.executors import LocalExecutor
    from cellpipe.pipeline.run import run_batch
    from cellpipe.system.processes import Workers, default_worker_count

    with Workers(default_worker_count()) as workers:
        summary = run_batch(task.lab, task.batch, LocalExecutor(workers))
    if summary is None:
        return "the batch has been dealt with"
    return (
        f"files read: {summary.read}, cells computed: {summary.cells_updated}, "
        f"set aside in all: {len(summary.failures)}"
    )


class PrefectRunner:
    """A Prefect server, asked for a run of the deployment ``process-batch/watched``.

    The batch's name is the idempotency key: asked twice, it is one run. Keys and passwords are
    those of Prefect's own variables, ``PREFECT_API_KEY`` and ``PREFECT_API_AUTH_STRING``.
    """

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")

    def start(self, task: BatchTask) -> str:
        """Ask for a run."""
        deployment = call_api(self.url, f"deployments/name/{DEPLOYMENT}")
        wanted: dict[str, object] = {
            "name": f"batch {task.batch}", "parameters": task.parameters,
            "idempotency_key": task.batch, "state": {"type": "SCHEDULED", "name": "Scheduled"},
        }  # fmt: skip
        run = call_api(self.url, f"deployments/{deployment['id']}/create_flow_run", wanted)
        return str(run["id"])

    def state(self, name: str) -> tuple[State, str]:
        """Tell how a run stands; one whose server can't be reached counts as running."""
        try:
            run = call_api(self.url, f"flow_runs/{name}")
        except ServerError as error:
            return ("died", "the server forgot it") if error.status == _GONE else ("running", "")
        kind = str(run["state_type"])
        message = str((run.get("state") or {}).get("message") or "")
        return _OVER.get(kind, "running"), message  # type: ignore[return-value]

    def close(self) -> None:
        """Do nothing: the server goes on."""
