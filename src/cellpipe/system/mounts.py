"""What kind of place a folder is: on a disk of this machine, or across a network.

On a network drive, and on the folders that WSL, Docker and virtual machines share, other machines
write without this one being told, and files can't be mapped into memory by several machines.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

_NETWORK = frozenset({
    "nfs", "nfs4", "afpfs", "cifs", "smb2", "smb3", "smbfs", "ncpfs", "afs", "ceph", "glusterfs",
    "lustre", "gpfs", "9p", "drvfs", "virtiofs", "vboxsf", "vmhgfs", "prl_fs", "osxfs", "grpcfuse",
    "fakeowner", "davfs", "sshfs", "webdav",
})  # fmt: skip
_DRIVE_REMOTE = 4


def is_network_path(path: Path) -> bool:
    """Return whether a folder, or the nearest one above that is there, lies across a network."""
    place = path.resolve()
    while not place.exists() and place != place.parent:
        place = place.parent
    if os.name == "nt":  # pragma: no cover - Windows only
        return _is_remote_drive(place)
    import psutil

    mounts = [(each.mountpoint, each.fstype) for each in psutil.disk_partitions(all=True)]
    return _is_network_type(file_system_type(place, mounts))


def _is_network_type(file_system: str) -> bool:
    return file_system.removeprefix("fuse.") in _NETWORK


def file_system_type(place: Path, mounts: Iterable[tuple[str, str]]) -> str:
    """Return the type of the file system that holds a path: that of the longest mount above it.

    Of two at one place, the later hides the earlier. Letters' case does not matter: it does not on
    macOS, and elsewhere mounts whose names differ in nothing else are not to be expected.
    """
    best, found = -1, ""
    parts = [part.casefold() for part in place.parts]
    for mount, kind in mounts:
        above = [part.casefold() for part in Path(mount).parts]
        if len(above) >= best and parts[: len(above)] == above:
            best, found = len(above), kind
    return found


def _is_remote_drive(place: Path) -> bool:  # pragma: no cover - Windows only
    drive = os.path.splitdrive(place)[0]
    if drive.startswith("\\\\"):
        return True
    import ctypes

    library: Any = ctypes
    return bool(library.windll.kernel32.GetDriveTypeW(f"{drive}\\") == _DRIVE_REMOTE)
