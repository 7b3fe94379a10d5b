"""From a folder of real files to tables of cycles, beside what a lab would use instead.

``python benchmarks/end_to_end.py``; each peer runs in an environment of its own, which is made
under benchmarks/.peers-cycles if it can be. Then a profile of the main job. Writes two sections of
docs/benchmarks.md.
"""

from __future__ import annotations

import cProfile
import json
import os
import pstats
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from page import table, write_section

ROOT = Path(__file__).parents[1]
CORPUS = ROOT.parent / "shared" / "real_data"
FOLDERS = ("mpr", "mpt", "arbin-csv", "arbin-xlsx", "res", "nda", "ndax", "neware-csv", "derived",
           "maccor", "novonix", "landt", "basytec", "pec")  # fmt: skip
COUNT = 200
PEERS = {  # program: packages, and the Python that they want
    "fastnda + polars": (["fastnda", "polars"], "3.11"),
    "navani": (["navani"], "3.11"),
    "cellpy": (["cellpy==2.1.5", "fastnda"], "3.13"),
    "PyProBE": (["PyProBE-Data"], "3.11"),
}


def files() -> list[Path]:
    """Give two hundred files: the sample lab's and real ones, of every cycler."""
    sample = sorted(p for p in (ROOT / "sample_data").glob("*/SSB-0[1-7]*") if p.is_file())
    real = [path for name in FOLDERS for path in sorted((CORPUS / name).glob("*"))]
    spare = [path for name in ("oracle", "gamry") for path in sorted((CORPUS / name).glob("*"))]
    return [*sample, *real, *spare][:COUNT]


def python_of(program: str) -> str | None:
    """Give the Python of a peer's environment; None where it can't be made."""
    packages, version = PEERS[program]
    home = Path(__file__).parent / ".peers-cycles" / program.split(" ", maxsplit=1)[0]
    python = home / "bin" / "python"
    uv = Path(sys.executable).with_name("uv")
    if not python.exists():
        found = sorted(Path.home().glob(f".pyenv/versions/{version}*/bin/python"))
        commands = [
            [str(found[0]) if found else f"python{version}", "-m", "venv", str(home)],
            [str(uv), "pip", "install", "--quiet", "--python", str(python), *packages,
             "setuptools<80"],
        ]  # fmt: skip
        try:
            for command in commands:
                subprocess.run(command, check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError) as error:
            print(f"{program}: {error}", file=sys.stderr)
            return None
    return str(python)


def measured(python: str, program: str, paths: list[Path]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Run a program over the files: what it took in all, and for each file that it read."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as listed:
        listed.write("\n".join(map(str, paths)))
        listed.flush()
        script = Path(__file__).with_name("cycles_of_files.py")
        done = subprocess.run(
            [python, str(script), program, listed.name], capture_output=True, text=True,
            check=False, env=os.environ | {"OPENBLAS_NUM_THREADS": "1"},
        )  # fmt: skip
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    if not lines or "wall" not in lines[-1]:
        raise SystemExit(f"{program}: {done.stderr[-2000:]}")
    return lines[-1], {line["file"]: line["seconds"] for line in lines[:-1] if not line["why"]}


def beside() -> list[str]:
    """Measure each program, and give the lines of the section."""
    paths = files()
    ours, mine = measured(sys.executable, "cellpipe", paths)
    _, parsed = measured(sys.executable, "bare", paths)
    both = mine.keys() & parsed.keys()
    rows = [
        ("cellpipe", f"{len(mine)}", f"{ours['wall']:.1f}", f"{ours['cpu']:.1f}",
         f"{ours['peak']:.0f}", "", ""),
    ]  # fmt: skip
    for program in PEERS:
        python = python_of(program)
        if python is None:
            rows.append((program, "not installed here", "", "", "", "", ""))
            continue
        whole, theirs = measured(python, program, paths)
        same = mine.keys() & theirs.keys()
        ratio = sum(theirs[f] for f in same) / max(1e-9, sum(mine[f] for f in same))
        rows.append((program, f"{len(theirs)}", f"{whole['wall']:.1f}", f"{whole['cpu']:.1f}",
                     f"{whole['peak']:.0f}", f"{len(same)}", f"{ratio:.1f}"))  # fmt: skip
    over = sum(mine[f] for f in both) / sum(parsed[f] for f in both)
    size = sum(path.stat().st_size for path in paths) / 1e6
    return [
        f"{len(paths)} files ({size:.0f} MB) of the sample lab and of real instruments, one after "
        "the other in one warm process, a minute at most for each; "
        "PyProBE converts only, fastnda's records are summed up by hand; aurora-cycler-manager "
        "wants a project and a server of its own and was not measured; cellpy and navani read "
        f".res through mdbtools, which {'is' if shutil.which('mdb-export') else 'is not'} "
        "installed here. Read is what gives cycles. "
        "The last column compares the files that both read.\n",
        *table(("Program", "Files read", "Wall / s", "CPU / s", "Peak / MB", "Files both read",
                "Its time over cellpipe's"), rows),
        f"\nFile to cycles, over parsing the bytes alone: {over:.2f} (target ≤ 2; {len(both)} "
        f"files).",
    ]  # fmt: skip


def profile() -> list[str]:
    """Profile the main job on the sample lab, in one process."""
    from cellpipe.pipeline.run import process

    with tempfile.TemporaryDirectory() as folder:
        process(ROOT / "sample_data", Path(folder) / "warm", time_zone="Europe/Berlin")
        profiler = cProfile.Profile()
        profiler.enable()
        process(ROOT / "sample_data", Path(folder) / "out", time_zone="Europe/Berlin")
        profiler.disable()
    stats: Any = pstats.Stats(profiler)
    total = stats.total_tt
    found: dict[str, float] = {}
    for (file, _, name), (_, _, _, cumulative, _) in stats.stats.items():
        for what, (module, function) in STEPS.items():
            if file.endswith(module) and name == function:
                found[what] = cumulative
    rows = [(what, f"{100 * found.get(what, 0.0) / total:.0f} %") for what in STEPS]
    rows.sort(key=lambda row: -float(row[1].split()[0]))
    return [
        f"`cProfile` of the main job on the sample lab, {total:.1f} s in one process (twice what "
        "it takes without). Shares of steps that lie within one another overlap.\n",
        *table(("Step", "Share"), rows),
    ]


def started() -> list[str]:
    """Measure fresh processes, the best of five each."""
    file = ROOT / "sample_data" / "neware_csv" / "SSB-05_record_zh.csv"
    rows = []
    for what, arguments, target in (
        ("`cellpipe --help`", ["--help"], "≤ 0.3 s"),
        ("`cellpipe check` of one small file", ["check", str(file)], "≤ 1.5 s"),
    ):
        best = 1e9
        for _ in range(5):
            begun = time.perf_counter()
            subprocess.run([sys.executable, "-m", "cellpipe", *arguments], check=True,
                           stdout=subprocess.DEVNULL)  # fmt: skip
            best = min(best, time.perf_counter() - begun)
        rows.append((what, f"{best:.2f} s", target))
    return table(("A fresh process", "Measured", "Target"), rows)


STEPS = {
    "reading files, their tables included": ("cellpipe/intake.py", "taken"),
    "… parsing": ("cellpipe/formats/reader.py", "read_raw"),
    "fitting spectra": ("cellpipe/numerics/impedance_series.py", "fit_impedance_series"),
    "all analyses of cells": ("cellpipe/analyses/__init__.py", "results_of"),
    "pages and workbooks of cells": ("cellpipe/report/__init__.py", "write_cell_report"),
    "… drawing figures": ("cellpipe/report/panel.py", "svg"),
    "… writing their workbooks": ("cellpipe/report/workbook.py", "cell_workbook"),
    "the lab's page and workbook": ("cellpipe/lab.py", "_write_reports"),
    "writing tables": ("cellpipe/store/tables.py", "write_table"),
    "the ledger": ("cellpipe/store/database.py", "do"),
}


def main() -> None:
    """Measure, and write the sections."""
    command = "python benchmarks/end_to_end.py"
    write_section("From a folder of files to cycles", command, beside())
    write_section("From a fresh start", command, started())
    write_section("Where the main job's time goes", command, profile())


if __name__ == "__main__":
    main()
