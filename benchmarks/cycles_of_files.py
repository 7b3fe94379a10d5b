"""From files to tables of cycles with one program: a JSON line per file, and one for them all.

Run by ``benchmarks/end_to_end.py`` in an environment with that program: ``cycles_of_files.py
PROGRAM LIST``. A file that the program does not read, or not within a minute, counts as not read.
"""

import contextlib
import io
import json
import logging
import os
import resource
import signal
import sys
import tempfile
import time
import warnings
from pathlib import Path

os.environ["MPLBACKEND"] = "Agg"
warnings.simplefilter("ignore")
logging.disable(logging.CRITICAL)
LIMIT_SECONDS = 60


def cellpipe_cycles(path):
    """Whole: recognised, hashed, checked, half cycles and cycles."""
    from cycling import cycle_table

    import cellpipe

    return cycle_table(cellpipe.read(path).tables["timeseries"]).height


def bare_parse(path):
    """Give cellpipe's parsing alone: no hash, no contract, no checks, no cycles."""
    from cellpipe import formats

    form = formats.find_format(path)
    return len(form.read(path).tables)


def fastnda_polars(path):
    """Read with fastnda, sum up with polars by hand."""
    import fastnda
    import polars as pl

    if path.suffix.lower() not in {".nda", ".ndax"}:
        raise ValueError(path)
    table = fastnda.read(path)
    by_step = table.group_by("cycle_count", "step_count", maintain_order=True).agg(
        pl.col("capacity_mAh").abs().max(), pl.col("current_mA").mean()
    )
    into = pl.col("current_mA") > 0
    return (
        by_step.group_by("cycle_count", maintain_order=True)
        .agg(
            charge=pl.col("capacity_mAh").filter(into).sum(),
            discharge=pl.col("capacity_mAh").filter(~into).sum(),
        )
        .height
    )


def navani_cycles(path):
    from navani import echem

    return len(echem.cycle_summary(echem.echem_file_loader(path)))


def cellpy_cycles(path):
    import cellpy

    instruments = {
        ".nda": "neware_nda", ".ndax": "neware_nda", ".res": "arbin_res", ".mpr": "biologics_mpr",
        ".csv": "neware_txt" if "neware" in str(path) else "arbin_sql_csv",
        ".xlsx": "neware_xlsx" if "neware" in str(path) else "arbin_sql_xlsx",
        ".txt": "maccor_txt",
    }  # fmt: skip
    cell = cellpy.get(str(path), instrument=instruments[path.suffix.lower()], testing=True)
    return len(cell.data.summary)


def pyprobe_conversion(path):
    """Give its conversion to parquet, the step before its summaries."""
    import polars as pl
    import pyprobe

    kinds = {"mpt": "biologic", "arbin-csv": "arbin", "arbin_csv": "arbin", "neware-csv": "neware",
             "neware_csv": "neware", "neware_xlsx": "neware", "maccor": "maccor",
             "biologic_mpt": "biologic", "basytec": "basytec", "novonix": "novonix"}  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        out = str(Path(folder) / "out.parquet")
        pyprobe.process_cycler_data(kinds[path.parent.name], str(path), out)
        return pl.scan_parquet(out).select(pl.len()).collect().item()


PROGRAMS = {
    "cellpipe": cellpipe_cycles, "bare": bare_parse, "fastnda + polars": fastnda_polars,
    "navani": navani_cycles, "cellpy": cellpy_cycles, "PyProBE": pyprobe_conversion,
}  # fmt: skip


class TooLongError(Exception):
    """A file took longer than a minute."""


@contextlib.contextmanager
def _quiet():
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        yield


def _too_long(*_):
    raise TooLongError


def main():
    work = PROGRAMS[sys.argv[1]]
    paths = [Path(line) for line in Path(sys.argv[2]).read_text(encoding="utf-8").split("\n")]
    signal.signal(signal.SIGALRM, _too_long)
    said = sys.stdout
    with contextlib.suppress(Exception), contextlib.redirect_stdout(io.StringIO()):
        work(paths[0])  # imports are not counted
    begun, cpu = time.perf_counter(), time.process_time()
    for path in paths:
        start = time.perf_counter()
        signal.alarm(LIMIT_SECONDS)
        try:
            with (
                contextlib.redirect_stdout(io.StringIO()),
                contextlib.redirect_stderr(io.StringIO()),
            ):
                rows = work(path)
        except BaseException as error:
            rows, why = 0, f"{type(error).__name__}: {error}"[:100]
        else:
            why = ""
        signal.alarm(0)
        seconds = time.perf_counter() - start
        print(json.dumps({"file": str(path), "seconds": seconds, "rows": rows, "why": why}),
              file=said, flush=True)  # fmt: skip
    own, children = (resource.getrusage(who) for who in (resource.RUSAGE_SELF,
                                                         resource.RUSAGE_CHILDREN))  # fmt: skip
    cpu = time.process_time() - cpu + children.ru_utime + children.ru_stime
    peak = max(own.ru_maxrss, children.ru_maxrss) / 1e3
    print(json.dumps({"wall": time.perf_counter() - begun, "cpu": cpu, "peak": peak}), file=said)


if __name__ == "__main__":
    main()
