"""A process that has everything imported and forks a child for each run, to be killed.

``Zygote`` talks to it: a run that starts in a millisecond instead of seconds lets hundreds be
killed in a test.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

_SERVED = """
import os, sys, gc
import cellpipe.pipeline.run, cellpipe.report.html.cell_page
import cellpipe.report.excel.cell_workbook
import cellpipe.report.html.index, lmfit, matplotlib.figure, cellpipe.numerics.impedance.fit
from cellpipe.pipeline.run import process
gc.freeze()
print("ready", flush=True)
for line in sys.stdin:
    folder, out, workers = line.rstrip("\\n").split("\\t")
    child = os.fork()
    if child == 0:
        os.setsid()
        code = 3
        try:
            code = process(folder, out, workers=int(workers), wait_second=120).exit_code
        except BaseException as error:
            print(type(error).__name__, error, file=sys.stderr)
        finally:
            os._exit(code)
    print(child, flush=True)
    _, status = os.waitpid(child, 0)
    print(os.waitstatus_to_exitcode(status), flush=True)
"""


class Zygote:
    def __init__(self, served: str = _SERVED) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", served], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            text=True, env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
        )  # fmt: skip
        assert self.said() == "ready"

    def said(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def start(self, folder: Path, out: Path, workers: int = 1) -> int:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{folder}\t{out}\t{workers}\n")
        self.process.stdin.flush()
        return int(self.said())

    def ended(self) -> int:
        return int(self.said())

    def run(self, folder: Path, out: Path, workers: int = 1) -> int:
        self.start(folder, out, workers)
        return self.ended()

    def killed(self, pid: int) -> None:
        with contextlib.suppress(ProcessLookupError):  # it was faster
            os.kill(pid, signal.SIGKILL)

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(timeout=30)
        if self.process.stdout is not None:
            self.process.stdout.close()
