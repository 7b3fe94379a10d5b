"""The commands that show something without results: eis, baselines and schemas."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from cellpipe.cli.options import open_error

_EIS_EXAMPLES = """examples:
  cellpipe eis SSB-01_05_PEIS_C01.mpr --area 0.785 --out fits
  cellpipe eis FILE --circuit "R(RQ)(RQ)W" --parameter "R0=5" --parameter "n1<0.9"
  cellpipe eis FILE --circuit "R(RQ)W" --circuit "R(Q(RW))"
"""


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describe the commands to the command line."""
    _add_eis(commands)
    baselines = commands.add_parser(
        "baselines", help="show the published cells that results are compared with",
        description="Show the published cells that results are compared with: the review's Table "
        "1, the figures of its text and, of a folder that has a baselines.csv, the lab's own.",
        epilog="example:  cellpipe baselines D:\\cycler-exports",
    )  # fmt: skip
    baselines.set_defaults(run=_show_baselines)
    baselines.add_argument(
        "folder", type=Path, nargs="?", metavar="FOLDER", help="folder with a baselines.csv"
    )
    baselines.add_argument(
        "--write", action="store_true",
        help="write an empty baselines.csv into FOLDER, to add rows of the lab's own",
    )  # fmt: skip
    _add_schemas(commands)


def _add_eis(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    eis = commands.add_parser(
        "eis", help="fit the impedance spectra of one file",
        description="Fit the impedance spectra of one file, all together and without start values, "
        "and show resistances, capacitances and what to bear in mind. With --circuit twice or "
        "more, compare circuits. With --out, write a page with all figures and the tables as .csv.",
        epilog=_EIS_EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    eis.set_defaults(run=_run_eis)
    eis.add_argument("file", type=Path, metavar="FILE", help="a raw file with impedance spectra")
    eis.add_argument(
        "--circuit", metavar="CIRCUIT", action="append", default=[],
        help='circuit, as "R0-p(R1,CPE1)-p(R2,CPE2)-W1", "R(RQ)(RQ)W" or "R1+Q2/R2+W3"; without '
        "it, it is chosen; two or more are compared",
    )  # fmt: skip
    eis.add_argument(
        "--parameter", metavar="WHAT", action="append", default=[],
        help='fix, bound or tie a parameter of the circuit: "R0=5", "0.6<CPE1_n<0.95", '
        '"CPE2_n=CPE1_n", "R2=2*R1"; may be given several times',
    )  # fmt: skip
    eis.add_argument(
        "--symmetric", action="store_true",
        help="two equal electrodes: give half of each interface, for one electrode",
    )  # fmt: skip
    eis.add_argument("--area", type=_parse_number, metavar="CM2", help="electrode area in cm²")
    eis.add_argument(
        "--age", type=_parse_number, metavar="HOURS",
        help="how old the cell was at the first spectrum; the law of growth depends on it",
    )  # fmt: skip
    eis.add_argument(
        "--columns", metavar="NAMES",
        help="what the columns of a plain table without names are, as \"f/Hz, Z'/Ohm, -Z''/Ohm\"",
    )  # fmt: skip
    eis.add_argument("--out", type=Path, metavar="FOLDER", help="folder for page and tables")


def _add_schemas(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    schemas = commands.add_parser(
        "schemas", help="list the tables, or write their contracts for other programs",
        description="Without --to, list the tables, each with what it holds. With --to, write what "
        "each table must hold (types, units, bounds, allowed values, keys, rules and relations) as "
        "a Data Package of Frictionless, as JSON Schema, or as a Python module for pandera.",
        epilog="example:  cellpipe schemas cycles half_cycles --to frictionless --out contracts",
    )  # fmt: skip
    schemas.set_defaults(run=_show_schemas)
    schemas.add_argument("tables", nargs="*", metavar="TABLE", help="tables (default: all)")
    schemas.add_argument(
        "--to", choices=("frictionless", "jsonschema", "pandera"), help="the standard to write"
    )
    schemas.add_argument("--out", type=Path, metavar="FOLDER", help="folder for what is written")


def _parse_number(text: str) -> float:
    try:
        return float(text.replace(",", "."))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"found {text!r}, expected a number") from error


def _run_eis(options: argparse.Namespace) -> int:
    from cellpipe.cli.show_eis import show_comparison, show_eis
    from cellpipe.pipeline.single_file import compare_file, fit_file, write_comparison, write_eis

    _check_eis(options)
    given = {
        "parameters": options.parameter, "area_cm2": options.area, "age_hour": options.age,
        "symmetric": options.symmetric, "columns": options.columns,
    }  # fmt: skip
    try:
        if len(options.circuit) > 1:
            compared = compare_file(options.file, options.circuit, **given)
            show_comparison(compared)
            if options.out is not None:
                for page in write_comparison(compared, options.out):
                    print(f"Open {page}")
            return 0
        fitted = fit_file(options.file, circuit=next(iter(options.circuit), None), **given)
    except OSError as error:
        raise open_error(options.file, error) from error
    show_eis(fitted)
    if options.out is not None:
        print(f"Open {write_eis(fitted, options.out)}")
    return 0


def _check_eis(options: argparse.Namespace) -> None:
    """Refuse numbers that are none, and a constraint on a circuit that is not known yet."""
    from cellpipe.core.errors import CellpipeError

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
    if options.parameter and not options.circuit:
        raise CellpipeError(
            "--parameter without --circuit",
            expected="the circuit that the parameter is of",
            remedy='name it: --circuit "R0-p(R1,CPE1)-W1"',
        )


def _show_baselines(options: argparse.Namespace) -> int:
    from cellpipe.cell_sheet.lab_baselines import read_lab_baselines, write_baselines_template
    from cellpipe.cli.show_baselines import show_baselines
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
        show_baselines()
        return 0
    own, findings = read_lab_baselines(options.folder / BASELINES_NAME)
    show_baselines(own)
    for finding in findings:
        print(f"Check: {finding.sentence}", file=sys.stderr)
    return 1 if findings else 0


def _show_schemas(options: argparse.Namespace) -> int:
    from cellpipe.core.errors import CellpipeError
    from cellpipe.handoff.schemas import schema_files, select_schemas
    from cellpipe.system.exports import export_file

    if (options.to is None) != (options.out is None):
        given, missing = ("--out", "--to") if options.to is None else ("--to", "--out")
        raise CellpipeError(
            f"{given} without {missing}",
            expected="both to write, none of them to list the tables",
            remedy="cellpipe schemas --to frictionless --out contracts",
        )
    if options.to is None:
        for name, schema in select_schemas(options.tables).items():
            print(f"{name}: {schema.about}")
        return 0
    files = schema_files(options.to, options.tables)
    for name, content in files.items():
        export_file(options.out / name, content)
    count = "1 file" if len(files) == 1 else f"{len(files)} files"
    print(f"{count} in {options.out}")
    return 0
