"""The commands that take results out of their folder: compare several cells, export one."""

from __future__ import annotations

import argparse
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cellpipe.finished import Finished

KINDS = ("figures", "tables", "pdf")


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describe the commands to the command line."""
    compare = commands.add_parser(
        "compare", help="write a page that sets several cells side by side",
        description="Write a page with the figures and numbers of several cells side by side, and "
        "what makes them unlike. Capacities are drawn on a basis that all of them share.",
        epilog="example:  cellpipe compare D:\\results SSB-01 SSB-02 SSB-03",
    )  # fmt: skip
    _add_cells(compare)
    compare.add_argument(
        "--to", type=Path, metavar="FILE",
        help="the page to write (default: in RESULTS, under comparisons)",
    )  # fmt: skip
    export = commands.add_parser(
        "export", help="write figures, tables and a PDF of cells as files",
        description="Write a cell's figures as SVG and PNG at the column widths of journals, each "
        "with the data behind it as .csv; its tables as .csv in long format; and its page as PDF, "
        "printed by the browser of this machine.",
        epilog="example:  cellpipe export D:\\results SSB-01 --only figures",
    )  # fmt: skip
    _add_cells(export)
    export.add_argument(
        "--to", type=Path, metavar="FOLDER",
        help="folder for a folder of each cell (default: in RESULTS, under exports)",
    )  # fmt: skip
    export.add_argument("--only", choices=KINDS, help="write this only")


def _add_cells(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("out", type=Path, metavar="RESULTS", help="folder with results")
    parser.add_argument("cells", nargs="*", metavar="CELL", help="cell IDs")
    parser.add_argument("--group", metavar="GROUP", help="all cells of a group of the cell sheet")


def commands() -> dict[str, Callable[[argparse.Namespace], int]]:
    """Give what runs each command."""
    return {"compare": _compare, "export": _export}


def _chosen(options: argparse.Namespace, least: int) -> list[Finished]:
    from cellpipe.errors import CellpipeError
    from cellpipe.finished import finished_cells

    found = finished_cells(options.out, options.cells, options.group)
    if len(found) < least:
        raise CellpipeError(
            f"{len(found)} cells to work on", expected=f"at least {least}",
            remedy="name them after the results folder, or a group with --group",
        )  # fmt: skip
    return found


def _compare(options: argparse.Namespace) -> int:
    import os
    from urllib.parse import quote

    from cellpipe import __version__
    from cellpipe.report.several_page import several_page
    from cellpipe.result_files import file_name, written_whole

    cells = _chosen(options, 2)
    names = [each.cell.cell_id for each in cells]
    title = f"Group {options.group}" if options.group and not options.cells else " · ".join(names)
    stem = options.group if options.group and not options.cells else "_".join(names)
    path = options.to or options.out / "comparisons" / f"{file_name(stem)}.html"
    try:
        beside = os.path.relpath(options.out.resolve(), path.resolve().parent)
        up = quote(Path(beside).as_posix())
    except ValueError:  # another drive of Windows
        up = options.out.resolve().as_uri()
    page = several_page(
        [(each.cell, each.tables) for each in cells], title=title, up=up, version=__version__
    )
    written_whole(path, partial(_write, page.encode("utf-8", "xmlcharrefreplace")))
    print(f"Open {path}")
    return 0


def _export(options: argparse.Namespace) -> int:
    from cellpipe.errors import CellpipeError

    cells = _chosen(options, 1)
    wanted = KINDS if options.only is None else (options.only,)
    failed = 0
    for each in cells:
        for kind in wanted:
            try:
                written = _written(each, kind, options)
            except CellpipeError as error:
                print(f"cellpipe: {each.cell.cell_id}, {kind}: {error}", file=sys.stderr)
                failed = 1
                continue
            print(f"{each.cell.cell_id}: {written}")
    return failed


def _written(each: Finished, kind: str, options: argparse.Namespace) -> str:
    """Write one kind of files of a cell; say what was written, and where."""
    from cellpipe.result_files import file_name, written_whole

    folder = (options.to or options.out / "exports") / file_name(each.cell.cell_id)
    made = {"figures": _figures, "tables": _tables, "pdf": _pdf}[kind](each, options.out)
    for name, content in made.items():
        written_whole(folder / name, partial(_write, content))
    return f"{len(made)} {'file' if len(made) == 1 else 'files'} of {kind} in {folder}"


def _write(content: bytes, path: Path) -> None:
    path.write_bytes(content)


def _figures(each: Finished, _out: Path) -> dict[str, bytes]:
    from cellpipe.report.figure_files import figure_files
    from cellpipe.report.page import cell_panels

    panels = cell_panels(each.cell, each.tables)
    return {
        f"figures/{name}": content
        for panel in panels
        for name, content in figure_files(panel).items()
    }


def _tables(each: Finished, _out: Path) -> dict[str, bytes]:
    from cellpipe.report.long_tables import long_csv

    names: Sequence[str] = sorted(each.tables)
    return {
        f"tables/{name}.csv": long_csv(each.tables[name])
        for name in names
        if each.tables[name].height
    }


def _pdf(each: Finished, _out: Path) -> dict[str, bytes]:
    from cellpipe import __version__
    from cellpipe.report.page import cell_page
    from cellpipe.report.print import printed
    from cellpipe.result_files import file_name

    name = file_name(each.cell.cell_id)
    page = cell_page(each.cell, each.tables, each.files, name=name, version=__version__)
    return {f"{name}.pdf": printed(page)}
