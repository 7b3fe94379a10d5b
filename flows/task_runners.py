"""Where the tasks of a flow run: threads and processes of this machine, or a cluster's workers.

Dask and Ray are extras (``pip install 'cellpipe[dask]'``). Without an address, a cluster of this
machine's cores is started for the run and stopped after it. Workers must see the folders with raw
files and results under the same paths, and have the same cellpipe.
"""

from __future__ import annotations

import os
from typing import Any

from prefect.context import FlowRunContext
from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner

from cellpipe.config.settings import RunnerSettings
from cellpipe.core.errors import SettingsError
from cellpipe.system.processes import default_worker_count


def make_task_runner(given: RunnerSettings) -> TaskRunner[Any]:
    """Return the task runner that settings ask for.

    Raises
    ------
    SettingsError
        If its package is not installed.

    """
    try:
        runner: TaskRunner[Any] = {
            "threads": _thread_runner,
            "dask": _dask_runner,
            "ray": _ray_runner,
        }[given.kind](given)
    except ImportError as error:
        raise SettingsError(
            f"the runner {given.kind}, and no {error.name}",
            expected=f"the package prefect-{given.kind}",
            remedy=f"pip install 'cellpipe[{given.kind}]'",
        ) from error  # fmt: skip
    return runner


def is_remote() -> bool:
    """Return whether the tasks of the flow that runs now run in other processes than its own."""
    context = FlowRunContext.get()
    return context is not None and not isinstance(context.task_runner, ThreadPoolTaskRunner)


def _thread_runner(given: RunnerSettings) -> TaskRunner[Any]:
    return ThreadPoolTaskRunner(max_workers=given.workers or default_worker_count())


def _dask_runner(given: RunnerSettings) -> Any:
    from prefect_dask.task_runners import DaskTaskRunner

    if given.address:
        return DaskTaskRunner(address=given.address)
    local = {
        "n_workers": given.workers or default_worker_count(), "threads_per_worker": 1,
        "processes": True,
        "host": "127.0.0.1", "dashboard_address": None,
    }  # fmt: skip
    return DaskTaskRunner(cluster_kwargs=local)


def _ray_runner(given: RunnerSettings) -> Any:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing leaves the machine
    from prefect_ray.task_runners import RayTaskRunner

    if given.address:
        return RayTaskRunner(address=given.address)
    local = {
        "num_cpus": given.workers or default_worker_count(), "include_dashboard": False,
        "_node_ip_address": "127.0.0.1", "log_to_driver": False,
    }  # fmt: skip
    return RayTaskRunner(init_kwargs=local)
