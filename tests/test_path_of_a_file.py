"""docs/the-path-of-a-file.md names the functions that a file meets, in their order."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "the-path-of-a-file.md"
TRACED = """
import sys
import threading
from pathlib import Path
from cellpipe.pipeline.run import process
from cellpipe.system.processes import Workers

Workers._call = lambda _, work, arguments, *__: work(*arguments)  # what is traced is done here
met, known = {}, set()

def note(frame, _event, _):
    code = frame.f_code
    if code in known:
        return
    known.add(code)
    place = Path(code.co_filename).as_posix()
    if "/cellpipe/" in place and "<" not in code.co_name:
        module = place.rpartition("/cellpipe/")[2].removesuffix(".py").removesuffix("/__init__")
        name = getattr(code, "co_qualname", code.co_name)
        met.setdefault(f"{module.replace('/', '.')}.{name}", len(met))
        met.setdefault(module.replace("/", "."), len(met))

threading.settrace(note)
sys.settrace(note)
process(sys.argv[1], sys.argv[2], time_zone="Europe/Berlin")
sys.settrace(None)
print("\\n".join(met))
"""


def test_the_page_names_what_a_file_meets_in_that_order(tmp_path: Path) -> None:
    lab = tmp_path / "lab"
    lab.mkdir()
    for name in ("biologic_mpr/SSB-01_02_GCPL_C01.mpr", "cells.xlsx"):
        shutil.copy(ROOT / "sample_data" / name, lab)
    done = subprocess.run(
        [sys.executable, "-c", TRACED, str(lab), str(tmp_path / "out")],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    met = {name: place for place, name in enumerate(done.stdout.split())}
    page = PAGE.read_text(encoding="utf-8").partition("## What never")[0]
    rooms = "analyses|core|formats|numerics|pipeline|report|store|system"
    steps = [
        list(re.findall(rf"`((?:{rooms})\.[A-Za-z_.]+)`", part)) for part in page.split("\n## ")[1:]
    ]
    assert sum(map(len, steps)) >= 30
    for step in steps:
        unmet = [name for name in step if name not in met]
        assert not unmet
    firsts = [met[step[0]] for step in steps]
    assert firsts == sorted(firsts)
    for step in (steps[0], steps[1], steps[2]):
        places = [met[name] for name in step]
        assert places == sorted(places), step
