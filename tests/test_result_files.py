from __future__ import annotations

import re
import string
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cellpipe.core.errors import StoreError
from cellpipe.system.atomic_files import atomic_write, file_name

ANY_ID = st.text(max_size=120)
SAFE_ID = st.text(string.ascii_letters + string.digits + "._-", min_size=1, max_size=12)
RESERVED = {"CON", "PRN", "AUX", "NUL", *(f"{p}{n}" for p in ("COM", "LPT") for n in range(10))}


@given(ANY_ID)
@example("../../etc/passwd")
@example("CON")
@example("nul.txt")
@example("")
@example("...")
@example("Zelle Ä/β: 1*?")
def test_a_file_name_is_safe_on_every_system(cell_id: str) -> None:
    name = file_name(cell_id)
    assert re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]*", name)
    assert not name.endswith(".")
    assert name.partition(".")[0].upper() not in RESERVED
    assert len(name) < 100


@given(st.one_of(ANY_ID, SAFE_ID), st.one_of(ANY_ID, SAFE_ID))
@example("a/b", "a_b")
@example("A" * 70 + "1", "A" * 70 + "2")
@example("SSB 1", file_name("SSB 1"))
@example("SSB 1", file_name("SSB 1").upper())
def test_two_cells_never_share_a_file_even_where_case_does_not_count(one: str, other: str) -> None:
    if one.casefold() != other.casefold():  # ids that differ only in case name one cell
        assert file_name(one).casefold() != file_name(other).casefold()


def test_an_id_that_needs_no_change_is_its_own_name() -> None:
    assert file_name("SSB-2026-014a_C01") == "SSB-2026-014a_C01"


def test_a_file_is_there_as_a_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "new" / "file.txt"
    atomic_write(path, lambda file: file.write_text("whole"))

    def fail(file: Path) -> None:
        file.write_text("half")
        raise OSError(28, "No space left on device")

    with pytest.raises(StoreError, match="No space"):
        atomic_write(path, fail)
    assert path.read_text() == "whole"
    assert [p.name for p in path.parent.iterdir()] == ["file.txt"]
