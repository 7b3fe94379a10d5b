"""Print a page as PDF for archives, with a browser of this machine.

Every Windows PC has Edge; elsewhere Chromium or Chrome is looked for. The browser is started
without a window, with an empty profile and without a network.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from cellpipe.core.errors import CellpipeError
from cellpipe.system.child_processes import run_program

BROWSER = "CELLPIPE_BROWSER"
_NAMES = ("msedge", "microsoft-edge", "chromium", "chromium-browser", "google-chrome", "chrome")
_WINDOWS = (
    r"Microsoft\Edge\Application\msedge.exe",
    r"Google\Chrome\Application\chrome.exe",
)
_MAC = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
)
_SECONDS = 120.0


def find_browser() -> str | None:
    """Return a browser that can print: the one that CELLPIPE_BROWSER names, or a common one."""
    named = os.environ.get(BROWSER)
    if named:
        return shutil.which(named)
    roots = (os.environ.get(name) for name in ("PROGRAMFILES(X86)", "PROGRAMFILES", "LOCALAPPDATA"))
    windows = [Path(root) / path for root in roots if root for path in _WINDOWS]
    usual = next((found for name in _NAMES if (found := shutil.which(name))), None)
    return usual or next((str(p) for p in (*windows, *map(Path, _MAC)) if p.is_file()), None)


def print_pdf(page: str) -> bytes:
    """Print a self-contained page; return the PDF's bytes.

    The same page and browser give the same bytes: the dates that the browser writes are replaced.

    Raises
    ------
    CellpipeError
        If there is no browser, or it does not print.

    """
    program = find_browser()
    if program is None:
        raise CellpipeError(
            "no browser that prints pages", expected="Edge, Chrome or Chromium on this machine",
            remedy=f"install one, or name its program in the variable {BROWSER}",
        )  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="cellpipe-", ignore_cleanup_errors=True) as folder:
        source, made = Path(folder) / "page.html", Path(folder) / "page.pdf"
        source.write_text(_prepare_page(page), encoding="utf-8", errors="xmlcharrefreplace")
        options = [
            "--headless", "--disable-gpu", "--disable-dev-shm-usage", "--disable-extensions",
            "--no-pdf-header-footer", "--proxy-server=127.0.0.1:9", "--no-first-run",
            "--disable-background-networking", f"--user-data-dir={folder}/profile",
            f"--print-to-pdf={made}",
        ]  # fmt: skip
        if hasattr(os, "geteuid") and os.geteuid() == 0:
            options.append("--no-sandbox")  # with a sandbox it refuses to start for root
        try:
            run_program([program, *options, source.as_uri()], timeout=_SECONDS)
            return _replace_dates(made.read_bytes())
        except (OSError, subprocess.SubprocessError) as error:
            raise CellpipeError(
                f"a browser that does not print ({type(error).__name__})",
                expected="a PDF from it", file=program,
                remedy=f"name another browser in the variable {BROWSER}",
            ) from error  # fmt: skip


def _prepare_page(page: str) -> str:
    """Return the page unfolded, and without the links to files beside it."""
    unfolded = re.sub(r"<details(?=[ >])", "<details open", page)
    return re.sub(r"<nav\b.*?</nav>", "", unfolded, flags=re.DOTALL)


def _replace_dates(content: bytes) -> bytes:
    """Replace the creation dates by one of equal length, so that offsets in the file stay valid."""
    return re.sub(
        rb"(/(?:CreationDate|ModDate) \(D:)\d{14}([+-]\d\d'\d\d')?",
        lambda found: found[1] + b"20000101000000" + (b"+00'00'" if found[2] else b""),
        content,
    )
