"""A step whose fault costs that step alone: an analysis, a block of a page, a sheet."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import polars as pl

from cellpipe.core.errors import CellpipeError

T = TypeVar("T")
_LONGEST_REASON = 300


@dataclass(frozen=True)
class StepFailure:
    """What a step raised; ``reason`` is one line without a full stop, ``trace`` is for the log."""

    error: BaseException
    reason: str
    trace: str


def run_step(step: Callable[[], T]) -> T | StepFailure:
    """Return what a step makes, or why it failed, so that the other steps go on.

    A panic of polars counts as a failure of the step, too. What is about the whole process passes:
    ``KeyboardInterrupt``, ``SystemExit`` and ``MemoryError``.
    """
    try:
        return step()
    except MemoryError:
        raise
    except (Exception, pl.exceptions.PanicException) as error:
        return StepFailure(error, describe_error(error), traceback.format_exc())


def describe_error(error: BaseException) -> str:
    """Say in one line, without a full stop, what was raised: the four parts of our own errors."""
    own = isinstance(error, CellpipeError)
    said = str(error) if own else f"{type(error).__name__}: {error}"
    line = " ".join(said.split()).rstrip(".: ")
    return line if len(line) <= _LONGEST_REASON else f"{line[:_LONGEST_REASON]} …"
