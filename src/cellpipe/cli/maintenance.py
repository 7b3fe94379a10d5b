"""The commands of upkeep: status, history, retry, forget, rebuild and move-ledger."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

from cellpipe.cli.labs import add_results, resolve_results
from cellpipe.cli.options import add_json, add_settings


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describe the commands to the command line."""
    about = {
        "status": ("say how results stand: counts, who writes, what was set aside and why", ""),
        "history": ("say what happened to a file or a cell, and its numbers then", "SUBJECT"),
        "retry": ("let the next run try again what was set aside, or the files and cells named",
                  "SUBJECT"),
        "forget": ("remove a cell's results for good; raw files are never touched", "CELL"),
        "rebuild": ("make all results again from the raw files and the cell sheet", ""),
    }  # fmt: skip
    move = commands.add_parser(
        "move-ledger", help="move the ledger of results from SQLite to PostgreSQL",
        description="Move the ledger of results, with everything it knows, from ledger.sqlite to "
        "PostgreSQL, which several machines reach. Stop cellpipe serve and watch before. The old "
        "ledger is put into RESULTS/damaged and not deleted.",
        epilog="example:  cellpipe move-ledger D:\\results postgresql://lab@host/cellpipe#our_lab",
    )  # fmt: skip
    move.set_defaults(run=_move_ledger)
    move.add_argument("out", type=Path, metavar="RESULTS", help="folder with results")
    move.add_argument("url", metavar="URL", help="postgresql://user@host/database#schema")
    for name, (help_text, subject) in about.items():
        described = f"{help_text[0].upper()}{help_text[1:]}."
        example = f"cellpipe {name} D:\\results{' SSB-01' if subject else ''}"
        parser = commands.add_parser(
            name, help=help_text, description=described, epilog=f"example:  {example}"
        )
        parser.set_defaults(run=_RUN[name])
        add_results(parser)
        add_settings(parser)
        if name in {"status", "history"}:
            add_json(parser)
        if subject:
            parser.add_argument(
                "subject", nargs="*" if name == "retry" else None, metavar=subject,
                help="a cell's id" + ("" if name == "forget" else ", or a file's path or name"),
            )  # fmt: skip


def _show_status(options: argparse.Namespace) -> int:
    from cellpipe.cli import console, show_ledger
    from cellpipe.pipeline.maintenance import open_ledger, read_status

    lab = resolve_results(options)
    found = read_status(open_ledger(lab.results))
    if options.json:
        failures = [{"path": name, **_parts(reason)} for name, reason in found.aside]
        plain = {**asdict(replace(found, findings=None)), "failures": failures}
        findings = [] if found.findings is None else found.findings.to_dicts()
        console.show_json({**plain, "findings": findings})
        return 1 if found.aside else 0
    show_ledger.show_status(lab.results, found)
    return 1 if found.aside else 0


def _show_history(options: argparse.Namespace) -> int:
    from cellpipe.cli import console, show_ledger
    from cellpipe.pipeline.maintenance import open_ledger, read_history

    found = read_history(open_ledger(resolve_results(options).results), options.subject)
    if options.json:
        console.show_json([{**asdict(event), **_parts(event.reason)} for event in found])
    else:
        show_ledger.show_history(found)
    return 0


def _parts(reason: str | None) -> dict[str, str | None]:
    """Return what was found, expected and the remedy, of a reason that has them."""
    from cellpipe.core.errors import Reason

    if not isinstance(reason, Reason) or reason.found is None:
        return {}
    return {part: reason.parts[part] for part in ("found", "expected", "remedy")}


def _retry(options: argparse.Namespace) -> int:
    from cellpipe.pipeline.maintenance import open_ledger, retry

    names = retry(open_ledger(resolve_results(options, "subject").results), options.subject)
    _print_names(names, "will be tried again by the next run", "Nothing was set aside.")
    return 0


def _print_names(names: Sequence[str], what: str, nothing: str) -> None:
    shown = ", ".join(names[:10]) + (f" and {len(names) - 10} more" if len(names) > 10 else "")
    print(f"{shown} {what}." if names else nothing)


def _forget(options: argparse.Namespace) -> int:
    from cellpipe.pipeline.compute import cell_outputs
    from cellpipe.pipeline.maintenance import forget, open_ledger

    lab = resolve_results(options)
    forget(open_ledger(lab.results), options.subject, cell_outputs(lab, options.subject))
    print(
        f"The results of {options.subject} are removed. If its raw files are still in the folder, "
        "the next run makes them again."
    )
    return 0


def _move_ledger(options: argparse.Namespace) -> int:
    from cellpipe.pipeline.maintenance import open_ledger
    from cellpipe.store.postgres_migration import move_ledger

    open_ledger(options.out)
    count = move_ledger(options.out, options.url)
    print(f"{count} rows moved. The ledger is in PostgreSQL now; see {options.out / 'ledger.url'}.")
    return 0


def _rebuild(options: argparse.Namespace) -> int:
    from cellpipe.cli import console
    from cellpipe.pipeline.executors import LocalExecutor
    from cellpipe.pipeline.job import load_lab
    from cellpipe.pipeline.maintenance import invalidate_all, open_ledger
    from cellpipe.pipeline.run import run_lab
    from cellpipe.system.processes import Workers, default_worker_count

    lab = resolve_results(options)
    open_ledger(lab.results)
    if lab.folder == lab.results:  # no settings name these results: as they were made last
        lab = load_lab(lab.results)
    invalidate_all(lab.ledger)
    with console.show_progress() as progress, Workers(default_worker_count()) as workers:
        summary = run_lab(lab, LocalExecutor(workers), wait_second=600, progress=progress)
    console.show_summary(summary)
    return summary.exit_code


_RUN = {
    "status": _show_status, "history": _show_history, "retry": _retry, "forget": _forget,
    "rebuild": _rebuild,
}  # fmt: skip
