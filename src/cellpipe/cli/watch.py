"""The commands of the night shift: watch, nightly, serve, and what the one who runs it asks."""

from __future__ import annotations

import argparse
import contextlib
import logging
import logging.handlers
import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from cellpipe.cli.options import add_settings

if TYPE_CHECKING:
    from cellpipe.config.settings import LabSettings, Settings
    from cellpipe.service.watch.watcher import Lab

_log = logging.getLogger("cellpipe")


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
    nightly = commands.add_parser(
        "nightly", help="do now what is done at night: everything new or changed, and a digest",
        description="Walk the folders of the settings, do everything that is new or changed since, "
        "try again what failed for a passing reason, and write digest.txt.",
        epilog="example:  cellpipe nightly --settings D:\\cellpipe.toml",
    )  # fmt: skip
    add_settings(nightly)
    serve = commands.add_parser(
        "serve", help="run it all unattended: Prefect's server, the flows, the watch, the nights",
        description="Start a Prefect server on this machine (or use the one that PREFECT_API_URL "
        "names), the flows and the watch, and start again what dies.",
        epilog="example:  cellpipe serve --settings D:\\cellpipe.toml",
    )  # fmt: skip
    add_settings(serve)
    serve.add_argument("--example", action="store_true", help="print settings to fill in, and exit")


def commands() -> dict[str, Callable[[argparse.Namespace], int]]:
    """Return each command's function."""
    return {"watch": _watch, "nightly": _run_nightly, "serve": _serve}


class _TerminalHandler(logging.Handler):
    """What is logged, on whatever is the terminal then: all of it, or what is marked aloud."""

    def __init__(self, *, verbose: bool) -> None:
        super().__init__()
        self.addFilter(lambda record: verbose or hasattr(record, "aloud"))

    def emit(self, record: logging.LogRecord) -> None:
        with contextlib.suppress(OSError, ValueError):  # it may be gone; the file has it, too
            print(self.format(record), file=sys.stderr)


def log_to(out: Path, *, verbose: bool, name: str = "cellpipe.log") -> None:
    """Log to a file in the results, of bounded size, and to the terminal.

    There only what is marked ``aloud`` is shown, or everything if asked.
    """
    out.mkdir(parents=True, exist_ok=True)
    file = logging.handlers.RotatingFileHandler(
        out / name, maxBytes=10_000_000, backupCount=3, encoding="utf-8", delay=True
    )
    logger = logging.getLogger("cellpipe")
    for before in [one for one in logger.handlers if isinstance(one, _TerminalHandler)]:
        logger.removeHandler(before)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    formatter = logging.Formatter("%(asctime)s %(levelname)s %(message)s")
    for handler in (file, _TerminalHandler(verbose=verbose)):
        handler.setFormatter(formatter)
        logger.addHandler(handler)


def _resolve_labs(options: argparse.Namespace) -> tuple[tuple[Lab, ...], Settings]:
    """Return the labs that a command is about, and the settings."""
    from cellpipe.config.settings import LabSettings, Settings, read_settings
    from cellpipe.core.errors import SettingsError
    from cellpipe.service.watch.watcher import Lab
    from cellpipe.store.location import set_ledger_url
    from cellpipe.system.time_zones import check_time_zone

    folder = getattr(options, "folder", None)
    if folder is not None:
        if options.out is None:
            raise SettingsError(
                "no results folder", expected="one", remedy="add --out RESULTS"
            )  # fmt: skip
        if options.time_zone is not None:
            check_time_zone(options.time_zone)
        one = LabSettings(
            folder=folder.resolve(), results=options.out.resolve(), time_zone=options.time_zone
        )
        given = Settings(lab=(one,))
        if options.settings.is_file():
            given = read_settings(options.settings)
            zone = options.time_zone or given.time_zone
            given = given.model_copy(update={"lab": (one.model_copy(update={"time_zone": zone}),)})
    else:
        given = read_settings(options.settings)
    for lab in given.lab:
        if lab.ledger:
            set_ledger_url(lab.results, lab.ledger)
    labs = tuple(
        Lab(lab.folder.resolve(), lab.results.resolve(), lab.time_zone,
            tuple(also.resolve() for also in lab.also))
        for lab in given.lab
    )  # fmt: skip
    return labs, given


def _watch(options: argparse.Namespace) -> int:
    from cellpipe.service.watch.batch_runner import LocalRunner, PrefectRunner
    from cellpipe.service.watch.file_events import FileEvents
    from cellpipe.service.watch.stability import WaitTimes
    from cellpipe.service.watch.watcher import Watcher, watch_labs
    from cellpipe.system.mounts import is_network_path

    labs, given = _resolve_labs(options)
    for lab in labs:
        _log_once(lab.out)
    is_over = _install_stop_event()
    url = os.environ.get("PREFECT_API_URL")
    own = None if url else LocalRunner()
    if own is not None:
        own.warm_up()
    patience = WaitTimes(
        given.watch.settle_seconds, given.watch.incomplete_seconds, 60 * given.watch.growing_minutes
    )
    watchers = [
        Watcher(lab, PrefectRunner(url) if url else own or LocalRunner(), patience,
                given.watch.poll_seconds)
        for lab in labs
    ]  # fmt: skip
    folders = [folder for lab in labs for folder in (lab.folder, *lab.also)]
    hints = FileEvents(folders, given.watch.events)
    for settled in given.lab:
        if settled.fetch:
            _start_fetching(settled, given.watch.fetch_seconds, is_over)
    for folder in folders:
        place = "a network drive" if is_network_path(folder) else "a local disk"
        way = "told by the system" if folder in hints.folders else "looked at in turn"
        _log.info("watching %s (%s, %s)", folder, place, way)
    print(f"Watching {', '.join(map(str, folders))}. Ctrl+C ends it; nothing is lost.", flush=True)
    try:
        watch_labs(
            watchers, is_over.is_set, hints=hints.drain,
            wait=lambda seconds: hints.awake.wait(seconds) or is_over.is_set(),
        )  # fmt: skip
    finally:
        hints.close()
        if own is not None:
            own.close()
    return 0


def _start_fetching(lab: LabSettings, seconds: float, is_over: threading.Event) -> None:
    """Bring a lab's files from object storage again and again; the watch sees them arrive."""
    from cellpipe.core.errors import CellpipeError
    from cellpipe.store.object_download import download

    def fetch() -> None:
        pause = 0.0
        while not is_over.wait(pause):
            pause = seconds
            try:
                download(str(lab.fetch), lab.folder)
            except (CellpipeError, OSError) as error:  # tried again
                _log.warning("%s", error)

    threading.Thread(target=fetch, daemon=True).start()


def _log_once(out: Path) -> None:
    if not logging.getLogger("cellpipe").handlers:
        log_to(out, verbose=True, name="watch.log")


def _install_stop_event() -> threading.Event:
    """Return an event that is set when the process is asked to end, or its parent is gone."""
    from cellpipe.system.processes import call_on_stdin_close

    over = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: over.set())
    if os.environ.get("CELLPIPE_ENDS_WITH_STDIN"):
        call_on_stdin_close(over.set)
    return over


def _run_nightly(options: argparse.Namespace) -> int:
    from cellpipe.cli import console
    from cellpipe.cli.options import read_secret_block
    from cellpipe.core.errors import CellpipeError
    from cellpipe.pipeline.run import prepare_lab, run_lab
    from cellpipe.service import nightly
    from cellpipe.system.processes import Workers, default_worker_count

    labs, given = _resolve_labs(options)
    codes = []
    for lab in labs:
        begun = nightly.start()
        try:
            _log_once(lab.out)
            missed = nightly.fetch_files(nightly.find_lab(given, lab.out))
            job = prepare_lab(lab.folder, lab.out, lab.time_zone, lab.also)
            with Workers(default_worker_count()) as workers:
                summary = run_lab(job, workers, wait_second=6 * 3600)
            ended = nightly.finish(
                job, summary, begun, given=given, beside=options.settings.resolve().parent,
                blocks=read_secret_block, missed=missed,
            )  # fmt: skip
        except Exception as error:  # one lab that fails does not stop the next
            known = isinstance(error, (CellpipeError, OSError))
            kind = "" if known else f"{lab.folder}: a fault in cellpipe ({type(error).__name__}): "
            if not known:
                _log.exception("the night of %s", lab.folder)
            print(f"cellpipe: {kind}{error}", file=sys.stderr)
            codes.append(2)
            continue
        console.show_summary(summary)
        for sentence in ended.failed:
            print(f"cellpipe: {sentence}", file=sys.stderr)
        print(f"Digest: {ended.digest}")
        codes.append(max(summary.exit_code, 1 if ended.failed else 0))
    return max(codes)


def _serve(options: argparse.Namespace) -> int:
    from cellpipe.config.settings import EXAMPLE

    if options.example:
        print(EXAMPLE, end="")
        return 0
    from cellpipe.service.supervisor import home_folder, serve

    _resolve_labs(options)
    log_to(home_folder(options.settings), verbose=True, name="serve.log")
    return serve(options.settings, _install_stop_event())
