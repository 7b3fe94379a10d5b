"""The time at which anything of a file changed last, which no program can set back.

It is a second witness beside size and time of modification: a program that writes other bytes of
the same number, and sets the time of modification back, is found out. It also moves with a file's
rights or links, and with a copy of the whole folder, so that it tells when to look at the content
again, not that the content is another.
"""

from __future__ import annotations

import os
from functools import cache
from typing import Any


def change_time_ns(place: str, status: os.stat_result) -> int | None:
    """Return when a file changed last (ns), or None where its disk does not keep that.

    Parameters
    ----------
    place, status
        The file's path, and what ``os.stat`` said of it.

    """
    if os.name == "nt":  # where st_ctime is when the file was made
        return _windows_change_time_ns(place)
    return status.st_ctime_ns


def _windows_change_time_ns(place: str) -> int | None:
    """Return NTFS's ChangeTime; FAT has none."""
    import ctypes

    kernel, info = _windows_calls(), (ctypes.c_int64 * 5)()  # FILE_BASIC_INFO: 4 times, attributes
    handle = kernel.CreateFileW(place, _READ_ATTRIBUTES, _SHARE_ALL, None, _OPEN_EXISTING, 0, None)
    if handle in {None, ctypes.c_void_p(-1).value}:
        return None
    try:
        told = kernel.GetFileInformationByHandleEx(handle, 0, info, ctypes.sizeof(info))
    finally:
        kernel.CloseHandle(handle)
    return 100 * int(info[3]) if told and info[3] else None


_READ_ATTRIBUTES, _SHARE_ALL, _OPEN_EXISTING = 0x80, 0x7, 3


@cache
def _windows_calls() -> Any:
    import ctypes

    kernel: Any = getattr(ctypes, "WinDLL")("kernel32")  # noqa: B009 - of Windows alone
    kernel.CreateFileW.restype = ctypes.c_void_p
    kernel.CreateFileW.argtypes = (
        ctypes.c_wchar_p, ctypes.c_uint32, ctypes.c_uint32, ctypes.c_void_p, ctypes.c_uint32,
        ctypes.c_uint32, ctypes.c_void_p,
    )  # fmt: skip
    kernel.GetFileInformationByHandleEx.argtypes = (
        ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p, ctypes.c_uint32,
    )  # fmt: skip
    kernel.CloseHandle.argtypes = (ctypes.c_void_p,)
    return kernel
