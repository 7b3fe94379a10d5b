"""Running the batch flow on a Prefect server, from the command line."""

from __future__ import annotations

import importlib
import importlib.util
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cellpipe.errors import ServerError

if TYPE_CHECKING:
    from cellpipe.lab import Summary

_log = logging.getLogger("cellpipe")


def flow_folder() -> Path:
    """Give the folder ``flows/``: inside the package, or at the top of an editable checkout."""
    packaged = Path(__file__).parent / "flows"
    return packaged if packaged.is_dir() else Path(__file__).parents[2] / "flows"


def flow_module(name: str) -> Any:
    """Import a module of ``flows/`` as ``cellpipe.flows.<name>``, wherever the folder lies."""
    if "cellpipe.flows" not in sys.modules and not (Path(__file__).parent / "flows").is_dir():
        folder = flow_folder()
        spec = importlib.util.spec_from_file_location(
            "cellpipe.flows", folder / "__init__.py", submodule_search_locations=[str(folder)]
        )
        if spec is None or spec.loader is None:
            raise ServerError("no folder flows/", expected="it beside src/", file=folder)
        package = importlib.util.module_from_spec(spec)
        sys.modules["cellpipe.flows"] = package
        spec.loader.exec_module(package)
    return importlib.import_module(f"cellpipe.flows.{name}")


def secret_block(name: str) -> str:
    """Give what a Secret block of Prefect holds; Prefect is imported only then."""
    return str(flow_module("blocks").block(name))


def main() -> None:
    """Run ``flows/NAME.py``'s ``main`` with the rest of the arguments: a child of ``serve``."""
    flow_module(sys.argv[1]).main(*sys.argv[2:])


def process_on_server(
    folder: Path, out: Path, time_zone: str | None, also: Sequence[Path] = ()
) -> Summary:
    """Run the flow ``process`` on the server that PREFECT_API_URL names, or on a local one.

    Raises
    ------
    ServerError
        If there is no server and none can be started, or the flow broke down.

    """
    server = flow_module("server")
    with server.server_for(out) as url:
        process = flow_module("process").process
        more = [os.fspath(path) for path in also]
        state = process(os.fspath(folder), os.fspath(out), time_zone, more, return_state=True)
        summary = state.result(raise_on_failure=False)
        if isinstance(summary, BaseException):
            raise summary
        tasks = summary.read + summary.cells_updated
        recorded = server.wait_until_recorded(url, str(state.state_details.flow_run_id), tasks)
        if recorded < tasks:
            _log.warning("the server shows %d of %d task runs", recorded, tasks)
    return summary  # type: ignore[no-any-return]


if __name__ == "__main__":
    main()
