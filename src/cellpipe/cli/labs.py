"""Which lab a command is about: what the command line says, and the settings of a workspace."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cellpipe.config.settings import Settings
    from cellpipe.store.lab import Lab

DEFAULT_SETTINGS = Path("cellpipe.toml")


def add_results(parser: argparse.ArgumentParser) -> None:
    """Add the argument RESULTS, which a workspace's settings replace."""
    parser.add_argument(
        "out", type=Path, nargs="?", metavar="RESULTS",
        help="folder with results; in a workspace, those of its settings",
    )  # fmt: skip


def find_settings(options: argparse.Namespace, folder: Path | None = None) -> Path | None:
    """Return the settings of a command: those named, or those of the workspace it is run in.

    A workspace is the folder here, or above, that holds cellpipe.toml. Of a folder with raw files,
    the settings beside it come first if they name it.

    Raises
    ------
    SettingsError
        If the settings beside the folder can't be read.

    """
    named: Path = getattr(options, "settings", DEFAULT_SETTINGS)
    if named != DEFAULT_SETTINGS:
        return named
    here = Path.cwd()
    beside = [folder.absolute().parent, folder.resolve().parent] if folder else []
    names_it = (place / named.name for place in beside if _names(place / named.name, folder))
    there = (p / named.name for p in (here, *here.parents, *beside) if (p / named.name).is_file())
    return next(names_it, None) or next(there, None)


def _names(path: Path, folder: Path | None) -> bool:
    """Return whether settings that are there name a folder as that of a lab."""
    from cellpipe.config.labs import is_same_place
    from cellpipe.config.settings import read_settings

    if folder is None or not path.is_file():
        return False
    return any(is_same_place(lab.folder, folder) for lab in read_settings(path).lab)


def settings_zone(file: Path) -> str | None:
    """Return the zone of the lab in whose folder a file lies, as the workspace's settings say."""
    from cellpipe.config.labs import labs_from_settings
    from cellpipe.config.settings import read_settings

    here, place = Path.cwd(), file.resolve()
    for folder in (here, *here.parents, *place.parents):
        path = folder / DEFAULT_SETTINGS.name
        if not path.is_file():
            continue
        for lab in labs_from_settings(read_settings(path)):
            if any(place.is_relative_to(each.resolve()) for each in lab.folders):
                return lab.time_zone
    return None


def resolve_lab_options(options: argparse.Namespace) -> tuple[Lab, Settings | None]:
    """Return the lab that FOLDER, --out and the settings name; say what was taken from where.

    Raises
    ------
    SettingsError
        If neither says which folder, or which results.

    """
    from cellpipe.config.labs import LabChoice, choose_lab
    from cellpipe.config.settings import read_settings
    from cellpipe.system.time_zones import check_time_zone

    if options.time_zone is not None:
        check_time_zone(options.time_zone)
    folder: Path | None = options.folder
    path = find_settings(options, folder)
    settings = read_settings(path) if path else None
    choice = LabChoice(
        folder, options.out, options.time_zone, getattr(options, "also", ()),
        getattr(options, "ledger", None), getattr(options, "fetch", None),
        getattr(options, "publish", None),
    )  # fmt: skip
    chosen = choose_lab(choice, settings, path or DEFAULT_SETTINGS)
    for note in chosen.notes:
        print(note, file=sys.stderr)
    return chosen.lab, settings


def resolve_results(options: argparse.Namespace, names: str | None = None) -> Lab:
    """Return the lab whose results a command is about.

    Parameters
    ----------
    options
        The command line; ``options.out`` are the results, if it names them.
    names
        Which option takes names behind RESULTS. In a workspace RESULTS may be left out: what
        stands in its place and is no results folder is the first name.

    Raises
    ------
    SettingsError
        If neither the command line nor the settings say which.

    """
    from cellpipe.config.labs import LabChoice, choose_lab
    from cellpipe.config.settings import read_settings
    from cellpipe.core.errors import SettingsError
    from cellpipe.store.lab import lab_of_results

    out: Path | None = options.out
    path = find_settings(options)
    if out is not None and (path is None or _is_results(out) or names is None):
        return lab_of_results(out)
    if path is None:
        raise SettingsError(
            "no results folder", expected="one, or a workspace to be in",
            remedy="name the folder with results, or go where cellpipe.toml is",
        )  # fmt: skip
    if out is not None and names is not None:
        setattr(options, names, [str(out), *getattr(options, names)])
    lab = choose_lab(LabChoice(), read_settings(path), path).lab
    options.out = lab.results
    return lab


def _is_results(folder: Path) -> bool:
    from cellpipe.store.location import has_ledger

    return has_ledger(folder) or (folder / "tables" / "files").exists()
