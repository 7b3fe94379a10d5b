"""Changes that the system reports: hints only, for no system reports all of them."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from cellpipe.system.mounts import is_network_path

Events = Literal["auto", "on", "off"]
_MOST = 20_000
_log = logging.getLogger("cellpipe")


class FileEvents:
    """Paths of changes that the system reported, gathered by a thread.

    Parameters
    ----------
    folders
        Those to be told of.
    events
        ``on`` asks the system, ``off`` does not, ``auto`` does where the folders are on a disk of
        this machine: of a network drive, and of what WSL or Docker share, nothing is told.

    """

    def __init__(self, folders: Sequence[Path], events: Events = "auto") -> None:
        self.awake = threading.Event()
        self._paths: set[str] = set()
        self._lock = threading.Lock()
        self._stop = threading.Event()
        told = [f for f in folders if events == "on" or not is_network_path(f)]
        self.folders = [] if events == "off" else told
        self._thread = threading.Thread(target=self._listen, daemon=True)
        if self.folders:
            self._thread.start()

    def drain(self) -> set[str]:
        """Return the paths that came since, and forget them."""
        with self._lock:
            paths, self._paths = self._paths, set()
            self.awake.clear()
        return paths

    def close(self) -> None:
        """Stop listening."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout=5)

    def _listen(self) -> None:
        from watchfiles import watch

        while not self._stop.is_set():
            try:
                for changes in watch(
                    *self.folders, stop_event=self._stop, watch_filter=None, step=200,
                    debounce=400, rust_timeout=60_000, recursive=True, raise_interrupt=False,
                    ignore_permission_denied=True,
                ):  # fmt: skip
                    self._add_paths({path for _, path in changes})
            except Exception as error:  # of the system: no more watches, a folder out of reach
                _log.info("no events (%s); the folders are looked at in turn", error)
                with contextlib.suppress(Exception):
                    self._stop.wait(60.0)

    def _add_paths(self, paths: set[str]) -> None:
        with self._lock:
            if len(self._paths) + len(paths) <= _MOST:
                self._paths |= paths
            self.awake.set()
