"""No damaged text gives a shorter table without a word; no file hangs, crashes or kills its reader.

``make mutations`` reads 5,000 of all formats; some hundred are read here.
"""

from __future__ import annotations

from pathlib import Path

import mutation_run
import pytest

TEXTS = ("arbin_csv", "basytec_txt", "bdf", "biologic_mpt", "gamry_dta", "maccor_txt",
         "neware_csv", "novonix_csv", "pec_csv", "zview_z")  # fmt: skip


@pytest.mark.parametrize("total", [60, pytest.param(1000, marks=pytest.mark.slow)])
def test_what_a_damaged_text_lost_is_said(total: int, tmp_path: Path) -> None:
    outcomes = mutation_run.run(mutation_run.good_files(tmp_path, TEXTS), total)
    assert len(outcomes) == total
    assert {outcome.outcome for outcome in outcomes} >= {"refused", "shorter, said", "same"}
    assert not [outcome for outcome in outcomes if outcome.is_fault]


@pytest.mark.parametrize("total", [40, pytest.param(500, marks=pytest.mark.slow)])
def test_no_damaged_file_hangs_crashes_or_kills_its_reader(total: int, tmp_path: Path) -> None:
    outcomes = mutation_run.run(mutation_run.good_files(tmp_path), total)
    assert len(outcomes) == total
    assert not {o.outcome for o in outcomes} & {"hang", "traceback", "process death"}
