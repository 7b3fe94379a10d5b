"""Who does the work of a run: processes of this machine; flows bring Prefect's task runners."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from cellpipe.pipeline.cell_inputs import CellTask
from cellpipe.pipeline.compute import CellResult, compute_cell
from cellpipe.pipeline.ingest import IngestResult, ingest_file
from cellpipe.pipeline.plan import NewFile
from cellpipe.store.lab import Lab
from cellpipe.system.file_bounds import reading_bound
from cellpipe.system.processes import Bound, Workers

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True)
class Step(Generic[T, R]):
    """A step of a run over many items: what is done with each, its name, what it may take."""

    stage: str
    work: Callable[[Lab, T], R]
    name: Callable[[Lab, T], str]
    rejection: Callable[[R], str | None] = lambda _: None
    bound: Callable[[T], Bound] = lambda _: Bound()


def _rejection(result: IngestResult) -> str | None:
    whole = result.file_content
    return str(whole.reason) if whole.status == "set aside" else None


def _file_name(lab: Lab, file: NewFile) -> str:
    return lab.relative_name(file.path)


def _cell_name(_: Lab, task: CellTask) -> str:
    return task.inputs.cell.cell_id


def _reading_bound(file: NewFile) -> Bound:
    return reading_bound(file.size, file.path.suffix)


INGEST: Step[NewFile, IngestResult] = Step(
    "files", ingest_file, _file_name, _rejection, _reading_bound
)
COMPUTE: Step[CellTask, CellResult] = Step("cells", compute_cell, _cell_name)


class Executor(Protocol):
    """Does a step's work on many items, in whatever order and place."""

    def map(
        self, step: Step[T, R], lab: Lab, items: Sequence[T]
    ) -> Iterator[tuple[T, R | Exception]]:
        """Yield each item with what the step's work on it gave or raised, as they are done."""


class LocalExecutor:
    """The processes of a pool."""

    def __init__(self, workers: Workers) -> None:
        self._workers = workers

    def map(
        self, step: Step[T, R], lab: Lab, items: Sequence[T]
    ) -> Iterator[tuple[T, R | Exception]]:
        """Yield each item with what the step's work on it gave or raised, as they are done."""
        yield from self._workers.map(step.work, lab, items, step.bound)
