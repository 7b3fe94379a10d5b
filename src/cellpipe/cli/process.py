"""The command ``process``: the main job."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from cellpipe.cli.options import add_json, add_settings, add_time_zone

if TYPE_CHECKING:
    from cellpipe.pipeline.summary import Summary
    from cellpipe.store.lab import Lab

_DESCRIPTION = """\
Find the raw files in a folder (and the folders in it), read and check them,
compute the numbers of every cell, fit impedance spectra, and write a report. A
second run does only what is new. cells.xlsx or cells.csv at the folder's top
says which files belong to which cell, its kind, masses and area."""
_EXAMPLE = """example:
  cellpipe process D:\\cycler-exports --out D:\\results --time-zone Europe/Berlin
  cellpipe process                in a workspace: as its cellpipe.toml says

exit code:
  0  every file was used
  1  something was set aside (the table at the end says what and why)
  2  nothing could be done
"""


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describe the command to the command line."""
    process = commands.add_parser(
        "process", help="read a folder of raw files and report every cell",
        description=_DESCRIPTION,
        epilog=_EXAMPLE, formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    process.set_defaults(run=_process)
    process.add_argument(
        "folder", type=Path, nargs="?", metavar="FOLDER",
        help="folder with raw files; in a workspace, that of its settings",
    )  # fmt: skip
    process.add_argument("--out", type=Path, metavar="RESULTS", help="folder for the results")
    add_time_zone(process)
    process.add_argument(
        "--also", type=Path, action="append", default=[], metavar="FOLDER",
        help="one more folder with raw files of the same cells; may be given several times",
    )  # fmt: skip
    process.add_argument(
        "--wait", type=float, default=600.0, metavar="SECONDS",
        help="how long to wait for another run that writes into RESULTS (default 600; with "
        "Prefect six hours)",
    )  # fmt: skip
    process.add_argument(
        "--ledger", metavar="URL",
        help="keep the ledger in PostgreSQL from the beginning, postgresql://user@host/database",
    )  # fmt: skip
    process.add_argument(
        "--fetch", metavar="URL", help="first bring the files at s3://… into FOLDER"
    )
    process.add_argument("--publish", metavar="URL", help="then bring the results to s3://…")
    _add_executor(process)
    process.add_argument("--verbose", action="store_true", help="log every step")
    add_settings(process)
    add_json(process)


def _add_executor(process: argparse.ArgumentParser) -> None:
    process.add_argument(
        "--prefect", action="store_true",
        help="run as a Prefect flow: on the server that PREFECT_API_URL names, or on a local one "
        "that is started for the run",
    )  # fmt: skip
    process.add_argument(
        "--runner", choices=("threads", "dask", "ray"),
        help="with Prefect: where the work is done; dask and ray start a cluster on this machine, "
        "or use the one at --address",
    )  # fmt: skip
    process.add_argument("--address", metavar="URL", help="of a cluster, e.g. tcp://scheduler:8786")
    process.add_argument(
        "--workers", type=_parse_count, metavar="COUNT",
        help="how many processes read and compute (default: by cores and memory)",
    )  # fmt: skip


def _parse_count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"found {text!r}, expected a whole number from 1 on")
    return int(text)


def _process(options: argparse.Namespace) -> int:
    from cellpipe.cli import console
    from cellpipe.cli.labs import resolve_lab_options
    from cellpipe.cli.logs import log_to
    from cellpipe.core.errors import SettingsError
    from cellpipe.system.processes import prestart
    from cellpipe.system.scan import check_folder

    if options.address and not options.runner:
        raise SettingsError(
            "--address without --runner", expected="both, or none",
            remedy="add --runner dask, or --runner ray",
        )  # fmt: skip
    if not (options.prefect or options.runner):
        prestart("cellpipe.pipeline.executors")
    lab, _ = resolve_lab_options(options)
    if options.fetch:
        from cellpipe.store.object_download import download

        print(download(options.fetch, lab.folder), file=_message_stream(options))
    check_folder(lab.folder)
    lab.check()
    _ = lab.ledger  # what is wrong with the results is said before anything is written
    log_to(lab.results, verbose=options.verbose)
    summary = _run(options, lab)
    if options.json:
        console.show_json(console.summary_to_dict(summary))
    else:
        console.show_summary(summary)
    if options.publish:
        from cellpipe.store.object_upload import upload
        from cellpipe.store.writer_lease import acquire

        with acquire(lab.ledger, wait_second=options.wait):
            count = upload(lab.ledger, options.publish)
        print(f"{count} files published to {options.publish}.", file=_message_stream(options))
    return summary.exit_code


def _run(options: argparse.Namespace, lab: Lab) -> Summary:
    """Run a lab in processes of this machine, or as a Prefect flow."""
    if options.prefect or options.runner:
        from cellpipe.config.settings import RunnerSettings
        from cellpipe.core.checkout import flow_module

        _set_client_password(options)
        runner = RunnerSettings(
            kind=options.runner or "threads", address=options.address, workers=options.workers
        )
        summary: Summary = flow_module("on_server").process_on_server(lab, runner)
        return summary
    from cellpipe.cli import console
    from cellpipe.pipeline.executors import LocalExecutor
    from cellpipe.pipeline.run import run_lab
    from cellpipe.system.processes import Workers, default_worker_count

    count = options.workers or default_worker_count()
    with console.show_progress() as progress, Workers(count) as workers:
        return run_lab(lab, LocalExecutor(workers), wait_second=options.wait, progress=progress)


def _set_client_password(options: argparse.Namespace) -> None:
    """Find the password of the workspace's own Prefect server, if the run is to go there."""
    from cellpipe.cli.labs import find_settings
    from cellpipe.config.settings import read_settings
    from cellpipe.service.server_password import set_client_password
    from cellpipe.service.supervisor import home_folder

    path = find_settings(options, options.folder)
    if path is not None:
        set_client_password(read_settings(path).server, home_folder(path))


def _message_stream(options: argparse.Namespace) -> TextIO:
    """Return where words go: not among the JSON that a script reads."""
    return sys.stderr if options.json else sys.stdout
