"""Start processes that end with this one, for whatever reason and at whatever moment it ends.

Three means, of which each system has two: the kernel's parent-death signal (Linux), a job object
that kills its processes when its only handle closes (Windows), and, everywhere, a pipe that closes
with the process that holds it open. A child watches its parent before it imports anything else.

No child imports anything from the working directory (``-P``): that may be a folder with raw files.

What outlived its parent all the same is ended by the next process that starts one: each child
carries the number of its parent in its environment.
"""

from __future__ import annotations

import contextlib
import faulthandler
import multiprocessing
import multiprocessing.context
import os
import queue
import runpy
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import IO, Any, TypeVar

from cellpipe.system import windows_job
from cellpipe.system.orphans import STARTED_BY, end_orphans

T = TypeVar("T")
_STOP_SECONDS = 35.0  # that a child has to end when it is asked to
_GONE_SECONDS = 5.0  # when nobody is left who asks
_SET_DEATH_SIGNAL = 1  # Linux's PR_SET_PDEATHSIG
_lock = threading.Lock()


class _Starter:
    """A thread that starts processes, and lives as long as this one.

    Linux sends the parent-death signal when the *thread* that started a child ends.
    """

    def __init__(self) -> None:
        self._work: queue.SimpleQueue[tuple[Future[Any], Callable[[], Any]]] = queue.SimpleQueue()
        threading.Thread(target=self._run, name="starts processes", daemon=True).start()

    def call(self, work: Callable[[], T]) -> T:
        """Return what ``work`` returns, or raise what it raises, in that thread."""
        done: Future[T] = Future()
        self._work.put((done, work))
        return done.result()

    def _run(self) -> None:
        while True:
            done, work = self._work.get()
            try:
                done.set_result(work())
            except BaseException as error:  # raised where it was asked for
                done.set_exception(error)
            del done, work


_starter: _Starter | None = None


def _forget_starter() -> None:
    """Forget the thread: a fork of this process has none."""
    global _starter  # noqa: PLW0603 - of this process
    _starter = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_starter)


def _start(work: Callable[[], T]) -> T:
    """Start a process in the thread for it; before the first one, end what is left over."""
    global _starter  # noqa: PLW0603 - of this process
    with _lock:
        if _starter is None:
            end_orphans()
            windows_job.join()
            os.environ[STARTED_BY] = str(os.getpid())
            _starter = _Starter()
    return _starter.call(work)


def start_module(
    module: str, *arguments: str, env: Mapping[str, str] | None = None,
    stdout: int | IO[bytes] | None = None, cwd: Path | None = None,
    pass_fds: Sequence[int] = (),
) -> subprocess.Popen[bytes]:  # fmt: skip
    """Start a module of this Python that ends with this process.

    Parameters
    ----------
    module, arguments
        The module, which runs as ``python -m`` would run it, and its arguments. Errors are written
        to its stdout.
    env
        Its environment, or this process's.
    stdout
        Where its output goes.
    cwd
        Its working directory, or this process's.
    pass_fds
        Descriptors that it inherits under the same numbers; none on Windows.

    Returns
    -------
    The process. Its ``stdin`` is a pipe: closing it asks the process to end
    (:func:`call_on_stdin_close`), which has 35 seconds for that.

    """
    command = [sys.executable, "-P", "-m", __name__, str(os.getpid()), "-m", module, *arguments]
    return _start(
        lambda: subprocess.Popen(  # noqa: S603 - this Python, this package
            command, env=_child_environment(env), stdin=subprocess.PIPE, stdout=stdout,
            stderr=subprocess.STDOUT, cwd=cwd, pass_fds=pass_fds,
        )
    )  # fmt: skip


def start_worker(code: str, env: Mapping[str, str], errors: IO[bytes]) -> subprocess.Popen[bytes]:
    """Start a Python that runs ``code``, which calls :func:`die_with`, and ends with this process.

    It takes requests from its standard input, and ends when that closes.
    """
    return _start(
        lambda: subprocess.Popen(  # noqa: S603 - this Python, this package
            [sys.executable, "-P", "-c", code], env=_child_environment(env), stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=errors,
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),  # on Windows
        )
    )  # fmt: skip


def run_program(command: Sequence[str], *, timeout: float) -> None:
    """Run another program that ends with this process; discard its output.

    Raises
    ------
    OSError
        If it can't be started.
    subprocess.SubprocessError
        If it fails, or is not done after ``timeout`` seconds: it is killed then.

    """
    given = list(command)
    if os.name == "posix":
        given = [sys.executable, "-P", "-m", __name__, str(os.getpid()), *given]
    process = _start(
        lambda: subprocess.Popen(  # noqa: S603 - as the caller says
            given, env=_child_environment(None), stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
    )  # fmt: skip
    try:
        code = process.wait(timeout=timeout)
    except BaseException:
        process.kill()
        process.wait()
        raise
    finally:
        if process.stdin is not None:
            process.stdin.close()
    if code:
        raise subprocess.CalledProcessError(code, given)


def _child_environment(env: Mapping[str, str] | None) -> dict[str, str]:
    given = os.environ if env is None else env
    return {**given, STARTED_BY: str(os.getpid()), "PYTHONSAFEPATH": "1"}


class WorkerProcess(multiprocessing.context.SpawnProcess):
    """A process of a pool that ends with the one that started it."""

    def start(self) -> None:
        """Start it in the thread for it."""
        _start(super().start)

    def run(self) -> None:
        """Watch the parent, then do the work."""
        parent = multiprocessing.parent_process()
        if parent is not None and parent.pid is not None:
            threading.Thread(target=_exit_after, args=(parent,), daemon=True).start()
            die_with(parent.pid)
        super().run()


class WorkerContext(multiprocessing.context.SpawnContext):
    """The context of pools whose processes end with the one that started them."""

    Process = WorkerProcess


def _exit_after(parent: Any) -> None:
    parent.join()
    os._exit(1)


def die_with(parent: int) -> None:
    """Let the kernel kill this process when its parent ends, where it can; exit if it has ended."""
    if sys.platform == "linux":
        import ctypes

        with contextlib.suppress(OSError, AttributeError):  # a C library without prctl
            ctypes.CDLL(None).prctl(_SET_DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0)
    if os.name == "posix" and os.getppid() != parent:
        os._exit(1)


class _Stdin:
    """The pipe that the parent holds open, and what is to be done when it closes."""

    def __init__(self) -> None:
        self.parent: int | None = None  # of a child that start_module started
        self.then: Callable[[], object] | None = None
        self.is_watched = False

    def watch(self) -> None:
        """Read from a copy of the pipe in a thread.

        The null device takes its place: on Windows a process that inherits an input on which
        another one waits would wait for it, too.
        """
        self.is_watched = True
        copy = os.dup(0)
        null_device = os.open(os.devnull, os.O_RDONLY)
        os.dup2(null_device, 0)
        os.close(null_device)
        threading.Thread(target=self._wait, args=(copy,), daemon=True).start()

    def _wait(self, copy: int) -> None:
        with contextlib.suppress(OSError):
            while os.read(copy, 4096):
                pass
        if self.then is None:
            os._exit(1)
        if self.parent is not None:
            is_gone = os.name == "posix" and os.getppid() != self.parent
            _exit_at_latest_in(_GONE_SECONDS if is_gone else _STOP_SECONDS)
        self.then()


_stdin = _Stdin()


def _exit_at_latest_in(seconds: float) -> None:
    """Exit after some seconds, even if no thread of Python can run any more."""
    with contextlib.suppress(OSError, ValueError, AttributeError, RuntimeError):
        faulthandler.dump_traceback_later(seconds, exit=True)


def is_child() -> bool:
    """Return whether :func:`start_module` started this process."""
    return _stdin.parent is not None


def call_on_stdin_close(then: Callable[[], object]) -> None:
    """Call ``then`` when the process that started this one closes its input, or is gone."""
    _stdin.then = then
    if not _stdin.is_watched:
        _stdin.watch()


def _run_and_watch(command: Sequence[str]) -> int:
    """Run a program in a session of its own; kill it all when the pipe from the parent closes."""
    with subprocess.Popen(  # noqa: S603 - as the caller of run_program says
        command, stdin=subprocess.DEVNULL, start_new_session=True
    ) as process:  # fmt: skip

        def kill() -> None:
            with contextlib.suppress(OSError):
                os.killpg(process.pid, signal.SIGKILL)  # type: ignore[attr-defined,unused-ignore]
            time.sleep(0.1)
            os._exit(1)

        call_on_stdin_close(kill)
        return process.wait()


def main() -> None:
    """Watch the parent, then be the module or the program that the command line names."""
    parent, *command = sys.argv[1:]
    die_with(int(parent))
    if command[0] != "-m":
        if sys.platform == "linux":  # the death signal stays with the process
            os.execvp(command[0], command)  # noqa: S606 - as the caller of run_program says
        sys.exit(_run_and_watch(command))
    _stdin.parent = int(parent)
    _stdin.watch()
    sys.argv = command[1:]
    runpy.run_module(command[1], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    from cellpipe.system.child_processes import main as run_child  # this module's one copy

    run_child()
