"""cellpipe: raw cycler files in; checked tables, the numbers of every cell and a report out.

>>> import cellpipe
>>> measurement = cellpipe.read("SSB-01_04_GCPL_C01.mpr")
>>> measurement.tables["timeseries"]
>>> results = cellpipe.open_results("results")
>>> results["cycles"].collect()
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cellpipe.analyses import results_of
    from cellpipe.core.model import Analysis, Cell, Finding, Measurement, RawFile, Result
    from cellpipe.core.errors import CellpipeError
    from cellpipe.formats import parts, read
    from cellpipe.pipeline.finalize import Summary
    from cellpipe.numerics.impedance.fit import ImpedanceFit, fit_impedance
    from cellpipe.numerics.impedance.series import ImpedanceSeries, fit_impedance_series
    from cellpipe.pipeline.run import process
    from cellpipe.store import Results, open_results

_HERE = Path(__file__).parent
# In an editable checkout flows/ stands beside src/; installed, it is a package of this one.
if not (_HERE / "flows").is_dir():
    __path__.append(str(_HERE.parents[1]))

__version__ = "2026.11.0.dev0"  # the one place where it stands

__all__ = [
    "Analysis",
    "Cell",
    "CellpipeError",
    "Finding",
    "ImpedanceFit",
    "ImpedanceSeries",
    "Measurement",
    "RawFile",
    "Result",
    "Results",
    "Summary",
    "fit_impedance",
    "fit_impedance_series",
    "open_results",
    "parts",
    "process",
    "read",
    "results_of",
]

_HOMES = {
    "Analysis": "domain",
    "ImpedanceFit": "numerics.impedance_fit",
    "ImpedanceSeries": "numerics.impedance_series",
    "Summary": "lab",
    "parts": "formats",
    "Cell": "domain",
    "CellpipeError": "errors",
    "Finding": "domain",
    "Measurement": "domain",
    "RawFile": "domain",
    "Result": "domain",
    "Results": "store",
    "open_results": "store",
    "fit_impedance": "numerics.impedance_fit",
    "fit_impedance_series": "numerics.impedance_series",
    "process": "pipeline",
    "read": "formats",
    "results_of": "analyses",
}


def __getattr__(name: str) -> Any:
    """Import a name when it is first asked for, so that the command line starts at once."""
    if name not in _HOMES:
        raise AttributeError(f"module 'cellpipe' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"cellpipe.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    """Give the names of the face."""
    return sorted([*__all__, "__version__"])
