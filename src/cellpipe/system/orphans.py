"""End orphans: processes that outlived the one that started them.

Each child carries in its environment the number of the process that started it
(:mod:`cellpipe.system.child_processes`).
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

STARTED_BY = "CELLPIPE_STARTED_BY"  # the variable with the number of a process's parent


def end_orphans() -> list[int]:
    """Kill what an earlier process of this user started and what outlived it; return the ids.

    Such a process names in its environment the one that started it, which is no more: it is not
    among its parents, and its number is free or was given to a younger process.
    """
    import psutil

    me = psutil.Process()
    found = [each for each in psutil.process_iter() if _is_orphan(each, me)]
    for each in found:
        with contextlib.suppress(psutil.Error):
            each.kill()
    psutil.wait_procs(found, timeout=10)
    return [each.pid for each in found]


def _is_orphan(process: Any, me: Any) -> bool:
    import psutil

    try:
        if process.pid == me.pid or process.username() != me.username():
            return False
        owner = process.environ().get(STARTED_BY, "")
        if not owner.isdecimal() or not _sees_same_numbers(process.pid):
            return False
        if int(owner) in {process.pid, *(each.pid for each in process.parents())}:
            return False
        began = process.create_time()
        is_gone = not psutil.pid_exists(int(owner))
        return is_gone or bool(psutil.Process(int(owner)).create_time() > began + 1)
    except (psutil.Error, OSError):  # it has ended, or may not be looked at
        return False


def _sees_same_numbers(pid: int) -> bool:
    """Return whether a process counts processes as this one does: not one within a container."""
    if not Path("/proc/self/ns/pid").is_symlink():
        return True
    return Path(f"/proc/{pid}/ns/pid").readlink() == Path("/proc/self/ns/pid").readlink()
