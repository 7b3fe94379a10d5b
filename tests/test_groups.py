"""Tests of one group run on one worker, whatever the versions of pytest and its workers are."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from groups import groups_of

GROUPED = """
import os, pytest
pytestmark = pytest.mark.xdist_group("whole file")

@pytest.mark.parametrize("number", range(6))
def test_one(number):
    print(f"whole file ran on {os.environ['PYTEST_XDIST_WORKER']}")

@pytest.mark.xdist_group("other")
@pytest.mark.parametrize("number", range(6))
def test_other(number):
    print(f"other ran on {os.environ['PYTEST_XDIST_WORKER']}")
"""


def test_each_group_runs_on_one_worker(tmp_path: Path) -> None:
    for name in ("test_a.py", "test_b.py"):
        (tmp_path / name).write_text(GROUPED)
    (tmp_path / "conftest.py").write_text(
        f"import sys\nsys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "pytest_plugins = ['groups']\n"
    )
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-n", "3", "--dist", "loadgroup", "-rP", "-p", "xdist",
         "-p", "no:cacheprovider"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
        env=os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    ran = re.findall(r"^(.*) ran on (gw\d)$", done.stdout, re.MULTILINE)
    assert len(ran) == 24
    assert len(set(ran)) == 2


def test_the_groups_are_those_that_the_files_name() -> None:
    here = Path(__file__).parent
    assert groups_of(here / "test_serve.py") == {"": "serve"}
    assert groups_of(here / "test_docs.py") == {"test_the_python_of_the_readme_runs": "sample"}
    assert set(groups_of(here / "store" / "test_ledger.py").values()) == {"postgres"}
