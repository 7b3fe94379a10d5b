"""No damaged file gives a shorter table without a word; no file hangs, crashes or kills its reader.

``make mutations`` reads 5,000 of all formats; some hundred are read here.
"""

from __future__ import annotations

from pathlib import Path

import mutation_run
import pytest


@pytest.mark.parametrize("total", [80, pytest.param(1200, marks=pytest.mark.slow)])
def test_what_a_damaged_file_lost_is_said_and_none_hangs_crashes_or_kills_its_reader(
    total: int, tmp_path: Path
) -> None:
    outcomes = mutation_run.run(mutation_run.good_files(tmp_path), total)
    assert len(outcomes) == total
    assert {outcome.outcome for outcome in outcomes} >= {"refused", "shorter, said", "same"}
    assert not [outcome for outcome in outcomes if outcome.is_fault]
