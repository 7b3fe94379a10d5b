"""How fast files are read, beside what a user would take instead: ``python benchmarks/readers.py``.

Makes an environment of its own in benchmarks/.peers with the peers in it, makes large files from
the sample lab's, measures both readers in turn in one process (best of N), and writes its section
of docs/benchmarks.md. Real files of the corpus beside the checkout serve where the sample lab has
none of a kind; without them these lines are left out, and so is mdb-export where it isn't.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import logging
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ROOT = HERE.parent
PEERS = HERE / ".peers"
CORPUS = ROOT.parent / "shared" / "real_data"
PINNED = ("galvani==0.5.0", "fastnda==1.3.1", "NewareNDA", "yadg==7.0.1", "pandas", "openpyxl")
_WORTH_WEIGHING = 1_000_000  # bytes; below, what any reading takes outweighs the table
Reader = Callable[[Path], Any]


@dataclass(frozen=True)
class Match:
    """One file, and the readers that it is read with; ``target`` is the ratio to reach."""

    what: str
    path: Path
    peers: dict[str, tuple[Reader, str]]
    runs: int = 5
    reader: Reader | None = None


def main() -> None:
    """Measure in the environment of the peers, which is made if it is not there."""
    parser = argparse.ArgumentParser(description="Measure the readers beside their peers.")
    parser.add_argument("--only", default="", help="a word of the lines to measure")
    parser.add_argument("--megabytes", type=float, default=60.0, help="size of the large files")
    parser.add_argument("--memory", type=Path, help="read one file and print what it took")
    options = parser.parse_args()
    if options.memory:
        print(*_memory(options.memory))
        return
    python = PEERS / ("Scripts" if os.name == "nt" else "bin") / "python"
    if Path(sys.prefix).resolve() != PEERS.resolve():
        if not python.is_file():
            subprocess.run([sys.executable, "-m", "venv", str(PEERS)], check=True)
            pip = [str(python), "-m", "pip", "install", "--quiet"]
            subprocess.run([*pip, *PINNED, "-e", str(ROOT)], check=True)
        raise SystemExit(subprocess.run([str(python), *sys.argv], check=False).returncode)
    with tempfile.TemporaryDirectory() as folder:
        _measure(Path(folder), options.megabytes, options.only)


def _measure(folder: Path, megabytes: float, only: str) -> None:
    sys.path.insert(0, str(HERE))
    from page import table, write_section

    from cellpipe import formats

    rows, memory = [], []
    for match in _matches(folder, megabytes):
        if only and only not in match.what:
            match.path.unlink() if match.path.is_relative_to(folder) else None
            continue
        form = formats.find_format(match.path)
        readers: dict[str, Reader] = {"cellpipe": match.reader or form.read}
        readers |= {name: reader for name, (reader, _) in match.peers.items()}
        best = _best(readers, match.path, match.runs) if match.peers else {}
        for name, (_, target) in match.peers.items():
            ratio = best[name] / best["cellpipe"]
            rows.append((match.what, name, f"{ratio:.1f}" if ratio < 100 else f"{ratio:.0f}",
                         target, f"{best['cellpipe'] * 1e3:.0f}"))  # fmt: skip
            print(*rows[-1], sep=" | ", flush=True)
        if not match.reader and match.path.stat().st_size > _WORTH_WEIGHING:
            memory.append((match.what, *_in_a_fresh_process(match.path)))
            print(*memory[-1], sep=" | ", flush=True)
        if match.path.is_relative_to(folder):
            match.path.unlink()
    heads = ("File", "Peer", "Peer's time over cellpipe's", "Target", "cellpipe / ms")
    notes = [
        "Reading from the bytes to standard columns, or to the columns as they are stored where "
        "that is said, best of several runs in turn in one process, files in the page cache. The "
        "large files are the sample lab's records, repeated. Peers: "
        + ", ".join(PINNED)
        + ", mdb-export, polars.\n",
        *table(heads, rows),
        "\nPeak memory above that of the imports, over the size of the table that comes out "
        "(whole `cellpipe.read`: hash, contract and checks included), in a fresh process:\n",
        *table(("File", "File / MB", "Table / MB", "Peak over table"), memory),
    ]
    if not only:
        write_section("Readers", "python benchmarks/readers.py", notes)


def _best(readers: dict[str, Reader], path: Path, runs: int) -> dict[str, float]:
    """Best wall-clock seconds of each reader; they take turns."""
    best: dict[str, float] = {}
    for turn in range(runs):
        for name, reader in readers.items():
            if turn and best[name] > 20:
                continue
            gc.collect()
            start = time.perf_counter()
            with warnings.catch_warnings(action="ignore"), _quiet():
                reader(path)
            best[name] = min(best.get(name, 1e9), time.perf_counter() - start)
    return best


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep what peers print to themselves."""
    with contextlib.redirect_stdout(None):
        logging.disable(logging.CRITICAL)
        yield
        logging.disable(logging.NOTSET)


def _in_a_fresh_process(path: Path) -> tuple[str, str, str]:
    done = subprocess.run(
        [sys.executable, __file__, "--memory", str(path)], check=True, capture_output=True
    )
    table, peak = (float(word) for word in done.stdout.split())
    return f"{path.stat().st_size / 1e6:.1f}", f"{table / 1e6:.1f}", f"{peak / table:.2f}"


def _memory(path: Path) -> tuple[int, int]:
    """Give the size of the table, and the peak above what the process had before."""
    import cellpipe
    from cellpipe import formats

    for small in (ROOT / "sample_data").glob("*/SSB-0[14]_0*_[OP]*"):  # imports are made by it
        cellpipe.read(small)
    formats.find_format(path)
    Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here
    before = _status("VmRSS")
    tables = cellpipe.read(path).tables
    return sum(t.estimated_size() for t in tables.values()), _status("VmHWM") - before


def _status(field: str) -> int:
    if not Path("/proc/self/status").is_file():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(field)).split()[1]) * 1024


def _matches(folder: Path, megabytes: float) -> Iterator[Match]:
    import big_files
    import peers

    yield Match(
        ".mpr", big_files.mpr(folder / "big.mpr", megabytes),
        {"the file's bytes alone": (Path.read_bytes, ""),
         "galvani → polars": (peers.galvani_mpr, ""),
         "galvani → pandas": (peers.galvani_mpr_pandas, "")},
    )  # fmt: skip
    yield Match(
        ".mpr, columns as stored", big_files.mpr(folder / "stored.mpr", megabytes),
        {"the file's bytes alone": (Path.read_bytes, "≥ 0.8"),
         "galvani → polars": (peers.galvani_mpr, "≥ 4")}, reader=peers.cellpipe_stored,
    )  # fmt: skip
    real = CORPUS / "mpr" / "scibatt__biologic.mpr"  # yadg refuses the sample lab's settings
    if real.is_file():
        yield Match(
            f"{real.name}, columns as stored", real, {"yadg": (peers.yadg_mpr, "≥ 100")}, 3,
            peers.cellpipe_stored,
        )  # fmt: skip
    for comma in (False, True):
        path = big_files.mpt(folder / f"big_{comma}.mpt", megabytes, comma=comma)
        rivals = {"pandas' C parser": (peers.pandas_mpt, "≥ 1.5")}
        if not comma:
            rivals["galvani MPTfile"] = (peers.galvani_mpt, "≥ 20")
        yield Match(f".mpt, decimal {'comma' if comma else 'point'}", path, rivals, 3)
    yield Match(
        ".mpt of 2 MB", big_files.mpt(folder / "small.mpt", 2, comma=False),
        {"yadg": (peers.yadg_mpt, "≥ 100")}, 10,
    )  # fmt: skip
    for name, source in (
        ("Arbin .csv", big_files.ARBIN_CSV), ("Neware .csv", big_files.NEWARE_CSV),
        ("Neware .csv in GB18030", big_files.NEWARE_GBK),
    ):  # fmt: skip
        path = big_files.text(source, folder / f"{source.stem}_big.csv", megabytes, 1)
        yield Match(name, path, {"polars, everything known": (peers.polars_csv, "≥ 0.77")})
    yield Match(
        "Arbin .xlsx", big_files.xlsx(folder / "big.xlsx", int(megabytes * 1500)),
        {"pandas + openpyxl": (peers.pandas_xlsx, "≥ 10"),
         "fastexcel → polars": (peers.fastexcel_xlsx, "")}, 2,
    )  # fmt: skip
    yield from _of_the_corpus(peers)
    for name, source in (("Arbin", big_files.ARBIN_CSV), ("Neware", big_files.NEWARE_CSV)):
        path = big_files.text(source, folder / f"{name}_1_GB.csv", 17 * megabytes, 1)
        yield Match(f"{name} .csv of 1 GB", path, {})
    yield Match(".mpr of 1 GB", big_files.mpr(folder / "gigabyte.mpr", 17 * megabytes), {})


def _of_the_corpus(peers: Any) -> Iterator[Match]:
    sample = ROOT / "sample_data/neware_ndax/SSB-04_120_1_14_204.ndax"
    fastnda = ("fastnda", peers.fastnda)
    newarenda = ("NewareNDA", peers.newarenda)
    files = [
        (sample, ((*fastnda, "≥ 1.4"), (*newarenda, "≥ 10"))),
        (CORPUS / "ndax/cellpy__20260302_IFE_BTS85_2_9_8_1.ndax",
         ((*fastnda, "≥ 1.4"), (*newarenda, "≥ 10"))),
        (CORPUS / "ndax/fastnda__test_2.ndax", ((*fastnda, "≥ 1.4"), (*newarenda, "≥ 10"))),
        (CORPUS / "nda/fastnda__nda_v26.nda", ((*fastnda, "≥ 0.9"),)),
        (CORPUS / "nda/fastnda__TestFile.nda", ((*fastnda, "≥ 0.9"), (*newarenda, ""))),
    ]  # fmt: skip
    for path, rivals in files:
        if path.is_file():
            yield Match(path.name, path, {name: (reader, aim) for name, reader, aim in rivals})
    for path in sorted(CORPUS.glob("res/cellpy__*cc_02.res")):
        rivals_of_res = {"galvani res2sqlite": (peers.galvani_res, "≥ 20")}
        if not shutil.which("mdb-export"):
            continue
        yield Match(path.name, path, rivals_of_res | {
            "mdb-export → polars": (peers.mdb_export, "≥ 3")})  # fmt: skip


if __name__ == "__main__":
    main()
