"""The commands of the night shift: watch, nightly, serve, and what the one who runs it asks."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cellpipe.cli.logs import log_once, log_to
from cellpipe.cli.options import add_settings

if TYPE_CHECKING:
    from cellpipe.config.settings import Settings
    from cellpipe.pipeline.summary import Summary
    from cellpipe.store.lab import Lab

_log = logging.getLogger("cellpipe")
_NAMED_FAILURES = 20  # of a night's handing on


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describe the commands to the command line."""
    watch = commands.add_parser(
        "watch", help="watch folders: what is dropped is a result within seconds",
        description="Watch folders with raw files for years. A file is taken when it has stopped "
        "growing and is as long as its format says; the file of a running test is read again on a "
        "schedule. With PREFECT_API_URL set, runs are asked for there; else a process beside the "
        "watch does the work.",
        epilog="example:  cellpipe watch D:\\cycler-exports --out D:\\results",
    )  # fmt: skip
    watch.add_argument("folder", type=Path, nargs="?", metavar="FOLDER",
                       help="folder with raw files; without it, those of the settings")  # fmt: skip
    watch.add_argument("--out", type=Path, metavar="RESULTS", help="folder for the results")
    watch.add_argument("--time-zone", metavar="ZONE", help="zone of the instruments' clocks")
    add_settings(watch)
    watch.set_defaults(run=_watch)
    nightly = commands.add_parser(
        "nightly", help="do now what is done at night: everything new or changed, and a digest",
        description="Walk the folders of the settings, do everything that is new or changed since, "
        "try again what failed for a passing reason, and write digest.txt.",
        epilog="example:  cellpipe nightly --settings D:\\cellpipe.toml",
    )  # fmt: skip
    add_settings(nightly)
    nightly.set_defaults(run=_run_nightly)
    serve = commands.add_parser(
        "serve", help="run it all unattended: Prefect's server, the flows, the watch, the nights",
        description="Start a Prefect server on this machine (or use the one that PREFECT_API_URL "
        "names), the flows and the watch, and start again what dies.",
        epilog="example:  cellpipe serve --settings D:\\cellpipe.toml",
    )  # fmt: skip
    add_settings(serve)
    serve.set_defaults(run=_serve)
    serve.add_argument("--example", action="store_true", help="print settings to fill in, and exit")


def _resolve_labs(options: argparse.Namespace) -> tuple[tuple[Lab, ...], Settings, Path]:
    """Return the labs that a command is about, the settings, and where these lie."""
    from cellpipe.cli.labs import DEFAULT_SETTINGS, find_settings, resolve_lab_options
    from cellpipe.config.labs import labs_from_settings
    from cellpipe.config.settings import LabSettings, Settings, read_settings

    path = find_settings(options, getattr(options, "folder", None)) or DEFAULT_SETTINGS
    if getattr(options, "folder", None) is None:
        settings = read_settings(path)
        return labs_from_settings(settings), settings, path
    lab, known = resolve_lab_options(options)
    settings = known or Settings(lab=(LabSettings(folder=lab.folder, results=lab.results),))
    return (lab,), settings, path


def _watch(options: argparse.Namespace) -> int:
    from cellpipe.service.server_password import set_client_password
    from cellpipe.service.supervisor import home_folder
    from cellpipe.service.watch.batch_runner import LocalRunner, PrefectRunner
    from cellpipe.service.watch.file_events import FileEvents
    from cellpipe.service.watch.stability import WaitTimes
    from cellpipe.service.watch.watcher import Watcher, watch_labs

    labs, settings, path = _resolve_labs(options)
    url = os.environ.get("PREFECT_API_URL")
    if url:
        set_client_password(settings.server, home_folder(path))
        _check_names(labs, path)
    for lab in labs:
        lab.claim()
        log_once(lab.results)
    is_over = _install_stop_event()
    local = None if url else LocalRunner()
    if local is not None:
        local.warm_up()
    given = settings.watch
    wait_times = WaitTimes(
        given.settle_seconds, given.incomplete_seconds, 60 * given.growing_minutes
    )  # fmt: skip
    watchers = [
        Watcher(lab, local or PrefectRunner(url or ""), wait_times, given.poll_seconds)
        for lab in labs
    ]
    folders = [folder for lab in labs for folder in lab.folders]
    events = FileEvents(folders, given.events)
    for lab in labs:
        if lab.fetch_url:
            _start_fetching(lab, given.fetch_seconds, is_over)
    _log_folders(folders, events.folders)
    print(f"Watching {', '.join(map(str, folders))}. Ctrl+C ends it; nothing is lost.", flush=True)
    try:
        watch_labs(
            watchers, is_over.is_set, hints=events.drain,
            wait=lambda seconds: events.awake.wait(seconds) or is_over.is_set(),
        )  # fmt: skip
    finally:
        events.close()
        if local is not None:
            local.close()
    return 0


def _check_names(labs: Sequence[Lab], path: Path) -> None:
    """Check that a Prefect server can be asked for runs of these labs, which it knows by name."""
    from cellpipe.core.errors import SettingsError

    for lab in labs:
        if not lab.name:
            raise SettingsError(
                f"the folder {lab.folder}, with results {lab.results}, which no lab of {path} has",
                expected="a lab of the settings: Prefect's runs are asked for by its name",
                remedy="write the lab into the settings, here and where the flows run; or unset "
                "PREFECT_API_URL",
            )  # fmt: skip


def _log_folders(folders: Sequence[Path], with_events: Sequence[Path]) -> None:
    from cellpipe.system.mounts import is_network_path

    for folder in folders:
        place = "a network drive" if is_network_path(folder) else "a local disk"
        way = "told by the system" if folder in with_events else "looked at in turn"
        _log.info("watching %s (%s, %s)", folder, place, way)


def _start_fetching(lab: Lab, seconds: float, is_over: threading.Event) -> None:
    """Bring a lab's files from object storage again and again; the watch sees them arrive."""
    from cellpipe.core.errors import CellpipeError
    from cellpipe.store.object_download import download

    def fetch() -> None:
        pause = 0.0
        while not is_over.wait(pause):
            pause = seconds
            try:
                download(str(lab.fetch_url), lab.folder)
            except (CellpipeError, OSError) as error:  # tried again
                _log.warning("%s", error)

    threading.Thread(target=fetch, daemon=True).start()


def _install_stop_event() -> threading.Event:
    """Return an event that is set when the process is asked to end, or its parent is gone."""
    from cellpipe.system.child_processes import call_on_stdin_close, is_child

    over = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: over.set())
    if is_child():
        call_on_stdin_close(over.set)
    return over


def _run_nightly(options: argparse.Namespace) -> int:
    from cellpipe.service.server_password import set_client_password
    from cellpipe.service.supervisor import home_folder

    labs, settings, path = _resolve_labs(options)
    set_client_password(settings.server, home_folder(path))
    return max(_run_lab_night(lab, settings, path) for lab in labs)


def _run_lab_night(lab: Lab, settings: Settings, path: Path) -> int:
    """Run a lab's night and show it; return its exit code. A fault costs this lab only."""
    from cellpipe.cli import console
    from cellpipe.cli.options import read_secret_block
    from cellpipe.core.errors import CellpipeError
    from cellpipe.service.nightly import run_night

    try:
        lab.claim()
        log_once(lab.results)
        result = run_night(
            lab, _run_in_processes, settings=settings, base_dir=path.resolve().parent,
            blocks=read_secret_block,
        )  # fmt: skip
    except (CellpipeError, OSError) as error:
        print(f"cellpipe: {error}", file=sys.stderr)
        return 2
    except Exception as error:  # one lab that fails does not stop the next
        _log.exception("the night of %s", lab.folder)
        kind = f"{lab.folder}: a fault in cellpipe ({type(error).__name__})"
        print(f"cellpipe: {kind}: {error}", file=sys.stderr)
        return 2
    console.show_summary(result.summary)
    for sentence in result.failed[:_NAMED_FAILURES]:
        print(f"cellpipe: {sentence}", file=sys.stderr)
    if len(result.failed) > _NAMED_FAILURES:
        more = len(result.failed) - _NAMED_FAILURES
        print(f"cellpipe: … and {more} more; the digest names fifty", file=sys.stderr)
    print(f"Digest: {result.digest}")
    return max(result.summary.exit_code, 1 if result.failed else 0)


def _run_in_processes(lab: Lab) -> Summary:
    from cellpipe.pipeline.executors import LocalExecutor
    from cellpipe.pipeline.run import LONG_WAIT_SECONDS, run_lab
    from cellpipe.system.processes import Workers, default_worker_count

    with Workers(default_worker_count()) as workers:
        return run_lab(lab, LocalExecutor(workers), wait_second=LONG_WAIT_SECONDS)


def _serve(options: argparse.Namespace) -> int:
    from cellpipe.config.example import EXAMPLE

    if options.example:
        print(EXAMPLE, end="")
        return 0
    from cellpipe.service.supervisor import home_folder, serve

    labs, _, path = _resolve_labs(options)
    for lab in labs:
        lab.claim()
    log_to(home_folder(path), verbose=True, name="serve.log")
    return serve(path, _install_stop_event())
