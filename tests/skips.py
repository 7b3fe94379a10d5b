"""Nothing that matters skips in silence: what a run left out is counted; with ``CI=true`` it fails.

A test that lacks a program or a corpus is skipped on a desk and fails in CI, with what is missing
and how it is installed. :data:`ALLOWED` are the skips that CI lets pass, each with its reason.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Generator

import pytest

ALLOWED = {  # words of a skip's reason: why CI lets it pass
    r"OpenAPI description": "eLabFTW's description may not be laid beside; the shapes are held",
    r"the limit of memory is Linux's": "other systems know no such limit",
    r"Windows has no such modes": "NTFS has no modes to check",
    r"Ctrl-C can't be pressed": "Windows gives a program no way to press it",
    r"^no right to mount": "a container may forbid mounts; no package gives the right",
    r"^no right to be another machine": "a container may forbid namespaces; no package lifts it",
    r"^only root starts Kadi4Mat": "its start script needs root, which CI need not be",
}
REMEDIES = (  # words of a skip's reason, and what brings what is missing
    (r"importers", "make importers"),
    (r"Chromium|browser|LibreOffice|PostgreSQL|systemd|pdftotext", "make system"),
    (r"could not import", "make setup"),
    (r"real|corpus|transcription|start script|parameter set", "lay shared/ beside the checkout"),
)


def is_ci() -> bool:
    """Return whether a skip is a failure here: ``CI`` is set, and says neither no nor nothing."""
    return os.environ.get("CI", "").strip().lower() not in {"", "0", "false", "no"}


def reason_of(report: pytest.TestReport | pytest.CollectReport) -> str:
    """Return why a test was skipped, in its own words."""
    said = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    return said.removeprefix("Skipped: ").strip()


def is_allowed(reason: str) -> bool:
    return any(re.search(words, reason) for words in ALLOWED)


def complaint(reason: str) -> str:
    """Return what CI says of a test that it may not skip: what is missing, and what brings it."""
    found = (remedy for words, remedy in REMEDIES if re.search(words, reason))
    remedy = next(found, "install it, or give the exception a reason in tests/skips.py")
    return f"skipped, and with CI=true nothing is: {reason}\nremedy: {remedy}"


def _refuse_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    if report.skipped and not hasattr(report, "wasxfail") and is_ci():
        reason = reason_of(report)
        if not is_allowed(reason):
            report.outcome = "failed"
            report.longrepr = complaint(reason)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    _refuse_skip(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    _refuse_skip(report)
    return report


def closing_line(reasons: list[str]) -> str:
    """Return the line that ends a run: how many tests were skipped, and for which reasons."""
    said = [f"{count} × {reason}" for reason, count in Counter(reasons).most_common()]
    return f"skipped: {len(reasons)}" + (f" ({', '.join(said)})" if said else "")


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> Generator[None, object, object]:
    done = yield
    terminal = session.config.pluginmanager.get_plugin("terminalreporter")
    if terminal is not None and not hasattr(session.config, "workerinput"):
        reasons = [reason_of(report) for report in terminal.stats.get("skipped", [])]
        terminal.write_line(closing_line(reasons))
    return done
