"""cellpipe: raw cycler files in; checked tables, the numbers of every cell and a report out.

>>> import cellpipe
>>> measurement = cellpipe.read("SSB-01_04_GCPL_C01.mpr")
>>> measurement.tables["timeseries"]
>>> results = cellpipe.open_results("results")
>>> results["cycles"].collect()
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cellpipe._version import __version__ as __version__
from cellpipe.core.checkout import package_path

if TYPE_CHECKING:
    from cellpipe.analyses import results_of
    from cellpipe.core.errors import CellpipeError
    from cellpipe.core.model import Analysis, Cell, Finding, Measurement, RawFile, Recording, Result
    from cellpipe.formats import Format, Sample, Statement, parts, read
    from cellpipe.numerics.impedance.circuit_comparison import CircuitComparison, compare_circuits
    from cellpipe.numerics.impedance.fit import ImpedanceFit, fit_impedance
    from cellpipe.numerics.impedance.parameter_table import widen_parameters
    from cellpipe.numerics.impedance.relaxation_times import RelaxationTimes, relaxation_times
    from cellpipe.numerics.impedance.series import ImpedanceSeries, fit_impedance_series
    from cellpipe.pipeline.run import process
    from cellpipe.pipeline.summary import Summary
    from cellpipe.store import Results, open_results

__path__ = package_path()  # cellpipe.flows lies beside src/ in a checkout

__all__ = [
    "Analysis",
    "Cell",
    "CellpipeError",
    "CircuitComparison",
    "Finding",
    "Format",
    "ImpedanceFit",
    "ImpedanceSeries",
    "Measurement",
    "RawFile",
    "Recording",
    "RelaxationTimes",
    "Result",
    "Results",
    "Sample",
    "Statement",
    "Summary",
    "compare_circuits",
    "fit_impedance",
    "fit_impedance_series",
    "open_results",
    "parts",
    "process",
    "read",
    "relaxation_times",
    "results_of",
    "widen_parameters",
]

_HOMES = {
    "Analysis": "core.model",
    "CircuitComparison": "numerics.impedance.circuit_comparison",
    "compare_circuits": "numerics.impedance.circuit_comparison",
    "ImpedanceFit": "numerics.impedance.fit",
    "ImpedanceSeries": "numerics.impedance.series",
    "Summary": "pipeline.summary",
    "parts": "formats",
    "Cell": "core.model",
    "CellpipeError": "core.errors",
    "Finding": "core.model",
    "Format": "formats",
    "Measurement": "core.model",
    "RawFile": "core.model",
    "Recording": "core.model",
    "Result": "core.model",
    "Results": "store",
    "Sample": "formats",
    "Statement": "formats",
    "open_results": "store",
    "fit_impedance": "numerics.impedance.fit",
    "fit_impedance_series": "numerics.impedance.series",
    "process": "pipeline.run",
    "read": "formats",
    "RelaxationTimes": "numerics.impedance.relaxation_times",
    "relaxation_times": "numerics.impedance.relaxation_times",
    "widen_parameters": "numerics.impedance.parameter_table",
    "results_of": "analyses",
}

_MODULES = {"contracts": "core.contracts"}  # that packages with analyses of their own import


def __getattr__(name: str) -> Any:
    """Import a name when it is first asked for, so that the command line starts at once."""
    from importlib import import_module

    if name in _MODULES:
        return import_module(f"cellpipe.{_MODULES[name]}")
    if name not in _HOMES:
        raise AttributeError(f"module 'cellpipe' has no attribute {name!r}")
    return getattr(import_module(f"cellpipe.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    """Return the names of the face."""
    return sorted([*__all__, "__version__"])
