"""A block of a report that fails costs itself only: one sentence stands in its place."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

import polars as pl

from cellpipe.core.finding_rows import finding_rows
from cellpipe.core.model import Finding
from cellpipe.core.steps import StepFailure, run_step

T = TypeVar("T")
CODE = "report_block_failed"
_log = logging.getLogger("cellpipe")


def _is_never_empty(_: object) -> bool:
    return False


@dataclass(frozen=True)
class Block(Generic[T]):
    """A part of a page: a figure, a table, a line.

    ``name`` is what a reader calls it. ``instead`` makes of a sentence what stands in its place.
    ``tables`` are those that it would be empty without, which ``is_empty`` tells.
    """

    name: str
    make: Callable[[], T]
    instead: Callable[[str], T]
    tables: tuple[str, ...] = ()
    is_empty: Callable[[T], bool] = _is_never_empty


@dataclass(frozen=True)
class BlockFailure:
    """A block of a page or of a workbook that could not be made."""

    block: str
    report: str
    failure: StepFailure

    @property
    def sentence(self) -> str:
        """What stands in its place."""
        return f"{self.block} could not be shown here ({self.failure.reason})."

    @property
    def finding(self) -> Finding:
        """The finding about it, which the notices above all blocks show."""
        sentence = (
            f"{self.block} could not be shown in this cell's {self.report} "
            f"({self.failure.reason}). The tables and all other blocks stand; cellpipe.log has the "
            "details for whoever looks after cellpipe."
        )
        return Finding("error", CODE, sentence)

    @property
    def trace(self) -> str:
        """Where it failed, for the log."""
        return f"{self.finding.sentence}\n{self.failure.trace}"


Tell = Callable[[BlockFailure], object]


def log_failure(failed: BlockFailure) -> None:
    """Write to the log that a block failed, and where."""
    _log.error("%s", failed.trace)


def make_block(block: Block[T], lost: Mapping[str, str], tell: Tell) -> T:
    """Return a block of a page, or what stands in its place.

    Parameters
    ----------
    block
        The block.
    lost
        The tables that could not be made, with the name of the analysis that failed.
    tell
        Called if the block fails.

    """
    made = run_step(block.make)
    if isinstance(made, StepFailure):
        failed = BlockFailure(block.name, "page", made)
        tell(failed)
        return block.instead(failed.sentence)
    reason = lost_reason(block.tables, lost)
    return block.instead(reason) if reason and block.is_empty(made) else made


def lost_reason(tables: tuple[str, ...], lost: Mapping[str, str]) -> str:
    """Say why tables are empty though the cell's files may hold what belongs there, if it is so."""
    at_fault = list(dict.fromkeys(lost[name] for name in tables if name in lost))
    if not at_fault:
        return ""
    names = " and ".join(at_fault)
    many = "analyses" if len(at_fault) > 1 else "analysis"
    return f"Not known: the {many} {names} failed; see what is to check."


def new_findings(findings: pl.DataFrame, failed: list[BlockFailure], cell_id: str) -> pl.DataFrame:
    """Return a cell's findings with those of blocks that failed and are not among them yet."""
    known = set(findings["sentence"])
    new = [f for f in dict.fromkeys(each.finding for each in failed) if f.sentence not in known]
    day = findings["since"].max()
    return pl.concat([findings, finding_rows(new, cell_id).with_columns(since=pl.lit(day))])
