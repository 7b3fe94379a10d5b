"""From a Neware file to cellpy's summary: prints the best seconds, its rows, and peak memory in kB.

Run by ``benchmarks/cycling.py --cellpy PYTHON`` in an environment with cellpy and without cellpipe.
"""

import contextlib
import io
import logging
import resource
import sys
import time
import warnings

warnings.simplefilter("ignore")
logging.disable(logging.CRITICAL)

import cellpy

best, rows, runs = 1e9, 0, 0
while runs < 5:
    start = time.perf_counter()
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            cell = cellpy.get(sys.argv[1], instrument="neware_nda", testing=True)
    except Exception:  # noqa: S112 - its reader fails at random on some Pythons
        continue
    runs, rows = runs + 1, len(cell.data.summary)
    best = min(best, time.perf_counter() - start)
print(best, rows, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
