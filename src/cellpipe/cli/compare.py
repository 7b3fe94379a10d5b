"""Define the command that sets cells, groups of cells, or results and a factor side by side."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from cellpipe.cli.export import add_cells, check_apart_from_raw, select_cells
from cellpipe.cli.labs import resolve_results
from cellpipe.cli.options import add_settings

if TYPE_CHECKING:
    from cellpipe.pipeline.stored_cells import StoredCell
    from cellpipe.report.html.factors import Factor


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the command line's parser."""
    compare = commands.add_parser(
        "compare", help="write a page that sets several cells or groups side by side",
        description="Write a page with the figures and numbers of several cells side by side, and "
        "what makes them unlike. Capacities are drawn on a basis that all of them share. Of two "
        "groups or more it says, too, by how much they differ, with what certainty, which cells "
        "stand apart, and how many cells a difference would need. With --factor, results are set "
        "against a column of the cell sheet.",
        epilog="examples:  cellpipe compare D:\\results SSB-01 SSB-02 SSB-03;  cellpipe compare "
        "D:\\results --group A --group B;  cellpipe compare D:\\results --factor \"Binder / %%\"",
    )  # fmt: skip
    compare.set_defaults(run=_compare)
    add_cells(compare)
    compare.add_argument(
        "--factor", metavar="COLUMN",
        help="a column of the cell sheet, known or your own (default: of all cells with cycles)",
    )  # fmt: skip
    add_settings(compare)
    compare.add_argument(
        "--to", type=Path, metavar="FILE",
        help="the page to write (default: in RESULTS, under comparisons)",
    )  # fmt: skip


def _compare(options: argparse.Namespace) -> int:
    from cellpipe._version import __version__
    from cellpipe.report.html.several_cells import several_page
    from cellpipe.system.atomic_files import file_name
    from cellpipe.system.exports import export_file

    cells, factor = _choose_cells(options)
    title, stem = _name(options, cells, factor)
    path = options.to or options.out / "comparisons" / f"{file_name(stem)}.html"
    groups = _groups(options, cells) if factor is None else None
    page, sentences = several_page(
        [(stored.cell, stored.tables) for stored in cells], title=title,
        up=_path_up(options.out, path), version=__version__, groups=groups, factor=factor,
    )  # fmt: skip
    check_apart_from_raw(options.out, path)
    export_file(path, page.encode("utf-8", "xmlcharrefreplace"))
    for sentence in sentences:
        print(sentence)
    print(f"Open {path}")
    return 0


def _choose_cells(options: argparse.Namespace) -> tuple[list[StoredCell], Factor | None]:
    """Return the cells that are named; for a factor without any, all that have cycles."""
    if options.factor is None:
        return select_cells(options, 2), None
    from cellpipe.core.errors import CellpipeError
    from cellpipe.pipeline.stored_cells import cycled_cell_ids
    from cellpipe.report.html.factors import read_factor

    if not (options.cells or options.groups):
        options.cells = cycled_cell_ids(resolve_results(options, "cells").results)
    cells = select_cells(options, 2)
    factor = read_factor([stored.cell for stored in cells], options.factor)
    having = [stored for stored in cells if stored.cell.cell_id in factor.values]
    if len(having) < 2:
        raise CellpipeError(
            f"too few cells with a value of {factor.name!r} ({len(having)})",
            expected="at least 2", remedy="fill the column in, and process the folder again",
        )  # fmt: skip
    return having, factor


def _groups(options: argparse.Namespace, cells: list[StoredCell]) -> dict[str, list[str]] | None:
    """Return the cells of each group that was asked for; None if one or none was."""
    if len(options.groups) < 2:
        return None
    groups: dict[str, list[str]] = {name: [] for name in options.groups}
    for stored in cells:
        if stored.cell.group in groups:
            groups[stored.cell.group].append(stored.cell.cell_id)
    return groups


def _name(
    options: argparse.Namespace, cells: list[StoredCell], factor: Factor | None
) -> tuple[str, str]:
    """Return the page's title, and the name of its file."""
    if factor is not None:
        return f"Results against {factor.name}", f"factor {factor.name}"
    if options.groups and not options.cells:
        names = list(dict.fromkeys(options.groups))
        return f"Group{'s' if len(names) > 1 else ''} {', '.join(names)}", "_".join(names)
    names = [stored.cell.cell_id for stored in cells]
    return " · ".join(names), "_".join(names)


def _path_up(results: Path, page: Path) -> str:
    """Return the path from a page's folder to the results."""
    import os
    from urllib.parse import quote

    try:
        relative = os.path.relpath(results.resolve(), page.resolve().parent)
        return quote(Path(relative).as_posix())
    except ValueError:  # on another drive of Windows
        return results.resolve().as_uri()
