"""Runs that are killed at random moments: after the next run nobody can tell."""

from __future__ import annotations

import random
import shutil
import time
from pathlib import Path

import pytest
from zygote import Zygote

from made_files import ROUNDS
from result_facts import assert_equal, files

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("killed")]


def test_runs_that_are_killed_at_random_leave_what_an_undisturbed_one_does(
    many_files: Path, undisturbed: Path, zygote: Zygote, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    begun = time.perf_counter()
    assert zygote.run(many_files, tmp_path / "first") == 1
    lasts = time.perf_counter() - begun
    shutil.rmtree(tmp_path / "first")
    killed = 0
    for number in range(ROUNDS):
        draw = random.Random(number)
        out = tmp_path / f"out{number}"
        workers = 2 if number % 10 == 9 else 1
        pid = zygote.start(many_files, out, workers)
        time.sleep(draw.uniform(0, 1.05) * lasts * (1.0 if workers == 1 else 0.8))
        zygote.killed(pid)
        killed += zygote.ended() == -9
        assert zygote.run(many_files, out) == 1
        assert_equal(out, undisturbed)
        assert not [name for name in files(out) if name.endswith(".tmp")]
        shutil.rmtree(out)
    with capsys.disabled():
        print(f"\n{ROUNDS} runs, {killed} killed in the middle; each recovered to the same bytes")
    assert killed >= ROUNDS // 2
