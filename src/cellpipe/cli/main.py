"""The command line. It starts at once: a command imports what it needs when it runs."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from cellpipe.cli import compare, export, inspect, maintenance, process, setup, watch
from cellpipe.cli.logs import log_file
from cellpipe.cli.options import open_error
from cellpipe.cli.output import clean_output

if TYPE_CHECKING:
    from cellpipe.core.errors import CellpipeError


def _build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="cellpipe",
        description="Raw cycler files in; checked tables, the numbers of every cell and a report "
        "out. Reads BioLogic, Arbin, Neware and other makers' files (see docs/formats.md).",
        epilog="example:  cellpipe process my-folder --out results",
    )
    parser.add_argument("--version", action="store_true", help="print the version and exit")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands")
    for module in (process, inspect, setup, watch, maintenance, compare, export):
        module.add_commands(commands)
    return parser


def command_names() -> list[str]:
    """Name every command."""
    parser = _build_parser()
    found = next(a for a in parser._actions if isinstance(a, argparse._SubParsersAction))
    return list(found.choices)


def _parse_arguments(
    parser: argparse.ArgumentParser, arguments: Sequence[str] | None
) -> argparse.Namespace:
    """Read a command line; cells may stand behind options, too."""
    options, more = parser.parse_known_args(arguments)
    if more and hasattr(options, "cells") and not any(each.startswith("-") for each in more):
        options.cells = [*options.cells, *more]
    elif more:
        names = [each.partition("=")[0] for each in more if each.startswith("-")]
        parser.error(f"unrecognized arguments: {' '.join(names or more)}")  # no option's value
    return options


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; give its exit code."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # small matrices: threads only cost time
    os.environ["PYTHONSAFEPATH"] = "1"  # no process of a pool or cluster imports from this folder
    with clean_output():
        return _main(arguments)


def _main(arguments: Sequence[str] | None) -> int:
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

    code = 2
    try:
        code = options.run(options)
        sys.stdout.flush()
    except CellpipeError as error:
        _print_error(error, options)
    except BrokenPipeError:  # the reader stopped, as `| head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    except PermissionError as error:
        _print_error(open_error(error.filename or "", error), options)
    except Exception as error:  # the exit code 1 says that files were set aside, so not here
        logging.getLogger("cellpipe").exception("a fault in cellpipe itself")
        print(
            f"cellpipe: a fault in cellpipe itself ({type(error).__name__}: {error}). The results "
            f"so far are kept. Please report it, with {log_file() or 'what stands above'}.",
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


if __name__ == "__main__":
    sys.exit(main())
