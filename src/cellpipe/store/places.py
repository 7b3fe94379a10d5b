"""What kind of place a folder is: on a disk of this machine, or across a network.

On a network drive, and on the folders that WSL, Docker and virtual machines share, other machines
write without this one being told, and files can't be mapped into memory by several machines.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

_NETWORK = frozenset({
    "nfs", "nfs4", "cifs", "smb2", "smb3", "smbfs", "ncpfs", "afs", "ceph", "glusterfs", "lustre",
    "gpfs", "9p", "drvfs", "virtiofs", "vboxsf", "vmhgfs", "prl_fs", "osxfs", "grpcfuse",
    "fakeowner", "davfs", "sshfs", "webdav",
})  # fmt: skip
_DRIVE_REMOTE = 4


def is_on_network(path: Path) -> bool:
    """Whether a folder, or the nearest one above that is there, lies across a network."""
    place = path.resolve()
    while not place.exists() and place != place.parent:
        place = place.parent
    if sys.platform == "win32":  # pragma: no cover - Windows only
        return _windows_drive_is_remote(place)
    if sys.platform == "darwin":  # pragma: no cover - macOS only
        return place.is_relative_to("/Volumes") or place.is_relative_to("/net")
    return _is_network(_linux_file_system(place))


def _is_network(file_system: str) -> bool:
    return file_system.removeprefix("fuse.") in _NETWORK


def _linux_file_system(place: Path) -> str:
    """Give the type of the file system that holds a path, by /proc/self/mountinfo."""
    try:
        lines = Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    best, found = -1, ""
    for line in lines:
        before, _, after = line.partition(" - ")
        mount = re.sub(r"\\(\d{3})", lambda m: chr(int(m[1], 8)), before.split()[4])
        if len(mount) >= best and place.is_relative_to(mount):
            best, found = len(mount), after.split()[0]
    return found


def _windows_drive_is_remote(place: Path) -> bool:  # pragma: no cover - Windows only
    drive = os.path.splitdrive(place)[0]
    if drive.startswith("\\\\"):
        return True
    import ctypes

    kernel = ctypes.windll.kernel32  # type: ignore[attr-defined]
    return bool(kernel.GetDriveTypeW(f"{drive}\\") == _DRIVE_REMOTE)
