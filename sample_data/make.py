"""Make the sample lab: `python sample_data/make.py [--out FOLDER] [--check]`.

Without options the files beside this script are written anew. With `--check` they are made in a
temporary folder and compared: the exit code is 1 and each file that differs is named.
"""

import argparse
import io
import sys
import tempfile
import zipfile
from pathlib import Path

from making.files import all_files

HERE = Path(__file__).resolve().parent


def write_lab(folder: Path) -> list[Path]:
    """Write every file of the lab below a folder; returns their paths below it."""
    written = []
    for name, content in all_files().items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        written.append(Path(name))
    return written


def same_content(one: Path, other: Path) -> bool:
    """Return true if two files have the same bytes.

    Workbooks are compared member by member as well, because two releases of the compressor may
    pack the same content into different bytes.
    """
    if not other.is_file():
        return False
    a, b = one.read_bytes(), other.read_bytes()
    if a == b or one.suffix != ".xlsx":
        return a == b
    return zipfile.is_zipfile(other) and _members(a) == _members(b)


def _members(archive: bytes) -> dict[str, bytes]:
    """Names and unpacked bytes of the members of a zip."""
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        return {name: opened.read(name) for name in opened.namelist()}


def different_files(folder: Path) -> list[Path]:
    """Files of the lab in this folder that differ from what is made now, or are not there."""
    with tempfile.TemporaryDirectory() as temporary:
        fresh = Path(temporary)
        return [name for name in write_lab(fresh) if not same_content(fresh / name, folder / name)]


def main(arguments: list[str]) -> int:
    """Write or check the lab; returns the exit code."""
    parser = argparse.ArgumentParser(description="Make the files of the sample lab.")
    parser.add_argument("--out", type=Path, default=HERE, help="folder to write to, or to check")
    parser.add_argument("--check", action="store_true", help="write nothing, compare")
    options = parser.parse_args(arguments)
    if not options.check:
        print(f"{len(write_lab(options.out))} files written to {options.out}")
        return 0
    different = different_files(options.out)
    for name in different:
        print(f"{options.out / name} differs from what this script makes")
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
