"""The wheel works outside the checkout, with its schemas and flows inside the package."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(out)],
        cwd=ROOT, check=True, capture_output=True,
    )  # fmt: skip
    (found,) = out.glob("*.whl")
    return found


def test_schemas_and_flows_travel_under_cellpipe_and_never_beside_it(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert "cellpipe/schemas/timeseries.yaml" in names
    assert "cellpipe/flows/process.py" in names
    assert "cellpipe/baselines/table1.csv" in names
    assert any(name.endswith(".j2") for name in names)
    assert {name.split("/")[0] for name in names if ".dist-info" not in name} == {"cellpipe"}


def test_the_installed_package_does_the_main_job_outside_the_checkout(
    wheel: Path, small_lab: Path, tmp_path: Path
) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    libraries = sysconfig.get_paths()["purelib"]
    path = os.pathsep.join([str(tmp_path / "site"), libraries])
    script = (
        "import sys, cellpipe, cellpipe.core.contracts as c\n"
        "import cellpipe.flows\n"
        f"assert cellpipe.__file__.startswith({str(tmp_path)!r}), cellpipe.__file__\n"
        f"assert str(c.schema_folder()).startswith({str(tmp_path)!r})\n"
        f"assert cellpipe.flows.__file__.startswith({str(tmp_path)!r})\n"
        "from cellpipe.cli.main import main\n"
        f"sys.exit(main(['process', {str(small_lab)!r}, '--out', {str(tmp_path / 'out')!r}]))"
    )
    done = subprocess.run(
        [sys.executable, "-S", "-c", script], cwd=tmp_path, capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": path}, check=False,
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    assert (tmp_path / "out" / "cells" / "SSB-01.html").is_file()
