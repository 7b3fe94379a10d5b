"""Define the commands that take results out of their folder: export, push."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from cellpipe.cli.labs import add_results, find_settings, resolve_results
from cellpipe.cli.options import add_settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cellpipe.config.settings import DeliverySettings
    from cellpipe.pipeline.stored_cells import StoredCell

    Files = Iterator[tuple[str, bytes]]

KINDS = ("figures", "tables", "pdf", "eln", "bdf")


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the commands to the command line's parser."""
    export = commands.add_parser(
        "export", help="write figures, tables, a PDF, an .eln archive or BDF files of cells",
        description="Write what cells have given as files: figures (SVG and PNG at the column "
        "widths of journals, each with the data behind it as .csv), tables (.csv in long format, "
        "the parameters of circuits also wide), pdf (the page, printed by the browser of this "
        "machine), eln (an archive that electronic lab notebooks import), bdf (the records in the "
        "Battery Data Format).",
        epilog="example:  cellpipe export figures D:\\results SSB-01",
    )  # fmt: skip
    export.add_argument("what", choices=KINDS, metavar="WHAT", help=", ".join(KINDS))
    export.set_defaults(run=_export)
    add_cells(export)
    export.add_argument(
        "--to", type=Path, metavar="FOLDER",
        help="folder for a folder of each cell (default: in RESULTS, under exports)",
    )  # fmt: skip
    export.add_argument("--parquet", action="store_true", help="of bdf: .parquet instead of .csv")
    export.add_argument("--for", choices=("elabftw",), dest="receiver",
                        help="of eln: add what this notebook alone understands")  # fmt: skip
    add_settings(export)
    push = commands.add_parser(
        "push", help="bring cells into an electronic lab notebook: Kadi4Mat or eLabFTW",
        description="Create or update one entry a cell in the notebook that the settings name. "
        "Repeating it changes nothing; what people wrote there stays. Without cells: those that it "
        "has not taken yet.",
        epilog="example:  cellpipe push kadi D:\\results --settings D:\\cellpipe.toml",
    )  # fmt: skip
    push.add_argument("receiver", choices=("kadi", "elabftw"), metavar="NOTEBOOK",
                      help="kadi or elabftw")  # fmt: skip
    push.set_defaults(run=_push)
    add_cells(push)
    add_settings(push)


def add_cells(parser: argparse.ArgumentParser) -> None:
    """Let a command be given results, cells and groups."""
    add_results(parser)
    parser.add_argument("cells", nargs="*", metavar="CELL", help="cell IDs")
    parser.add_argument(
        "--group",
        metavar="GROUP",
        action="append",
        default=[],
        dest="groups",
        help="all cells of a group of the cell sheet; may be given several times",
    )


def select_cells(options: argparse.Namespace, minimum: int) -> list[StoredCell]:
    """Return the cells that a command was given.

    Raises
    ------
    CellpipeError
        If they are fewer than ``minimum``, or not among the results.

    """
    from cellpipe.core.errors import CellpipeError
    from cellpipe.pipeline.stored_cells import read_stored_cells

    lab = resolve_results(options, "cells")
    cells = read_stored_cells(lab.results, options.cells, options.groups)
    if len(cells) < minimum:
        raise CellpipeError(
            f"too few cells ({len(cells)})", expected=f"at least {minimum}",
            remedy="name them after the results folder, or a group with --group",
        )  # fmt: skip
    return cells


def _export(options: argparse.Namespace) -> int:
    from cellpipe.core.errors import CellpipeError

    failed = 0
    for stored in select_cells(options, 1):
        try:
            written = _write_export(stored, options)
        except CellpipeError as error:
            print(f"cellpipe: {stored.cell.cell_id}, {options.what}: {error}", file=sys.stderr)
            failed = 1
            continue
        print(f"{stored.cell.cell_id}: {written}")
    return failed


def _write_export(stored: StoredCell, options: argparse.Namespace) -> str:
    """Write one kind of files of a cell; return how many were written, and where."""
    from cellpipe.system.atomic_files import file_name
    from cellpipe.system.exports import export_file

    kind = options.what
    folder = (options.to or options.out / "exports") / file_name(stored.cell.cell_id)
    check_apart_from_raw(options.out, folder / "any")
    makers = {
        "figures": _figure_files,
        "tables": _table_files,
        "pdf": _pdf_files,
        "eln": _eln_files,
        "bdf": _bdf_files,
    }
    count = 0
    for name, content in makers[kind](stored, options):
        export_file(folder / name, content)
        count += 1
    return f"{count} {'file' if count == 1 else 'files'} of {kind} in {folder}"


def check_apart_from_raw(results: Path, path: Path) -> None:
    """Check that a file to be written is not among the raw files that results were made of.

    Raises
    ------
    CellpipeError
        If it is: it would be taken for a raw file, or for one's companion.

    """
    from cellpipe.core.errors import CellpipeError, StoreError
    from cellpipe.pipeline.job import load_lab
    from cellpipe.system.own_folder import is_within

    try:
        folders = load_lab(results).folders
    except StoreError:  # results of an older version do not say what they were made of
        return
    inside = [folder for folder in folders if is_within(path.parent, folder)]
    if inside and not is_within(path.parent, results):
        raise CellpipeError(
            f"a place among the raw files of {inside[0]}", expected="a place of its own",
            remedy="name another with --to", file=path.parent,
        )  # fmt: skip


def _figure_files(stored: StoredCell, _: argparse.Namespace) -> Files:
    from cellpipe.report.figures.files import figure_files
    from cellpipe.report.html.cell_page import cell_panels

    for panel in cell_panels(stored.cell, stored.tables):
        for name, content in figure_files(panel).items():
            yield f"figures/{name}", content


def _table_files(stored: StoredCell, _: argparse.Namespace) -> Files:
    from cellpipe.numerics.impedance.parameter_table import wide_headers, widen_parameters
    from cellpipe.report.long_tables import long_csv

    for name in sorted(stored.tables):
        if stored.tables[name].height:
            yield f"tables/{name}.csv", long_csv(stored.tables[name])
    fits = stored.tables["circuit_fits"]
    if fits.height:
        wide = widen_parameters(fits).rename(wide_headers(fits))
        yield "tables/circuit_fits_wide.csv", long_csv(wide)


def _pdf_files(stored: StoredCell, _: argparse.Namespace) -> Files:
    from cellpipe._version import __version__
    from cellpipe.analyses import analysis_facts
    from cellpipe.report.html.cell_page import cell_page
    from cellpipe.report.html.pdf import print_pdf
    from cellpipe.system.atomic_files import file_name

    name = file_name(stored.cell.cell_id)
    page = cell_page(
        stored.cell, stored.tables, stored.files, name=name, version=__version__,
        analyses=analysis_facts(stored.tables["findings"]),
    )  # fmt: skip
    yield f"{name}.pdf", print_pdf(page)


def _eln_files(stored: StoredCell, options: argparse.Namespace) -> Files:
    from datetime import UTC, datetime

    from cellpipe.handoff.eln import eln_archive
    from cellpipe.pipeline.stored_cells import refuse_contradiction
    from cellpipe.service.delivery import record_from_cell, sender_from_settings
    from cellpipe.system.atomic_files import file_name

    refuse_contradiction(stored)
    settings = _read_delivery_settings(options)
    record = record_from_cell(options.out, stored, settings.prefix)
    name = file_name(stored.cell.cell_id)
    yield f"{name}.eln", eln_archive(
        [record], name, sender_from_settings(settings), made_at=datetime.now(UTC),
        for_elabftw=options.receiver == "elabftw",
    )  # fmt: skip


def _bdf_files(stored: StoredCell, options: argparse.Namespace) -> Files:
    from cellpipe.service.delivery import bdf_files

    settings = _read_delivery_settings(options)
    for name, content in bdf_files(options.out, stored, settings.organisation, options.parquet):
        if content is None:
            print(f"cellpipe: {stored.cell.cell_id}: {name}", file=sys.stderr)
        else:
            yield f"bdf/{name}", content


def _read_delivery_settings(options: argparse.Namespace) -> DeliverySettings:
    """Return the delivery settings; the defaults if there is no settings file."""
    from cellpipe.config.settings import DeliverySettings, read_settings

    path = find_settings(options)
    return DeliverySettings() if path is None else read_settings(path).hand_on


def _push(options: argparse.Namespace) -> int:
    from cellpipe.cli.options import read_secret_block
    from cellpipe.config.settings import read_settings
    from cellpipe.core.errors import SettingsError
    from cellpipe.pipeline.stored_cells import stored_cell_ids
    from cellpipe.service.delivery import DeliveryResult, deliver, open_receiver

    lab = resolve_results(options, "cells")
    path = find_settings(options) or options.settings
    settings = read_settings(path).hand_on
    if getattr(settings, options.receiver) is None:
        raise SettingsError(
            f"no server called {options.receiver}", expected=f"a part [hand_on.{options.receiver}]",
            remedy="add it; docs/hand-on.md has an example", file=path,
        )  # fmt: skip
    names = stored_cell_ids(lab.results, options.cells, options.groups)
    result = DeliveryResult()
    receiver = open_receiver(options.receiver, settings, path.resolve().parent, read_secret_block)
    with receiver.server:
        deliver(lab, [receiver], settings, result, only=names)
    for sentence in result.done or ([] if result.failed else ["Everything was there already."]):
        print(sentence)
    for sentence in result.failed:
        print(f"cellpipe: {sentence}", file=sys.stderr)
    return 1 if result.failed else 0
