"""The commands of the first steps: check, init, doctor and completion."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path

from cellpipe.cli.options import add_json, add_settings, add_time_zone, open_error


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describe the commands to the command line."""
    check = commands.add_parser(
        "check", help="show what would be read from one file",
        description="Read one file, a raw file or a cell sheet, and show what is in it and every "
        "finding; nothing is written.",
        epilog="example:  cellpipe check SSB-01_04_GCPL_C01.mpr",
    )  # fmt: skip
    check.set_defaults(run=_check)
    check.add_argument(
        "file", type=Path, metavar="FILE", help="a raw file of a cycler, or cells.xlsx"
    )
    add_time_zone(check)
    add_json(check)
    init = commands.add_parser(
        "init", help="make a workspace, or a cell sheet to fill in",
        description="Where FOLDER is new or empty: make a workspace in it, with settings, a folder "
        "for raw files that holds a cell sheet, and one for results. Where it holds raw files: "
        "write cells.xlsx into it, with headers and their units, drop-downs, help and examples, "
        "and one row for each cell that file names point to.",
        epilog="example:  cellpipe init D:\\my-lab --time-zone Europe/Berlin",
    )  # fmt: skip
    init.set_defaults(run=_init)
    init.add_argument(
        "folder", type=Path, metavar="FOLDER", help="a new folder, or one with raw files"
    )
    init.add_argument(
        "--time-zone", metavar="ZONE", help="of the instruments' clocks, for the settings"
    )
    doctor = commands.add_parser(
        "doctor", help="check that this machine and the workspace have what they need",
        description="Look at this machine (packages, memory, time zones) and at the workspace "
        "(folders, rights, disk, ledger, port, servers), and say for each what to do. Nothing is "
        "changed; the exit code is 1 if something is wrong.",
        epilog="example:  cellpipe doctor --settings D:\\my-lab\\cellpipe.toml",
    )  # fmt: skip
    doctor.set_defaults(run=_run_doctor)
    add_settings(doctor)
    add_json(doctor)
    completion = commands.add_parser(
        "completion", help="print what lets a shell complete commands and options",
        description="Print what lets a shell complete cellpipe's commands, options and files; it "
        "belongs in the shell's start-up file. In PowerShell: "
        "cellpipe completion powershell >> $PROFILE",
        epilog="example:  cellpipe completion bash >> ~/.bashrc",
    )  # fmt: skip
    completion.set_defaults(run=_print_completion)
    completion.add_argument("shell", choices=("bash", "zsh", "fish", "powershell"))


def _check(options: argparse.Namespace) -> int:
    from cellpipe.system.processes import prestart

    prestart("cellpipe.formats")
    from cellpipe.cli import console, show_file
    from cellpipe.cli.labs import settings_zone
    from cellpipe.pipeline.bounded_reading import read_recordings
    from cellpipe.system.scan import SHEET_NAMES
    from cellpipe.system.time_zones import check_time_zone

    if options.time_zone is not None:
        check_time_zone(options.time_zone)
    else:
        options.time_zone = settings_zone(options.file)
    if options.file.name.lower() in SHEET_NAMES and options.file.is_file():
        return _check_sheet(options)
    try:
        measurements = read_recordings(options.file, options.time_zone)
    except OSError as error:
        raise open_error(options.file, error) from error
    if options.json:
        console.show_json(
            [show_file.measurement_to_dict(measurement) for measurement in measurements]
        )
        return 0
    for measurement in measurements:
        show_file.show_measurement(measurement)
    return 0


def _check_sheet(options: argparse.Namespace) -> int:
    """Show what is read from a cell sheet; the exit code is 1 if it can't be used."""
    from cellpipe.cli import console, show_file
    from cellpipe.pipeline.sheet_snapshot import inspect_sheet

    sheet = inspect_sheet(options.file.resolve().parent)
    if options.json:
        cells = [cell.cell_id for cell in sheet.cells]
        findings = [asdict(finding) for finding in sheet.findings]
        console.show_json([{"file": sheet.path, "cells": cells, "findings": findings}])
    else:
        show_file.show_sheet(sheet)
    return 1 if any(finding.level == "error" for finding in sheet.findings) else 0


def _init(options: argparse.Namespace) -> int:
    from cellpipe.cell_sheet.template import patterns_by_cell, write_template
    from cellpipe.cli import workspace
    from cellpipe.pipeline.plan import find_candidates
    from cellpipe.system.scan import check_folder
    from cellpipe.system.time_zones import check_time_zone

    if options.time_zone is not None:
        check_time_zone(options.time_zone)
    if workspace.is_free(options.folder):
        places = workspace.make_workspace(options.folder.resolve(), options.time_zone)
        print(_STEPS.format(*places, folder=options.folder.resolve()), end="")
        return 0
    check_folder(options.folder)
    workspace.check_not_workspace(options.folder)
    cells = patterns_by_cell(find_candidates(options.folder))
    path = write_template(options.folder, cells)
    count = "1 cell" if len(cells) == 1 else f"{len(cells)} cells"
    rows = f"{count} from the file names" if cells else "no cell yet"
    print(f"{path}: {rows}. Fill in Configuration, masses and area, save, and close it in Excel.")
    return 0


_STEPS = """\
A workspace is made. Three steps to the first results:

  1. Copy raw files into {0}
     and write a row for each cell into {1}
  2. cd "{folder}"
     cellpipe process
  3. Open index.html in {3}

In the workspace, commands know folders and time zone from {2}.
Later, "cellpipe watch" there takes what arrives; "cellpipe doctor" checks that all is well.
"""


def _run_doctor(options: argparse.Namespace) -> int:
    from cellpipe.cli import console
    from cellpipe.cli.labs import find_settings
    from cellpipe.service.doctor import run_checks

    found = []
    for check in run_checks(find_settings(options) or options.settings):
        found.append(check)
        if not options.json:
            console.show_check(check)
    if options.json:
        console.show_json([asdict(check) for check in found])
    return 1 if any(check.state == "bad" for check in found) else 0


def _print_completion(options: argparse.Namespace) -> int:
    from argcomplete.shell_integration import shellcode

    print(shellcode(["cellpipe"], True, options.shell))
    return 0
