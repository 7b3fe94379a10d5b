"""Who deals with a batch: a process of the watch's own, or Prefect, call_api over its API."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from cellpipe.core.errors import ServerError
from cellpipe.service.prefect_api import DEPLOYMENT, call_api
from cellpipe.system.processes import exit_on_interrupt

State = Literal["running", "done", "died"]
_BATCHES = 100  # that a process deals with before a fresh one takes its place
_OVER = {"COMPLETED": "done", "FAILED": "done", "CRASHED": "died", "CANCELLED": "died"}
_GONE = 404


@dataclass(frozen=True)
class BatchTask:
    """A batch of a lab: what a hand needs to deal with it."""

    folder: Path
    out: Path
    time_zone: str | None
    also: tuple[Path, ...]
    batch: str

    @property
    def parameters(self) -> dict[str, object]:
        """Return it as the flow's parameters."""
        return {
            "folder": str(self.folder), "out": str(self.out), "batch": self.batch,
            "time_zone": self.time_zone, "also": [str(path) for path in self.also],
        }  # fmt: skip


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
        self._ensure_pool().submit(_preload)

    def start(self, task: BatchTask) -> str:
        """Begin with a batch."""
        try:
            future = self._ensure_pool().submit(_process_batch, task)
        except BrokenProcessPool:
            self.close()
            future = self._ensure_pool().submit(_process_batch, task)
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
            context = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(
                1, context, exit_on_interrupt, max_tasks_per_child=_BATCHES
            )
        return self._pool


def _preload() -> None:
    from cellpipe.service.watch.batch import preload_modules

    preload_modules()


def _process_batch(task: BatchTask) -> str:
    from cellpipe.service.watch.batch import process_batch

    return process_batch(task)


class PrefectRunner:
    """A Prefect server, call_api for a run of the deployment ``process-batch/watched``.

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
        """Tell how a run stands; a server that is away just now leaves it running."""
        try:
            run = call_api(self.url, f"flow_runs/{name}")
        except ServerError as error:
            return ("died", "the server forgot it") if error.status == _GONE else ("running", "")
        kind = str(run["state_type"])
        message = str((run.get("state") or {}).get("message") or "")
        return _OVER.get(kind, "running"), message  # type: ignore[return-value]

    def close(self) -> None:
        """Do nothing: the server goes on."""
