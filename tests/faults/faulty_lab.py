"""A folder of many small files, one of them broken."""

from __future__ import annotations

import os
from pathlib import Path

from made_files import neware_csv


def made_lab(folder: Path, files: int = 60, cells: int = 4) -> Path:
    folder.mkdir(parents=True)
    rows = ["Cell ID,Files,Configuration"]
    rows += [f"C{cell},C{cell}_*,full" for cell in range(cells)]
    (folder / "cells.csv").write_text("\n".join(rows) + "\n")
    for number in range(files):
        cell, part = number % cells, number // cells
        start = f"2026-{1 + part // 28:02}-{1 + part % 28:02} 0{cell}:00:00"
        neware_csv(folder / f"C{cell}_{part:03}.csv", start, rows=12, factor=1 - 0.001 * number)
    (folder / "C0_broken.mpr").write_bytes(b"BIO-LOGIC MODULAR FILE" + bytes(100))
    for path in folder.iterdir():
        os.utime(path, (1.7e9, 1.7e9))
    return folder
