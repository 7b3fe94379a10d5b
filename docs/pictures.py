"""Make the pictures of the docs: ``python docs/pictures.py`` (needs Chromium on the machine).

The sample lab is processed, and its pages are shown in a browser as a person sees them.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from cellpipe.cli.main import main as command_line

HERE = Path(__file__).parent
SAMPLE = HERE.parent / "sample_data"


def main() -> int:
    """Write each picture of ``pictures/``."""
    found = shutil.which("chromium") or shutil.which("google-chrome")
    if found is None:
        print("Chromium is not on this machine; no picture was made.", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        pages = _pages(Path(folder))
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        for name, (page, *size) in pages.items():
            _shoot(browser, page, HERE / "pictures" / f"{name}.png", *size)
        browser.close()
    return 0


def _pages(folder: Path) -> dict[str, tuple[Path, int, int]]:
    """Give each picture's page, and how much of it is shown: width and height."""
    results = folder / "results"
    spectra = SAMPLE / "biologic_mpr" / "SSB-01_05_PEIS_C01.mpr"
    zone = ["--time-zone", "Europe/Berlin"]
    command_line(["process", str(SAMPLE), "--out", str(results), *zone])
    command_line(["compare", str(results), "SSB-01", "SSB-03a", "SSB-04"])
    command_line(["eis", str(spectra), "--area", "0.785", "--out", str(folder / "fits")])
    return {
        "lab": (results / "index.html", 1600, 760),
        "cell": (results / "cells" / "SSB-01.html", 1200, 1000),
        "comparison": (results / "comparisons" / "SSB-01_SSB-03a_SSB-04.html", 1200, 1000),
        "eis": (folder / "fits" / f"{spectra.name}.eis.html", 1200, 1000),
    }


def _shoot(browser: Browser, page: Path, to: Path, width: int, height: int) -> None:
    view = browser.new_page(viewport={"width": width, "height": height})
    view.goto(page.as_uri())
    view.screenshot(path=to)
    view.close()


if __name__ == "__main__":
    sys.exit(main())
