"""What holding tables to their contracts costs: ``python benchmarks/contracts.py``.

Of one real file of each main format, the time of the checks over the rest of its reading; of each
cell of the sample lab, that over the rest of its analyses. CPU seconds of the process, the least of
several runs. Writes its section of docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

os.environ["OPENBLAS_NUM_THREADS"] = "1"

from page import table, write_section

from cellpipe import formats
from cellpipe.analyses import all_analyses, execution, results_of
from cellpipe.core import contracts
from cellpipe.pipeline.run import process
from cellpipe.pipeline.stored_cells import read_stored_cells
from cellpipe.store.lab import lab_of_results

ROOT = Path(__file__).parents[1]
CORPUS = ROOT.parent / "shared" / "real_data"
FILES = (
    "mpr/scibatt__biologic.mpr", "mpt/plotpot__biologic-fullcell.mpt",
    "arbin-csv/diffcap__CS2_33_12_23_10.csv", "arbin-xlsx/diffcap__CS2_33_12_23_10.xlsx",
    "res/cellpy__20210210_FC_01_cc_02.res", "nda/fastnda__nda8.nda",
    "ndax/cellpy__20260302_IFE_BTS85_2_9_8_1.ndax",
    "neware-csv/fivestar__raw_data_output_from_cycler.csv",
    "maccor/beep__PreDiag_000229_000229_truncated.034",
    "landt/navani__NJK_CC_156_C30_C_x30.xlsx", "gamry/impedancepy__exampleDataGamry.DTA",
)  # fmt: skip
OF_A_READ, OF_A_CELL = 0.10, 0.05  # of the rest, at most
READ_CHECKS = ((contracts, "validate_rows"), (contracts, "validate"))
CELL_CHECKS = tuple((execution, name) for name in ("judge", "validate_set"))


class Clock:
    """CPU seconds within some functions, of which one may call another."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._depth = 0

    def around(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function with its time added up."""

        def timed(*arguments: Any, **named: Any) -> Any:
            self._depth += 1
            begun = time.process_time()
            try:
                return function(*arguments, **named)
            finally:
                self._depth -= 1
                if not self._depth:
                    self.seconds += time.process_time() - begun

        return timed


@contextmanager
def timed(functions: Sequence[tuple[ModuleType, str]]) -> Iterator[Clock]:
    """Add up the time of functions of modules, by these names."""
    clock = Clock()
    before = [(module, name, getattr(module, name)) for module, name in functions]
    for module, name, function in before:
        setattr(module, name, clock.around(function))
    try:
        yield clock
    finally:
        for module, name, function in before:
            setattr(module, name, function)


def least(
    action: Callable[[], object], functions: Sequence[tuple[ModuleType, str]], runs: int
) -> tuple[float, float]:
    """Return the least CPU seconds of the checks, and of the rest of an action."""
    action()  # imports and caches are warm
    checks, rests = [], []
    for _ in range(runs):
        begun = time.process_time()
        with timed(functions) as clock:
            action()
        checks.append(clock.seconds)
        rests.append(time.process_time() - begun - clock.seconds)
    return min(checks), min(rests)


def row(what: str, checks: float, rest: float, bar: float) -> tuple[str, str, str, str]:
    """Return one line of the table."""
    return what, f"{100 * checks / rest:.1f} %", f"≤ {100 * bar:.0f} %", f"{1e3 * checks:.1f}"


def of_reads(runs: int) -> list[tuple[str, str, str, str]]:
    """Measure the checks of reading files."""
    rows = []
    for name in FILES:
        if (CORPUS / name).is_file():
            checks, rest = least(partial(formats.read, CORPUS / name), READ_CHECKS, runs)
            rows.append(row(f"reading {name}", checks, rest, OF_A_READ))
            print(*rows[-1], sep=" | ", flush=True)
    return rows


def of_cells(out: Path, runs: int) -> list[tuple[str, str, str, str]]:
    """Measure the checks of the analyses of the sample lab's cells, and of all of them."""
    rows, sums = [], [0.0, 0.0]
    made = {name for analysis in all_analyses() for name in analysis.makes}
    for stored in read_stored_cells(out, sorted(lab_of_results(out).ledger.cells())):
        tables = {name: table for name, table in stored.tables.items() if name not in made}
        both = least(partial(results_of, stored.cell, tables), CELL_CHECKS, runs)
        sums = [one + more for one, more in zip(sums, both, strict=True)]
        rows.append(row(f"analyses of the cell {stored.cell.cell_id}", *both, OF_A_CELL))
        print(*rows[-1], sep=" | ", flush=True)
    return [*rows, row("analyses of these cells together", sums[0], sums[1], OF_A_CELL)]


def main() -> None:
    """Measure, print and write the section."""
    parser = argparse.ArgumentParser(description="Measure what contracts cost.")
    parser.add_argument("--runs", type=int, default=7, help="of which the least counts")
    parser.add_argument("--dry", action="store_true", help="print only")
    options = parser.parse_args()
    rows = of_reads(options.runs)
    with tempfile.TemporaryDirectory() as folder:
        process(ROOT / "sample_data", Path(folder))
        rows += of_cells(Path(folder), options.runs)
    lines = [
        "CPU seconds of the checks over those of everything else that reading a file, or the "
        f"analyses of a cell, does; the least of {options.runs} runs of each.\n",
        *table(("What", "Checks over the rest", "Target", "Checks / ms"), rows),
    ]
    if options.dry:
        print(*lines, sep="\n")
    else:
        write_section("Contracts", "python benchmarks/contracts.py", lines)


if __name__ == "__main__":
    main()
