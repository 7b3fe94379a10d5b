"""Options that several commands share."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from cellpipe.core.errors import CellpipeError


def add_json(parser: argparse.ArgumentParser) -> None:
    """Let a command print JSON."""
    parser.add_argument("--json", action="store_true", help="print JSON, for scripts")


def add_time_zone(parser: argparse.ArgumentParser) -> None:
    """Add the option for the time zone of the instruments' clocks."""
    parser.add_argument(
        "--time-zone", metavar="ZONE", help="zone of the instruments' clocks, e.g. Europe/Berlin"
    )


def open_error(path: Path | str, error: OSError) -> CellpipeError:
    """Return the error for a file that a command was to open."""
    if isinstance(error, FileNotFoundError):
        found, remedy = "no such file", "check the path; a network drive may be disconnected"
    elif os.path.isdir(path):  # noqa: PTH112 - Path.is_dir raises where a folder is locked
        found, remedy = "a folder", "name a file in it; cellpipe process reads whole folders"
    else:
        found = f"a file or folder that can't be opened ({error.strerror or error})"
        remedy = "check your rights to it, or close it in the program that holds it"
    return CellpipeError(
        found, expected="a file that can be read", remedy=remedy, file=path or None
    )


def read_secret_block(name: str) -> str:
    """Return what a Secret block of Prefect holds; Prefect is imported only then."""
    from cellpipe.core.checkout import flow_module
    from cellpipe.system.private_folder import work_in_private_folder

    with work_in_private_folder():  # Prefect takes settings from the working directory
        return str(flow_module("blocks").read_block(name))


def add_settings(parser: argparse.ArgumentParser) -> None:
    """Add the option for the settings file."""
    parser.add_argument(
        "--settings", type=Path, default=Path("cellpipe.toml"), metavar="FILE",
        help="settings (default: cellpipe.toml here)",
    )  # fmt: skip
