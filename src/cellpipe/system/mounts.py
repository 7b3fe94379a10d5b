"""Tell folders on a disk of this machine from folders on a network drive.

On a network drive, and on folders that WSL, Docker and virtual machines share, other machines write
without this one being notified, and files can't be mapped into memory by several machines.
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
    """Return whether a folder, or its nearest parent that exists, is on a network drive."""
    place = path.resolve()
    while not place.exists() and place != place.parent:
        place = place.parent
    if os.name == "nt":  # pragma: no cover - Windows only
        return _is_remote_drive(place)
    import psutil

    mounts = [(disk.mountpoint, disk.fstype) for disk in psutil.disk_partitions(all=True)]
    return _is_network_type(file_system_type(place, mounts))


def _is_network_type(file_system: str) -> bool:
    return file_system.removeprefix("fuse.") in _NETWORK


def file_system_type(place: Path, mounts: Iterable[tuple[str, str]]) -> str:
    """Return the type of the file system that holds a path: that of the longest mount above it.

    Of two mounts at one place, the later hides the earlier. Case is ignored: macOS ignores it, and
    elsewhere mounts whose names differ only in case are not to be expected.
    """
    depth, result = -1, ""
    parts = [part.casefold() for part in place.parts]
    for mount, kind in mounts:
        mount_parts = [part.casefold() for part in Path(mount).parts]
        if len(mount_parts) >= depth and parts[: len(mount_parts)] == mount_parts:
            depth, result = len(mount_parts), kind
    return result


def _is_remote_drive(place: Path) -> bool:  # pragma: no cover - Windows only
    drive = os.path.splitdrive(place)[0]
    if drive.startswith("\\\\"):
        return True
    import ctypes

    library: Any = ctypes
    return bool(library.windll.kernel32.GetDriveTypeW(f"{drive}\\") == _DRIVE_REMOTE)
