"""What the night shift costs: idle watch, a night with nothing new, a backfill through Prefect.

``python benchmarks/night_shift.py [--quick] [PART …]``; each part writes its section of
docs/benchmarks.md.
Parts: idle, latency, night, memory, backfill. The backfill wants the corpus of real files beside
the checkout.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from page import table, write_section

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from cellpipe.pipeline.run import process
from cellpipe.service.watch.batch_runner import BatchTask, process_batch
from cellpipe.store import Ledger, SeenFile
from cellpipe.store.lab import Lab
from cellpipe.store.writer_lease import acquire
from cellpipe.system.processes import default_worker_count
from cellpipe.system.scan import RawFolders
from made_files import neware_csv

QUICK = "--quick" in sys.argv
REAL = ROOT.parent / "shared" / "real_data"
TICKS = os.sysconf("SC_CLK_TCK")
Rows = list[tuple[str, str, str]]


def watched(folder: Path, out: Path, events: str) -> subprocess.Popen[bytes]:
    settings = folder.parent / f"{events}.toml"
    settings.write_text(
        f"[[lab]]\nfolder = '{folder}'\nresults = '{out}'\n[watch]\nevents = '{events}'\n"
    )
    clean = {k: v for k, v in os.environ.items() if not k.startswith("PREFECT_")}
    return subprocess.Popen(
        [sys.executable, "-m", "cellpipe", "watch", "--settings", str(settings)],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=clean,
    )  # fmt: skip


def cpu_seconds(process_id: int) -> float:
    fields = Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def resident_mb(process_id: int) -> float:
    for line in Path(f"/proc/{process_id}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    return 0.0


def idle(place: Path) -> Rows:
    """CPU of a watch over 50,000 known files in 500 folders."""
    count = 5_000 if QUICK else 50_000
    lab = place / "lab"
    for number in range(count // 100):
        (lab / f"f{number}").mkdir(parents=True)
        for other in range(100):
            (lab / f"f{number}" / f"{other}.csv").write_bytes(b"1")
    ledger = Ledger(place / "out")
    entries, _ = RawFolders(lab, (), ()).walk()
    with acquire(ledger):
        ledger.record_files(lab, [SeenFile(e.name, e.size, e.modified_ns, "x") for e in entries])
    rows: Rows = []
    for events, how in (("on", "told by the system"), ("off", "polled")):
        watch = watched(lab, place / "out", events)
        time.sleep(25)
        before = cpu_seconds(watch.pid)
        span = 30 if QUICK else 180
        time.sleep(span)
        used = 100 * (cpu_seconds(watch.pid) - before) / span
        rows.append((f"idle watch of {count:,} files, {how}", f"{used:.2f} % of a core", "≤ 1 %"))
        rows.append((f"… its memory, {how}", f"{resident_mb(watch.pid):.0f} MB", ""))
        watch.terminate()
        watch.wait()
    return rows


def latency(place: Path) -> Rows:
    """Seconds from the last byte of a file to its cell's page, of ``cellpipe watch``."""
    lab = place / "lab"
    lab.mkdir()
    watch = watched(lab, place / "out", "auto")
    time.sleep(15)
    took = []
    for number in range(4 if QUICK else 9):
        neware_csv(place / "new.csv", f"2026-03-{number + 1:02} 10:00:00", rows=50)
        content = (place / "new.csv").read_bytes()
        with (lab / f"C{number}.csv").open("wb") as stream:
            stream.write(content[: len(content) // 2])
            stream.flush()
            time.sleep(0.4)
            stream.write(content[len(content) // 2 :])
        begun = time.monotonic()
        while not (place / "out" / "cells" / f"C{number}.html").is_file():
            time.sleep(0.02)
        took.append(time.monotonic() - begun)
        time.sleep(4)
    watch.terminate()
    watch.wait()
    shown = f"{statistics.median(took[1:]):.1f} s (longest {max(took[1:]):.1f} s)"
    return [("from a file's last byte to its cell's page", shown, "≤ 5 s")]


def night(place: Path) -> Rows:
    """Return a run with nothing new over 20,000 known files, over walking and stat-ing them."""
    contents, copies = (20, 100) if QUICK else (200, 100)
    lab = place / "lab"
    lab.mkdir()
    for number in range(contents):
        start = f"2026-{1 + number // 28:02}-{1 + number % 28:02} 10:00:00"
        neware_csv(place / "one.csv", start, rows=5, factor=1 - 0.001 * number)
        for copy in range(copies):
            folder = lab / f"c{number % 20}_{copy}"
            folder.mkdir(exist_ok=True)
            shutil.copy(place / "one.csv", folder / f"C{number % 20}_{number}_{copy}.csv")
    rows = "\n".join(f"C{number},C{number}_*,full" for number in range(20))
    (lab / "cells.csv").write_text(f"Cell ID,Files,Configuration\n{rows}\n")
    process(lab, place / "out", workers=default_worker_count())
    walks, nights = [], []
    for _ in range(9):
        walks.append(seconds(lambda: walked(lab)))
        nights.append(seconds(lambda: process(lab, place / "out")))
    ratio = min(nights) / min(walks)
    what = f"a night with nothing new over {contents * copies:,} files, over walking and stat-ing"
    return [(what, f"{ratio:.1f} × ({1000 * min(nights):.0f} ms)", "≤ 3 ×")]


def walked(folder: Path) -> int:
    """Walk and stat, as plainly as Python can."""
    count, waiting = 0, [str(folder)]
    while waiting:
        with os.scandir(waiting.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)
                else:
                    os.stat(entry.path)  # noqa: PTH116 - as plainly as can be
                    count += 1
    return count


def seconds(action: Callable[[], object]) -> float:
    begun = time.perf_counter()
    action()
    return time.perf_counter() - begun


def memory(place: Path) -> Rows:
    """Memory of the process that deals with batches, over many files."""
    files, each = (1_000, 200) if QUICK else (10_000, 500)
    lab = place / "lab"
    lab.mkdir()
    found = []
    with ProcessPoolExecutor(1, get_context("spawn")) as one:
        process_id = one.submit(os.getpid).result()
        for batch in range(files // each):
            for number in range(each):
                at = batch * each + number
                day = f"{2000 + at // 336}-{1 + at % 336 // 28:02}-{1 + at % 28:02}"
                neware_csv(lab / f"C{at // 20}_{at}.csv", f"{day} 10:00:00", rows=2)
            numbers = range(batch * each, (batch + 1) * each)
            names = [f"C{at // 20}_{at}.csv" for at in numbers]
            one.submit(queued, lab, place / "out", names, str(batch)).result()
            found.append(resident_mb(process_id))
    middle, last = found[len(found) // 2], found[-1]
    shown = f"{found[0]:.0f} MB after the first batch, {middle:.0f} half-way, {last:.0f} at the end"
    return [(f"memory over {files:,} files in batches of {each}", shown, "flat")]


def queued(lab: Path, out: Path, names: list[str], batch: str) -> str:
    from cellpipe.store.batch_queue import QueuedFile, enqueue

    enqueue(Ledger(out).database, [QueuedFile(name, 0, 0, batch) for name in names])
    return process_batch(BatchTask(Lab(lab, out), batch))


def backfill(place: Path) -> Rows:
    """Return a thousand real files through the flow, over the plain path."""
    if not REAL.is_dir():
        return []
    lab, wanted = place / "lab", 150 if QUICK else 1_000
    lab.mkdir()
    kinds = {".csv", ".mpt", ".txt"}
    small = [
        path
        for path in sorted(REAL.rglob("*"))
        if path.suffix.lower() in kinds and "negative" not in path.parts
        and 2_000 < path.stat().st_size < 1_500_000
    ]  # fmt: skip
    number = 0
    while number < wanted:
        path = small[number % len(small)]
        again = number // len(small)
        name = f"C{number % 20}_{number}{path.suffix}"
        (lab / name).write_bytes(path.read_bytes() + b"\n" * again)  # another content
        number += 1
    rows = "\n".join(f"C{n},C{n}_*,full" for n in range(20))
    (lab / "cells.csv").write_text(f"Cell ID,Files,Configuration\n{rows}\n")
    plain = seconds(lambda: plainly(lab, place / "plain"))
    flow = as_a_flow(lab, place / "flow")
    over = 100 * (flow - 1.1 - plain) / plain
    what = f"{wanted:,} real files through the flow, over the plain path, less the flow's 1.1 s"
    return [(what, f"{over:+.0f} % ({flow:.0f} s, {plain:.0f} s)", "≤ +10 %")]


def plainly(lab: Path, out: Path) -> None:
    process(lab, out, workers=default_worker_count())


def as_a_flow(lab: Path, out: Path) -> float:
    """Seconds of the flow itself; the server is there already."""
    script = (
        "import sys, time\nfrom pathlib import Path\n"
        "from cellpipe.core.checkout import flow_module\n"
        "from cellpipe.service import prefect_server\n"
        "from cellpipe.store.lab import Lab\n"
        "with prefect_server.ensure_server(Path(sys.argv[2])):\n"
        "    flow = flow_module('process').process\n"
        "    lab = Lab(Path(sys.argv[1]), Path(sys.argv[2]), name='lab')\n"
        "    flow_module('labs').give_labs([lab])\n"
        "    begun = time.perf_counter()\n"
        "    flow('lab', return_state=True)\n"
        "    print(time.perf_counter() - begun)\n"
    )
    clean = {k: v for k, v in os.environ.items() if not k.startswith("PREFECT_")}
    done = subprocess.run(
        [sys.executable, "-c", script, str(lab), str(out)], env=clean, check=True,
        capture_output=True, text=True,
    )  # fmt: skip
    return float(done.stdout.strip().splitlines()[-1])


def main() -> None:
    """Measure the parts that are named, or all."""
    parts = {p.__name__: p for p in (idle, latency, night, memory, backfill)}
    named = [name for name in sys.argv[1:] if name in parts] or list(parts)
    for name in named:
        with tempfile.TemporaryDirectory(prefix="cellpipe-") as folder:
            lines = table(("What", "Measured", "Target"), parts[name](Path(folder)))
        command = f"python benchmarks/night_shift.py {name}"
        if QUICK or len(lines) < 3:
            print("\n".join(lines), flush=True)
        else:
            write_section(f"The night shift: {name}", command, lines)


if __name__ == "__main__":
    main()
