"""Options that several commands share."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_json(parser: argparse.ArgumentParser) -> None:
    """Let a command print JSON."""
    parser.add_argument("--json", action="store_true", help="print JSON, for scripts")


def add_settings(parser: argparse.ArgumentParser) -> None:
    """Let a command be told where the settings are."""
    parser.add_argument(
        "--settings", type=Path, default=Path("cellpipe.toml"), metavar="FILE",
        help="settings (default: cellpipe.toml here)",
    )  # fmt: skip
