"""The command line. It starts at once: a command imports what it needs when it runs."""

from __future__ import annotations

import argparse
import io
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from cellpipe.cli import export, maintenance, setup, watch
from cellpipe.cli.options import add_json, add_time_zone, open_error

if TYPE_CHECKING:
    from cellpipe.core.errors import CellpipeError
    from cellpipe.pipeline.finalize import Summary

_PROCESS = """\
Find the raw files in a folder (and the folders in it), read and check them,
compute the numbers of every cell, fit impedance spectra, and write a report. A
second run does only what is new. cells.xlsx or cells.csv at the folder's top
says which files belong to which cell, its kind, masses and area."""
_PROCESS_EXAMPLE = """example:
  cellpipe process D:\\cycler-exports --out D:\\results --time-zone Europe/Berlin

exit code:
  0  every file was used
  1  something was set aside (the table at the end says what and why)
  2  nothing could be done
"""


def _build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="cellpipe",
        description="Raw cycler files in; checked tables, the numbers of every cell and a report "
        "out. Reads BioLogic, Arbin, Neware and other makers' files (see docs/formats.md).",
        epilog="example:  cellpipe process my-folder --out results",
    )
    parser.add_argument("--version", action="store_true", help="print the version and exit")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands")
    _add_process(commands)
    _add_eis(commands)
    setup.add_commands(commands)
    watch.add_commands(commands)
    maintenance.add_commands(commands)
    export.add_commands(commands)
    baselines = commands.add_parser(
        "baselines", help="show the published cells that results are compared with",
        description="Show the published cells that results are compared with: the review's Table "
        "1, the figures of its text and, of a folder that has a baselines.csv, the lab's own.",
        epilog="example:  cellpipe baselines D:\\cycler-exports",
    )  # fmt: skip
    baselines.add_argument(
        "folder", type=Path, nargs="?", metavar="FOLDER", help="folder with a baselines.csv"
    )
    baselines.add_argument(
        "--write", action="store_true",
        help="write an empty baselines.csv into FOLDER, to add rows of the lab's own",
    )  # fmt: skip
    return parser


def command_names() -> list[str]:
    """Name every command."""
    parser = _build_parser()
    found = next(a for a in parser._actions if isinstance(a, argparse._SubParsersAction))
    return list(found.choices)


def _add_eis(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    eis = commands.add_parser(
        "eis", help="fit the impedance spectra of one file",
        description="Fit the impedance spectra of one file, all together and without start values, "
        "and show resistances, capacitances and what to bear in mind. With --out, write a page "
        "with all figures and the tables as .csv.",
        epilog="example:  cellpipe eis SSB-01_05_PEIS_C01.mpr --area 0.785 --out fits",
    )  # fmt: skip
    eis.add_argument("file", type=Path, metavar="FILE", help="a raw file with impedance spectra")
    eis.add_argument(
        "--circuit", metavar="CIRCUIT",
        help='circuit, as "R0-p(R1,CPE1)-p(R2,CPE2)-W1"; without it, it is chosen',
    )  # fmt: skip
    eis.add_argument("--area", type=_parse_number, metavar="CM2", help="electrode area in cm²")
    eis.add_argument(
        "--age", type=_parse_number, metavar="HOURS",
        help="how old the cell was at the first spectrum; the law of growth depends on it",
    )  # fmt: skip
    eis.add_argument("--out", type=Path, metavar="FOLDER", help="folder for page and tables")


def _add_process(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    process = commands.add_parser(
        "process", help="read a folder of raw files and report every cell",
        description=_PROCESS,
        epilog=_PROCESS_EXAMPLE, formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    process.add_argument("folder", type=Path, metavar="FOLDER", help="folder with raw files")
    process.add_argument(
        "--out", type=Path, required=True, metavar="RESULTS", help="folder for the results"
    )
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
    process.add_argument("--verbose", action="store_true", help="log every step")
    add_json(process)


def _parse_count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"found {text!r}, expected a whole number from 1 on")
    return int(text)


def _parse_number(text: str) -> float:
    try:
        return float(text.replace(",", "."))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"found {text!r}, expected a number") from error


def _parse_arguments(
    parser: argparse.ArgumentParser, arguments: Sequence[str] | None
) -> argparse.Namespace:
    """Read a command line; cells may stand behind options, too."""
    options, more = parser.parse_known_args(arguments)
    if more and hasattr(options, "cells") and not any(each.startswith("-") for each in more):
        options.cells = [*options.cells, *more]
    elif more:
        parser.error(f"unrecognized arguments: {' '.join(more)}")
    return options


def _set_utf8_output() -> None:
    """Print Ω and → into a file or a pipe, too: on Windows these are in an old encoding."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            encoding = stream.encoding if stream.isatty() else "utf-8"
            stream.reconfigure(encoding=encoding, errors="backslashreplace")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; give its exit code."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # small matrices: threads only cost time
    _set_utf8_output()
    parser = _build_parser()
    if "_ARGCOMPLETE" in os.environ:  # a shell asks
        import argcomplete

        argcomplete.autocomplete(parser)
    options = _parse_arguments(parser, arguments)
    if options.version:
        from cellpipe._version import __version__

        print(f"cellpipe {__version__}")
        return 0
    if options.command is None:
        parser.print_help()
        return 2
    return _run(options)


def _run(options: argparse.Namespace) -> int:
    """Run the command that was named; say what went wrong, and give the exit code."""
    from cellpipe.core.errors import CellpipeError

    commands = {
        "process": _process,
        "eis": _run_eis,
        "baselines": _show_baselines,
        **setup.commands(),
        **watch.commands(),
        **maintenance.commands(),
        **export.commands(),
    }
    code = 2
    try:
        code = commands[options.command](options)
        sys.stdout.flush()
    except CellpipeError as error:
        _print_error(error, options)
    except BrokenPipeError:  # who reads has seen enough, as head has
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    except PermissionError as error:
        _print_error(open_error(error.filename or "", error), options)
    except Exception as error:  # the exit code 1 says that files were set aside, so not here
        logging.getLogger("cellpipe").exception("a fault in cellpipe itself")
        print(
            f"cellpipe: a fault in cellpipe itself ({type(error).__name__}: {error}). The results "
            f"so far are kept. Please report it, with {_log_file() or 'what stands above'}.",
            file=sys.stderr,
        )
    except KeyboardInterrupt:
        print(
            "cellpipe: stopped. What was finished is kept; the next run goes on from there.",
            file=sys.stderr,
        )
        code = 130
    return code


def _print_error(error: CellpipeError, options: argparse.Namespace) -> None:
    """Say what went wrong, for scripts in JSON too."""
    print(f"cellpipe: {error}", file=sys.stderr)
    if getattr(options, "json", False):
        from cellpipe.cli.console import show_json

        parts = ("file", "found", "expected", "remedy")
        show_json({"error": {part: getattr(error, part) for part in parts}})


def _process(options: argparse.Namespace) -> int:
    from cellpipe.cli import console
    from cellpipe.core.errors import SettingsError
    from cellpipe.pipeline.run import check_folder, prepare_lab
    from cellpipe.store.location import set_ledger_url

    if options.address and not options.runner:
        raise SettingsError(
            "--address without --runner", expected="both, or none",
            remedy="add --runner dask, or --runner ray",
        )  # fmt: skip
    if options.fetch:
        from cellpipe.store.object_download import download

        print(download(options.fetch, options.folder), file=_message_stream(options))
    check_folder(options.folder)
    if options.ledger:
        set_ledger_url(options.out, options.ledger)
    prepare_lab(options.folder, options.out, options.time_zone, options.also)
    watch.log_to(options.out, verbose=options.verbose)
    if options.time_zone is None:
        _suggest_time_zone(options.folder)
    if options.prefect or options.runner:
        from cellpipe.config.settings import RunnerSettings
        from cellpipe.core.checkout import flow_module

        runner = RunnerSettings(
            kind=options.runner or "threads", address=options.address, workers=options.workers
        )
        summary: Summary = flow_module("on_server").process_on_server(
            options.folder, options.out, options.time_zone, options.also, runner
        )
    else:
        from cellpipe.pipeline.run import process
        from cellpipe.system.processes import default_worker_count

        with console.show_progress() as progress:
            summary = process(
                options.folder, options.out, time_zone=options.time_zone, also=options.also,
                workers=options.workers or default_worker_count(), wait_second=options.wait,
                progress=progress,
            )  # fmt: skip
    if options.json:
        console.show_json(console.summary_to_dict(summary))
    else:
        console.show_summary(summary)
    if options.publish:
        from cellpipe.store.object_upload import upload
        from cellpipe.store.writer_lease import acquire

        with acquire(summary.job.ledger, wait_second=options.wait):
            count = upload(summary.job.ledger, options.publish)
        print(f"{count} files published to {options.publish}.", file=_message_stream(options))
    return summary.exit_code


def _suggest_time_zone(folder: Path) -> None:
    """Say so where settings name the zone that the command line leaves out."""
    from cellpipe.config.settings import NAME, read_settings
    from cellpipe.core.errors import SettingsError

    for path in dict.fromkeys((Path(NAME).resolve(), folder.resolve().parent / NAME)):
        try:
            labs = read_settings(path).lab
        except (SettingsError, OSError):
            continue
        zone = next((lab.time_zone for lab in labs if lab.folder == folder.resolve()), None)
        if zone:
            print(f"{path} says that clocks are in {zone}; add --time-zone {zone}", file=sys.stderr)
            return


def _log_file() -> str | None:
    handlers = logging.getLogger("cellpipe").handlers
    files = (each for each in handlers if isinstance(each, logging.FileHandler))
    return next((each.baseFilename for each in files), None)


def _message_stream(options: argparse.Namespace) -> TextIO:
    """Return where words go: not among the JSON that a script reads."""
    return sys.stderr if options.json else sys.stdout


def _run_eis(options: argparse.Namespace) -> int:
    from cellpipe.cli.show_eis import show_eis
    from cellpipe.core.errors import CellpipeError
    from cellpipe.pipeline.single_file import fit_file, write_eis

    if options.area is not None and not options.area > 0:
        raise CellpipeError(
            f"an area of {options.area} cm²",
            expected="a number above zero",
            remedy="correct --area",
        )
    if options.age is not None and not options.age >= 0:
        raise CellpipeError(
            f"an age of {options.age} h", expected="zero or more", remedy="correct --age"
        )
    try:
        fitted = fit_file(
            options.file, circuit=options.circuit, area_cm2=options.area, age_hour=options.age
        )
    except OSError as error:
        raise open_error(options.file, error) from error
    show_eis(fitted)
    if options.out is not None:
        print(f"Open {write_eis(fitted, options.out)}")
    return 0


def _show_baselines(options: argparse.Namespace) -> int:
    from cellpipe.cell_sheet.lab_baselines import read_lab_baselines, write_baselines_template
    from cellpipe.cli import console
    from cellpipe.core.errors import CellpipeError
    from cellpipe.system.scan import BASELINES_NAME

    if options.write and options.folder is None:
        raise CellpipeError(
            "no folder to write into", expected="cellpipe baselines FOLDER --write",
            remedy="name the folder with the raw files",
        )  # fmt: skip
    if options.write:
        print(f"Written: {write_baselines_template(options.folder)}. Fill in a row for each cell.")
        return 0
    if options.folder is None:
        console.show_baselines()
        return 0
    own, findings = read_lab_baselines(options.folder / BASELINES_NAME)
    console.show_baselines(own)
    for finding in findings:
        print(f"Check: {finding.sentence}", file=sys.stderr)
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
