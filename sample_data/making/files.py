"""Every file of the lab by its path, and the table of what is true of them."""

from collections.abc import Sequence
from datetime import datetime

from . import arbin, neware_ndax, neware_text, neware_xlsx
from .biologic import ssb_01, ssb_08
from .biologic_text import ssb_02
from .counters import Row, counted_rows
from .lab import BUILDS, PLANS, one_c, whole_test
from .protocol import Record
from .sheet import cell_sheet
from .stray import glovebox_log
from .truth import Fact, cell_facts, facts_csv

ARBIN_FIRST_RECORD = 0.0094  # s after a step began
NEWARE_FIRST_RECORD = 0.0


def all_files() -> dict[str, bytes]:
    """Path below `sample_data/` and bytes of every made file."""
    linked, linked_facts = ssb_01()
    text, text_facts = ssb_02()
    made = {f"biologic_mpr/{name}": content for name, content in {**linked, **ssb_08()}.items()}
    made |= {f"biologic_mpt/{name}": content for name, content in text.items()}
    facts = [*linked_facts, *text_facts]
    for files, more in (_arbin_files(), _neware_files()):
        made |= files
        facts += more
    made["arbin_csv/glovebox_log.csv"] = glovebox_log()
    made["cells.xlsx"] = cell_sheet()
    made["truth.tsv"] = facts_csv(facts)
    return made


def _test(cell: str, first: float, seed: int) -> tuple[list[Row], list[Fact]]:
    """Return a cell's records with counters, and what is true of them."""
    records: Sequence[Record] = whole_test(cell, first)
    return counted_rows(records, seed), cell_facts(cell, records)


def _arbin_files() -> tuple[dict[str, bytes], list[Fact]]:
    """Return the replicate pair."""
    a, facts_a = _test("SSB-03a", ARBIN_FIRST_RECORD, 31)
    b, facts_b = _test("SSB-03b", ARBIN_FIRST_RECORD, 32)
    begun = datetime.fromisoformat("2025-06-16T10:20:15")
    name = "SSB-03b_full_C2_Channel_7"
    files = {
        "arbin_csv/SSB-03a_full_C2_Channel_6.csv": arbin.csv_file(a, begun, 25.0),
        f"arbin_xlsx/{name}.xlsx": arbin.xlsx_file(b, begun.replace(minute=24), name),
    }
    return files, [*facts_a, *facts_b]


def _neware_files() -> tuple[dict[str, bytes], list[Fact]]:
    """Return the four cells on Neware cyclers."""
    four, facts_four = _test("SSB-04", NEWARE_FIRST_RECORD, 41)
    five, facts_five = _test("SSB-05", NEWARE_FIRST_RECORD, 51)
    six, facts_six = _test("SSB-06", NEWARE_FIRST_RECORD, 61)
    seven, facts_seven = _test("SSB-07", NEWARE_FIRST_RECORD, 71)
    plan, full = PLANS["SSB-04"], one_c(BUILDS["SSB-04"])
    currents = (round(plan.formation_rate * full, 3), round(plan.rate * full, 3))
    begun = datetime.fromisoformat("2025-07-01T15:30:00")
    unix = 1_751_376_600  # the same moment in UTC, 13:30, seen from Central Europe
    name = "SSB-06_half_60C"
    files = {
        "neware_ndax/SSB-04_120_1_14_204.ndax": neware_ndax.ndax_file(
            four, begun, unix, "SSB-04", plan, currents
        ),
        "neware_csv/SSB-05_record_zh.csv": neware_text.chinese_csv(
            five, datetime.fromisoformat("2025-07-08T09:05:40"), holds=True
        ),
        f"neware_xlsx/{name}.xlsx": neware_xlsx.xlsx_file(
            six, datetime.fromisoformat("2025-07-15T11:48:09"), name + ".xlsx", PLANS["SSB-06"]
        ),
        "neware_csv/SSB-07_record.csv": neware_text.english_csv(
            seven, datetime.fromisoformat("2025-08-04T17:02:33"), holds=False
        ),
    }
    return files, [*facts_four, *facts_five, *facts_six, *facts_seven]
