"""Worker processes that read files and compute cells, within bounds of memory and time.

Work that may end its process is never done in the process that must survive. A worker that dies
(out of memory, a fault in a library), or is ended because it takes more than it may, costs only the
item it was working on: that gives a :class:`WorkerDiedError`.
"""

from __future__ import annotations

import atexit
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Any, TypeVar

from cellpipe.system.worker_process import Bound as Bound  # noqa: PLC0414
from cellpipe.system.worker_process import WorkerDiedError as WorkerDiedError  # noqa: PLC0414
from cellpipe.system.worker_process import WorkerProcess, surroundings
from cellpipe.system.worker_process import free_memory as free_memory  # noqa: PLC0414

T = TypeVar("T")
R = TypeVar("R")
MAX_WORKERS = 8  # processes per machine: more would wait for its disk
_WINDOWS_WAITS_FOR = 61  # handles at most, and so processes of a pool
WORKER_BYTES = 700 << 20  # memory of a process at most, except for the largest files
SERIAL_BELOW = 12  # up to so many items one process does: starting more takes longer
_AHEAD = 2  # items queued per process: enough to keep it busy, and memory stays flat
_WAIT_SECONDS = 0.5  # Ctrl-C is seen after so long where a system's wait can't be interrupted
_idle: list[WorkerProcess] = []  # for whatever this program does next
_change = threading.Condition()


class Workers:
    """A pool of processes, started when first needed and kept until :meth:`close`.

    Parameters
    ----------
    count
        Number of processes at most.

    """

    def __init__(self, count: int) -> None:
        self.count = max(1, min(count, _WINDOWS_WAITS_FOR))
        self._wanted = 1
        self._busy: set[WorkerProcess] = set()
        self._threads = ThreadPoolExecutor(self.count, "cellpipe-worker")
        self._is_stopped = False

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None and not issubclass(kind, Exception):
            self.stop()
        self.close()

    def close(self) -> None:
        """Stop the processes, but for one that stays warm for whatever this program does next."""
        self._threads.shutdown(wait=True, cancel_futures=True)
        _close_idle(keep=1)

    def stop(self) -> None:
        """Kill the processes at once; what they had not finished is done by the next run."""
        self._is_stopped = True
        self._threads.shutdown(wait=False, cancel_futures=True)
        for worker in list(self._busy):
            worker.close()

    def expect(self, items: int) -> None:
        """Let as many processes be started as so many items are worth."""
        if items > SERIAL_BELOW:
            self._wanted = self.count

    def map(
        self,
        work: Callable[..., R],
        shared: object,
        items: Sequence[T],
        bound: Callable[[T], Bound] = lambda _: Bound(),
    ) -> Iterator[tuple[T, R | Exception]]:
        """Yield each item with what ``work(shared, item)`` returned or raised, as they finish."""
        self.expect(len(items))
        left, in_flight = list(reversed(items)), dict[Future[R], T]()
        while left or in_flight:
            while left and len(in_flight) < self._wanted * _AHEAD:
                item = left.pop()
                call = self._threads.submit(self._call, work, (shared, item), bound(item))
                in_flight[call] = item
            for future in wait(in_flight, _WAIT_SECONDS, FIRST_COMPLETED).done:
                item, error = in_flight.pop(future), future.exception()
                yield item, error if isinstance(error, Exception) else future.result()

    def run_one(self, work: Callable[..., R], *arguments: object, bound: Bound | None = None) -> R:
        """Return what ``work(*arguments)`` returns, run in one of the processes.

        Raises
        ------
        WorkerDiedError
            If the process took more than it may, or ended while working on it, twice.

        """
        if os.name == "posix":  # a wait for a process can be interrupted
            return self._call(work, arguments, bound or Bound())
        call = self._threads.submit(self._call, work, arguments, bound or Bound())
        while not wait([call], _WAIT_SECONDS).done:
            pass
        return call.result()

    def _call(self, work: Callable[..., R], arguments: tuple[object, ...], bound: Bound) -> R:
        """Do work in a process; if that ends for no bound's sake, once more in another one."""
        for is_last in (False, True):
            worker = self._take()
            try:
                return worker.call(work, arguments, bound)
            except WorkerDiedError as error:
                if is_last or error.is_bound or self._is_stopped:
                    raise
            finally:
                self._give_back(worker)
        raise AssertionError("the last call returns or raises")

    def _take(self) -> WorkerProcess:
        """Return an idle process, or one that is started; wait if there are as many as may be."""
        with _change:
            while len(self._busy) >= self._wanted:
                _change.wait()
            if self._is_stopped:  # by Ctrl-C
                raise WorkerDiedError("was stopped", is_bound=True)
            worker = _take_idle() or WorkerProcess()
            self._busy.add(worker)
            return worker

    def _give_back(self, worker: WorkerProcess) -> None:
        with _change:
            self._busy.discard(worker)
            _change.notify_all()
            if worker.is_usable() and not self._is_stopped:
                _idle.append(worker)
                return
        worker.close()


def run_in_worker(work: Callable[..., R], *arguments: object, bound: Bound | None = None) -> R:
    """Return what ``work(*arguments)`` returns, run in a process that may die of it.

    Raises
    ------
    WorkerDiedError
        If the process took more than it may, or ended while working on it, twice.

    """
    with Workers(1) as workers:
        return workers.run_one(work, *arguments, bound=bound)


def prestart(module: str) -> None:
    """Start a process that imports a module while this one goes on: the next work finds it warm."""
    with _change:
        if not _idle:
            worker = WorkerProcess()
            worker.preload(module)
            _idle.append(worker)


def _take_idle() -> WorkerProcess | None:
    """Return an idle process that knows the surroundings as they are now."""
    while _idle:
        worker = _idle.pop()
        if worker.surroundings == surroundings() and worker.is_usable():
            return worker
        worker.close()
    return None


def _close_idle(keep: int = 0) -> None:
    with _change:
        surplus, _idle[:] = _idle[keep:], _idle[:keep]
    for worker in surplus:
        worker.close()


def _forget_processes() -> None:
    """Leave the processes to the parent from which this one was forked."""
    global _change  # noqa: PLW0603 - one of its threads may have held it
    _change = threading.Condition()
    _idle.clear()


atexit.register(_close_idle)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_processes)


def exit_on_interrupt() -> None:
    """Exit this process silently at Ctrl-C; the one that started it reports the interrupt."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    signal.signal(signal.SIGINT, lambda *_: os._exit(130))


def default_worker_count() -> int:
    """Return how many processes this machine can use: by cores and memory, at most eight."""
    usable: Any = getattr(os, "sched_getaffinity", None)
    cores = len(usable(0)) if usable else os.cpu_count() or 1
    return max(1, min(MAX_WORKERS, cores, free_memory() // WORKER_BYTES))
