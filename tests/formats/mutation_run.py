"""Read thousands of damaged files and count what becomes of them: ``make mutations``.

Worker processes read them; one that takes too long or dies is counted and replaced. The exit code
is 1 if a file made a reader hang, raise anything but a FileError, die, or return a shorter table
without a word.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import tempfile
import threading
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from multiprocessing.connection import Connection
from pathlib import Path

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "sample_data"
REAL = ROOT.parent / "shared" / "real_data"
LARGEST, TEXT_BYTES = 1 << 20, 150_000
SECONDS = 30.0
FOLDERS = ("mpr", "mpt", "arbin-csv", "arbin-xlsx", "res", "nda", "ndax", "neware-csv", "derived",
           "maccor", "gamry", "zview", "novonix", "landt", "basytec", "pec")  # fmt: skip
_TEXT = (".csv", ".txt", ".mpt")
_REFUSED = {"beep__FastCharge_000025_CH8_Metadata.csv", "gamryp__squarewave_data.dta"}


@dataclass(frozen=True)
class Trial:
    """One damaged file: the good one, another one, and the seed of the damage."""

    good: Path
    other: Path
    seed: str


def good_files(folder: Path, formats: Sequence[str] = ()) -> dict[str, list[Path]]:
    """Return the good files by format: the sample lab's, the corpus' small ones, and made ones.

    Large texts count: their first lines are used. Of binary formats without a small file, the
    smallest is. Those of the Battery Data Format are made in ``folder``.
    """
    from cellpipe.core.errors import FileError
    from cellpipe.formats import find_format

    folders = [*SAMPLE.iterdir(), *(REAL / name for name in FOLDERS)]
    paths = sorted(p for place in folders if place.is_dir() for p in place.iterdir()
                   if p.suffix != ".py")  # fmt: skip
    found: defaultdict[str, list[Path]] = defaultdict(list)
    for path in (*paths, *_make_bdf(folder)):
        with suppress(FileError, OSError):
            name = find_format(path).name
            if (not formats or name in formats) and path.name not in _REFUSED:
                found[name].append(path)
    return {name: _small(paths) for name, paths in found.items()}


def _make_bdf(folder: Path) -> list[Path]:
    import cellpipe

    table = cellpipe.read(SAMPLE / "neware_csv/SSB-05_record_zh.csv").tables["timeseries"]
    paths = [folder / "cell.bdf.csv", folder / "cell.bdf.parquet"]
    table.write_csv(paths[0])
    table.write_parquet(paths[1])
    return paths


def _small(paths: list[Path]) -> list[Path]:
    small = [path for path in paths if path.stat().st_size <= LARGEST or path.suffix in _TEXT]
    return small or [min(paths, key=lambda path: path.stat().st_size)]


def plan(files: dict[str, list[Path]], total: int, first: int = 0) -> Iterator[Trial]:
    """Yield trials, the formats in turn and the files of each in turn."""
    names = sorted(files)
    for number in range(first, first + total):
        paths = files[names[number % len(names)]]
        turn = number // len(names)
        good = paths[turn % len(paths)]
        yield Trial(good, paths[(turn * 7 + 1) % len(paths)], f"{good.name}-{number}")


@lru_cache(maxsize=64)
def _content(path: Path) -> bytes:
    """Return a file's bytes; of a long text, the first whole lines."""
    content = path.read_bytes()
    if path.suffix not in _TEXT or len(content) <= TEXT_BYTES:
        return content
    end = max(content.find(b"\n", TEXT_BYTES), content.find(b"\r", TEXT_BYTES)) + 1
    return content[: end + end % 2] if content.startswith(b"\xff\xfe") else content[:end]


def damaged_file(trial: Trial) -> tuple[str, bytes]:
    """Return the kind of damage of a trial, and the damaged file."""
    from mutations import damage

    return damage(_content(trial.good), _content(trial.other), trial.seed)


@lru_cache(maxsize=64)
def _read_good(path: Path, folder: Path) -> object:
    import cellpipe
    from cellpipe.core.errors import FileError

    copy = folder / path.name
    copy.write_bytes(_content(path))
    try:
        return cellpipe.read(copy)
    except FileError:
        return None


def perform(trial: Trial, folder: Path) -> tuple[str, str, bool, str]:
    """Read a damaged file; return the kind of damage, the outcome, if a fault, and particulars."""
    from mutations import read_and_judge

    kind, content = damaged_file(trial)
    good = _read_good(trial.good, folder)
    if good is None:
        return kind, "the good file is refused", False, ""
    path = folder / trial.good.name
    path.write_bytes(content)
    verdict = read_and_judge(path, good, _content(trial.good))  # type: ignore[arg-type]
    return kind, verdict.outcome, verdict.is_fault, verdict.detail


def _serve(connection: Connection) -> None:
    os.environ["POLARS_MAX_THREADS"] = "1"
    sys.path.insert(0, str(Path(__file__).parent))
    with tempfile.TemporaryDirectory() as folder:
        while (trial := connection.recv()) is not None:
            connection.send(perform(trial, Path(folder)))


class Worker:
    """A process that reads damaged files one by one, and is replaced when it hangs or dies."""

    def __init__(self) -> None:
        self._start()

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs,), daemon=True)
        self._process.start()
        theirs.close()

    def perform(self, trial: Trial) -> tuple[str, str, bool, str]:
        """Return the outcome of a trial, whatever it does to the process."""
        try:
            self._connection.send(trial)
            if self._connection.poll(SECONDS):
                answer: tuple[str, str, bool, str] = self._connection.recv()
                return answer
            outcome = "hang"
        except (EOFError, OSError):
            outcome = "process death"
        self._process.kill()
        self._process.join()
        self._start()
        return damaged_file(trial)[0], outcome, True, ""

    def stop(self) -> None:
        """End the process."""
        with suppress(OSError):
            self._connection.send(None)
        self._process.join(10)


@dataclass(frozen=True)
class Outcome:
    """A trial's format, kind of damage, and what became of it."""

    trial: Trial
    form: str
    kind: str
    outcome: str
    is_fault: bool
    detail: str


def run(
    files: dict[str, list[Path]], total: int, first: int = 0, workers: int = 1
) -> list[Outcome]:
    """Perform trials in worker processes; return the outcomes in no particular order."""
    form_of = {path: name for name, paths in files.items() for path in paths}
    trials, outcomes, lock = plan(files, total, first), list[Outcome](), threading.Lock()

    def work() -> None:
        worker = Worker()
        while True:
            with lock:
                trial = next(trials, None)
            if trial is None:
                break
            outcomes.append(Outcome(trial, form_of[trial.good], *worker.perform(trial)))
        worker.stop()

    threads = [threading.Thread(target=work) for _ in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes


def report(outcomes: Sequence[Outcome], show: Sequence[str] = ()) -> None:
    """Print the counts, the faults, and the trials of the outcomes in ``show``."""
    for name, number in Counter(outcome.outcome for outcome in outcomes).most_common():
        print(f"{number:7}  {name}")
    said = [outcome.detail.split() for outcome in outcomes if outcome.outcome == "shorter, said"]
    codes = Counter(code for words in said for code in words).most_common()
    print("shorter tables were said by:", ", ".join(f"{code} ({n})" for code, n in codes))
    for o in sorted(outcomes, key=lambda o: (o.form, o.kind, o.trial.seed)):
        if o.is_fault or o.outcome in show:
            print(f"{o.outcome}: {o.form} {o.kind} {o.trial.seed} {o.detail}")
    faults = Counter((o.form, o.outcome) for o in outcomes if o.is_fault)
    for (form, name), number in sorted(faults.items()):
        print(f"{number:7}  {form}: {name}")


def keep_file(outcome: Outcome, folder: Path) -> None:
    """Write the damaged file of an outcome into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    number, good = outcome.trial.seed.rpartition("-")[2], outcome.trial.good.name
    (folder / f"{outcome.kind}-{number}-{good}").write_bytes(damaged_file(outcome.trial)[1])


def main() -> None:
    """Run and print the counts."""
    sys.path.insert(0, str(Path(__file__).parent))
    parser = argparse.ArgumentParser(description="Read damaged files of all formats.")
    parser.add_argument("--total", type=int, default=5000)
    parser.add_argument("--first", type=int, default=0, help="number of the first trial")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--format", action="append", default=[], help="only this format")
    parser.add_argument("--show", action="append", default=[], help="print trials of this outcome")
    parser.add_argument("--keep", type=Path, help="write the files that are faults there")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        files = good_files(Path(folder), options.format)
        outcomes = run(files, options.total, options.first, options.workers)
        good = sum(map(len, files.values()))
        print(f"{len(outcomes)} damaged files of {len(files)} formats, made from {good} good ones")
        report(outcomes, options.show)
        faults = [outcome for outcome in outcomes if outcome.is_fault]
        for outcome in faults if options.keep else ():
            keep_file(outcome, options.keep)
    sys.exit(int(bool(faults)))


if __name__ == "__main__":
    main()
