"""The executor of the flows: each file's outcome, and each cell's, is a task run.

A file that was set aside is a failed task with its reason; what may pass (a locked file, a share
that can't be reached) is tried again, what can't (a broken file) is not. Above some hundred items
a task run stands for several. Where the work is done is up to the flow's task runner: threads and
processes of this machine, Dask or Ray.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, Generic, TypeVar, cast
from uuid import UUID

from prefect import task
from prefect.artifacts import create_progress_artifact, update_progress_artifact
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun
from prefect.futures import PrefectFuture, as_completed
from prefect.runtime import flow_run, task_run

from cellpipe.core.checkout import flow_module
from cellpipe.pipeline.executors import COMPUTE, INGEST, Step
from cellpipe.store.lab import Lab
from cellpipe.system.processes import Workers

T = TypeVar("T")
R = TypeVar("R")
Outcome = tuple[T, R | Exception]  # an item, and what was made of it
SINGLE_ITEM_LIMIT = 300  # up to so many files or cells, each is a task run of its own
CHUNK_SIZE = 25  # above, a task run stands for so many
MIN_REMOTE_RUNS = 32  # so many task runs at least, if there are as many items, keep a cluster busy
task_runners = flow_module("task_runners")
task_runs: Counter[str] = Counter()  # of each flow run, as asked for: on_server waits for them
_log = logging.getLogger("cellpipe")


class RejectedError(Exception):
    """A file or a cell that can't be used: the reason, and what the task was to give."""

    def __init__(self, reason: str, outcomes: Sequence[Outcome[Any, Any]] = ()) -> None:
        super().__init__(reason, outcomes)
        self.outcomes = outcomes

    def __str__(self) -> str:
        """Return the reason."""
        return str(self.args[0])


class RunContext:
    """What the tasks of one run share: the lab and its processes. Prefect does not look into it.

    Where tasks run on other machines, each process there does its work in one worker of its own.
    """

    def __init__(self, lab: Lab, workers: Workers, *, is_remote: bool = False) -> None:
        self.lab = lab
        self.workers = workers
        self.is_remote = is_remote

    def __getstate__(self) -> dict[str, object]:
        """Leave the processes behind: another machine has its own."""
        return {"lab": self.lab, "is_remote": True}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Open the context on another machine."""
        self.__init__(state["lab"], Workers(1), is_remote=True)  # type: ignore[misc]


class Chunk(Generic[T]):
    """The items of one task run: a single one as a rule."""

    def __init__(self, items: Sequence[T], name: str, *, single: bool) -> None:
        self.items = items
        self.name = name.replace("{", "(").replace("}", ")")
        self.single = single


def is_retryable(_task: Any, _run: TaskRun, state: State[Any]) -> bool:
    """Return whether trying again can help: a file that can't be opened now, not a broken one."""
    return isinstance(state.data, OSError) or isinstance(
        state.result(raise_on_failure=False), OSError
    )


@task(retries=2, retry_delay_seconds=[2, 10], retry_condition_fn=is_retryable,
      cache_policy=NO_CACHE, persist_result=False)  # fmt: skip
def ingest_files(context: RunContext, chunk: Chunk[Any]) -> list[Outcome[Any, Any]]:
    """Read files and write their tables."""
    outcomes: list[Outcome[Any, Any]] = []
    for file, result in _do(INGEST, context, chunk):
        if isinstance(result, OSError) and chunk.single and (task_run.run_count or 0) < 3:
            raise result
        outcomes.append((file, result))
    return _raise_rejection(INGEST, chunk, outcomes)


@task(cache_policy=NO_CACHE, persist_result=False)
def compute_cells(context: RunContext, chunk: Chunk[Any]) -> list[Outcome[Any, Any]]:
    """Compute cells' tables and reports."""
    outcomes = [*_do(COMPUTE, context, chunk)]
    return _raise_rejection(COMPUTE, chunk, outcomes)


def _do(
    step: Step[T, R], context: RunContext, chunk: Chunk[T]
) -> Iterator[tuple[T, R | Exception]]:
    return context.workers.map(step.work, context.lab, chunk.items, step.bound)


def _raise_rejection(
    step: Step[T, R], chunk: Chunk[T], outcomes: list[Outcome[T, R]]
) -> list[Outcome[T, R]]:
    """Return the outcomes; raise RejectedError where the only item can't be used."""
    if not chunk.single:
        return outcomes
    result = outcomes[0][1]
    is_error = isinstance(result, Exception)
    reason = f"{type(result).__name__}: {result}" if is_error else step.rejection(cast("R", result))
    if reason:
        raise RejectedError(reason, outcomes)
    return outcomes


_TASKS = {INGEST.stage: ingest_files, COMPUTE.stage: compute_cells}


class PrefectExecutor:
    """Does a run's work as task runs of the flow that runs now."""

    def __init__(self, workers: Workers) -> None:
        self._workers = workers

    def map(
        self, step: Step[T, R], lab: Lab, items: Sequence[T]
    ) -> Iterator[tuple[T, R | Exception]]:
        """Yield each item with what its task run gave or raised, as they are done."""
        if not items:
            return
        context = RunContext(lab, self._workers, is_remote=task_runners.is_remote())
        self._workers.expect(len(items))
        prefix = "" if step is INGEST else "cell "
        names = [f"{prefix}{step.name(lab, item)}" for item in items]
        chunks = make_chunks(items, names, is_remote=context.is_remote)
        yield from _run_chunks(step, context, chunks)


def make_chunks(
    items: Sequence[T], names: Sequence[str], *, is_remote: bool = False
) -> list[Chunk[T]]:
    """Divide items among task runs, each with a name that tells what it is about.

    On a cluster a task run costs some tenths of a second, so it stands for several items sooner.
    """
    size = min(CHUNK_SIZE, len(items) // MIN_REMOTE_RUNS) if is_remote else CHUNK_SIZE
    if size <= 1 or (len(items) <= SINGLE_ITEM_LIMIT and not is_remote):
        return [Chunk([item], name, single=True) for item, name in zip(items, names, strict=True)]
    return [
        Chunk(items[start : start + size], f"{names[start]} and those after it", single=False)
        for start in range(0, len(items), size)
    ]


def _run_chunks(
    step: Step[T, R], context: RunContext, chunks: Sequence[Chunk[T]]
) -> Iterator[tuple[T, R | Exception]]:
    """Run a task for each chunk; yield what came of each item, and show how far they are."""
    run = cast("Any", _TASKS[step.stage])
    futures: dict[PrefectFuture[Any], Chunk[T]] = {
        run.with_options(task_run_name=chunk.name).submit(context, chunk): chunk for chunk in chunks
    }
    task_runs[str(flow_run.id)] += len(futures)
    made = create_progress_artifact(progress=0.0, description=f"{step.stage} of this run")
    progress = cast("UUID", made)  # of a synchronous flow
    every = max(1, len(futures) // 20)
    for number, future in enumerate(as_completed(list(futures)), 1):
        yield from _collect_outcomes(step, context, future, futures[future])
        if number % every == 0 or number == len(futures):
            update_progress_artifact(progress, progress=100.0 * number / len(futures))


def _collect_outcomes(
    step: Step[T, R], context: RunContext, future: PrefectFuture[Any], chunk: Chunk[T]
) -> Sequence[Outcome[T, R]]:
    """Return what became of a chunk's items; a chunk that was lost is done here, one by one."""
    state = _wait_for_state(future)
    if state is not None and state.is_final() and not state.is_crashed():
        result = state.result(raise_on_failure=False)
        if isinstance(result, RejectedError):
            return result.outcomes
        if not isinstance(result, BaseException):
            return cast("Sequence[Outcome[T, R]]", result)
        if not context.is_remote:
            return [(item, _to_exception(result)) for item in chunk.items]
    _log.warning("%s was lost on its way; it is done here", chunk.name)
    return [*_do(step, context, chunk)]


def _wait_for_state(future: PrefectFuture[Any]) -> State[Any] | None:
    """Return the state that a task run ended in; None where its worker took it along."""
    try:
        future.wait()
        return future.state
    except Exception as error:  # any error by which a cluster reports a lost worker
        _log.warning("%s", error)
        return None


def _to_exception(error: BaseException) -> Exception:
    return error if isinstance(error, Exception) else RuntimeError(str(error))
