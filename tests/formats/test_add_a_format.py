"""The page that shows how a format is added is run: its file, its code and what comes out."""

from __future__ import annotations

import doctest
import importlib.util
import re
import sys
from pathlib import Path

import pytest

from cellpipe import formats
from cellpipe.formats.format import Format

PAGE = Path(__file__).parents[2] / "docs" / "add-a-format.md"


def parts(kind: str) -> list[str]:
    return re.findall(rf"```{kind}\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


def format_of(code: str, folder: Path) -> Format:
    """Give the format that a file with this code declares."""
    path = folder / "shown_on_the_page.py"
    path.write_text(code, encoding="utf-8")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module.FORMAT


def test_the_page_gives_what_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code, shown = parts("python")
    own = format_of(code, tmp_path)
    others = tuple(form for form in formats.FORMATS if form.name != own.name)
    assert len(others) == len(formats.FORMATS) - 1
    monkeypatch.setattr(formats, "all_formats", lambda: (*others, own))
    (tmp_path / "cell.csv").write_text(parts("text")[0], encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert formats.find_format(Path("cell.csv")) is own
    page = doctest.DocTestParser().get_doctest(shown, {}, "add-a-format", str(PAGE), 0)
    result = doctest.DocTestRunner().run(page)
    assert (result.failed, result.attempted) == (0, 6)
