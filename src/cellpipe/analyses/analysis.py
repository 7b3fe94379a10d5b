"""What an analysis is: from a cell and its tables to further tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import polars as pl

from cellpipe.domain import Cell, Result

Tables = Mapping[str, pl.DataFrame]


@dataclass(frozen=True)
class Analysis:
    """An analysis of one cell.

    ``needs`` names the tables it reads; it runs once they are there. ``makes`` names the tables it
    gives, in order. Raw tables of a cell (``timeseries``, ``impedance``, ``half_cycle_segments``)
    hold all its files in the order of time and carry ``file_sha256``. A change of ``version``
    makes the store compute its tables anew.
    """

    name: str
    needs: tuple[str, ...]
    makes: tuple[str, ...]
    compute: Callable[[Cell, Tables], tuple[Result, ...]]
    version: int = 1
