"""Every number that is shown is the stored one that its label means."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
import shown_mutants as mutants
from lxml import etree
from shown_check import faults_of, sentence_faults, table_faults
from shown_exports import bdf_faults, csv_faults
from shown_figures import figure_faults
from shown_lab import Lab
from shown_night import night_faults, section_faults
from shown_parts import Parts, archive_parts, book_parts, csv_table, page_parts, svg_texts
from shown_rows import row_faults
from shown_several import several_faults

from cellpipe.analyses.alarms import check_limits
from cellpipe.core.limits import Limits
from cellpipe.core.model import AnalysisFacts
from cellpipe.handoff import kadi, record, summary
from cellpipe.handoff.eln import Sender, eln_archive
from cellpipe.pipeline.run import Summary
from cellpipe.pipeline.stored_cells import StoredCell, read_stored_cells
from cellpipe.report.excel.cell_workbook import cell_workbook
from cellpipe.report.figures import files
from cellpipe.report.figures.several_cells import several_panels
from cellpipe.report.html import cell_page, digest, index
from cellpipe.report.html.several_cells import several_page
from cellpipe.service.delivery import bdf_files, record_from_cell
from cellpipe.service.nightly import DeliveryResult, build_digest
from cellpipe.store.history import read_events

pytestmark = pytest.mark.xdist_group("sample")  # they share what is read once
Cells = Mapping[str, StoredCell]
Patch = pytest.MonkeyPatch


@pytest.fixture(scope="module")
def lab(sample_run: Summary) -> Lab:
    return Lab(sample_run.lab.results)


@pytest.fixture(scope="module")
def cells(sample_run: Summary, lab: Lab) -> Cells:
    return {each.cell.cell_id: each for each in read_stored_cells(lab.out, lab.cell_ids)}


def page_faults(lab: Lab, content: str, cell_id: str | None) -> list[str]:
    parts = page_parts(content)
    kind = "index" if cell_id is None else "page of a cell"
    return [*faults_of(lab, parts, cell_id), *row_faults(lab, kind, parts, cell_id)]


def book_faults(lab: Lab, content: bytes, cell_id: str | None) -> list[str]:
    parts = book_parts(content)
    kind = "workbook of all cells" if cell_id is None else "workbook of a cell"
    return [*faults_of(lab, parts, cell_id), *row_faults(lab, kind, parts, cell_id)]


def test_the_page_of_a_cell(lab: Lab) -> None:
    for cell_id in lab.cell_ids:
        page = (lab.out / "cells" / f"{cell_id}.html").read_text(encoding="utf-8")
        assert page_faults(lab, page, cell_id) == []


def test_the_workbook_of_a_cell_its_formulas_and_what_its_charts_plot(lab: Lab) -> None:
    for cell_id in lab.cell_ids:
        book = (lab.out / "cells" / f"{cell_id}.xlsx").read_bytes()
        assert book_faults(lab, book, cell_id) == []


def test_the_index_and_the_workbook_of_all_cells(lab: Lab) -> None:
    assert page_faults(lab, (lab.out / "index.html").read_text(encoding="utf-8"), None) == []
    assert book_faults(lab, (lab.out / "all-cells.xlsx").read_bytes(), None) == []


def test_the_page_of_several_cells(lab: Lab, cells: Cells) -> None:
    pairs = [(each.cell, each.tables) for each in cells.values()]
    page, _ = several_page(pairs, title=" · ".join(cells), up="..", version="1")
    assert faults_of(lab, page_parts(page), None) == []


def curves_of_several(lab: Lab, cells: Cells) -> list[str]:
    """Hold the drawn curves; replicates are a mean of the rows of their own, not held here."""
    names = ["SSB-01", "SSB-02", "SSB-03a", "SSB-04"]
    panels = several_panels([(cells[name].cell, cells[name].tables) for name in names])
    return [
        fault
        for panel in panels if panel.key != "replicates"
        for content in files.figure_files(panel, ()).values()
        for fault in several_faults(lab, panel.key, content, names)
    ]  # fmt: skip


def test_the_curves_of_several_cells(lab: Lab, cells: Cells) -> None:
    assert curves_of_several(lab, cells) == []


def kadi_faults(lab: Lab, cells: Cells) -> list[str]:
    """Hold what Kadi4Mat is given against the record, whose values an archive shows, too."""
    each = cells["SSB-01"]
    made = record.build_record(each.cell, each.tables, each.files, ())
    (entry,) = kadi.extras(made)
    given = [extra for group in entry["value"] for extra in group["value"]]
    faults = [] if len(given) == len(made.values) > 20 else [f"{len(given)} values are given"]
    for extra, value in zip(given, made.values, strict=False):
        is_number = extra["type"] in {"int", "float"}
        unit = value.unit if is_number else ""
        wanted = (value.name, value.value, unit, type(value.value).__name__)
        shown = (extra["key"], extra["value"], extra.get("unit", ""), extra["type"])
        if shown != wanted:
            faults.append(f"Kadi is given {shown}, the record has {wanted}")
    return faults


def test_what_kadi_is_given(lab: Lab, cells: Cells) -> None:
    assert kadi_faults(lab, cells) == []


def summaries(lab: Lab, folder: Path) -> list[str]:
    """Write both summaries and hold them against the table of cells."""
    assert summary.update_summary(folder, lab.table("cells"), {}) == []
    book = book_parts((folder / "summary.xlsx").read_bytes())
    text = csv_table((folder / "summary.csv").read_bytes(), "Cells")
    return [
        *faults_of(lab, book, None),
        *table_faults(lab, text, None),
        *row_faults(lab, "summary", book, None),
        *row_faults(lab, "summary", Parts(tables=[text]), None),
    ]


def test_the_summaries(lab: Lab, tmp_path: Path) -> None:
    assert summaries(lab, tmp_path) == []


def digests(lab: Lab, run: Summary) -> list[str]:
    """Write the digest of the first night, with limits that every cell crosses."""
    limits = Limits(coulombic_efficiency=1.0, sudden_loss=0.0001, resistance_growth=1.01)
    found = build_digest(run.lab, run, "", DeliveryResult())
    crossed: list[tuple[str, str]] = []
    for cell_id in lab.cell_ids:
        row, cycles = (
            lab.table(name).filter(pl.col("cell_id") == cell_id) for name in ("cells", "cycles")
        )
        found_here = [(cell_id, alarm.sentence) for alarm in check_limits(row, cycles, limits)]
        crossed += [each for each in found_here if each not in lab.alarms]
    found.alarms += crossed
    assert len(found.alarms) > 10
    page = page_parts(digest.digest_page(found, version="1"))
    text = digest.digest_text(found).splitlines()
    events = read_events(run.lab.ledger.database)
    alarms = [*lab.alarms, *crossed]
    lines = [line for line in text if line]
    return [
        *faults_of(lab, page, None),
        *faults_of(lab, Parts(sentences=lines), None),
        *night_faults(page.sentences, events, alarms),
        *night_faults(lines, events, alarms),
        *section_faults("\n".join([*text, ""])),
    ]


def test_the_digest_as_page_and_as_text(lab: Lab, sample_run: Summary) -> None:
    assert digests(lab, sample_run) == []


def archive(each: StoredCell, lab: Lab, *, only_values: bool = False) -> bytes:
    """Put a cell into an archive; without pictures of dots, which hold no numbers to be read."""
    made = record.build_record(each.cell, each.tables, each.files, ()) if only_values else \
        record_from_cell(lab.out, each, "cellpipe")  # fmt: skip
    return eln_archive(
        [made], "cells", Sender(), made_at=datetime(2026, 1, 1, tzinfo=UTC), for_elabftw=True
    )


def test_an_archive_for_notebooks_and_all_files_in_it(
    lab: Lab, cells: Cells, monkeypatch: Patch
) -> None:
    monkeypatch.setattr(files, "_png", lambda _: b"")
    parts, inside = archive_parts(archive(cells["SSB-01"], lab))
    assert faults_of(lab, parts, "SSB-01") == []
    assert len(inside) > 40
    for name, content in inside.items():
        kind, _, rest = name.partition("-")
        if kind == "SSB":
            assert content == (lab.out / "cells" / name).read_bytes()  # held above
        elif name == "cell-sheet.csv":
            assert cell_sheet_faults(lab, content, "SSB-01") == []
        elif kind == "table":
            assert csv_faults(lab, rest.removesuffix(".csv"), content, "SSB-01") == []
        elif name.endswith(".csv"):
            assert list(figure_faults(lab, rest.removesuffix(".csv"), content, "SSB-01")) == []
        elif name.endswith(".svg"):
            row = lab.row("cells", cell_id="SSB-01")
            texts = svg_texts(etree.fromstring(content))
            assert [f for text in texts for f in sentence_faults(lab, text, row)] == []
        else:
            assert name.endswith(".png")


def cell_sheet_faults(lab: Lab, content: bytes, cell_id: str) -> list[str]:
    """Read the row of the cell sheet as records: ``Area / cm²`` is a label and its unit."""
    heads = ("Cell sheet", "Value", "Unit")
    (row,) = csv_table(content, "").rows
    lines = [
        dict(zip(heads, (label, value, unit), strict=True))
        for head, value in row.items() if value
        for label, _, unit in [head.partition(" / ")]
    ]  # fmt: skip
    table = replace(csv_table(content, "Cell sheet"), heads=heads, rows=lines)
    return list(table_faults(lab, table, cell_id))


@pytest.mark.parametrize("cell_id", ["SSB-02", "SSB-04", "SSB-07"])
def test_the_data_behind_exported_figures(lab: Lab, cells: Cells, cell_id: str) -> None:
    each = cells[cell_id]
    for panel in cell_page.cell_panels(each.cell, each.tables):
        for content in files.figure_files(panel, ()).values():
            assert list(figure_faults(lab, panel.key, content, cell_id)) == []


def test_records_in_the_battery_data_format(lab: Lab, cells: Cells) -> None:
    made = dict(bdf_files(lab.out, cells["SSB-02"], "", packed=False))
    tables = {name: content for name, content in made.items() if name.endswith(".csv")}
    assert tables
    for (name, content), row in zip(
        tables.items(), cells["SSB-02"].files.sort("started_at").to_dicts(), strict=True
    ):
        assert content is not None
        assert bdf_faults(lab, content, row["file_sha256"]) == [], name


# The check itself is checked: faults of this kind are made, and each must be found.


def a_page(lab: Lab, cells: Cells, cell_id: str = "SSB-01", **tables: pl.DataFrame) -> list[str]:
    each = cells[cell_id]
    content = cell_page.cell_page(
        each.cell,
        {**each.tables, **tables},
        each.files,
        name="x",
        version="1",
        analyses=AnalysisFacts(),
    )
    return page_faults(lab, content, cell_id)


def a_page_with_checks(lab: Lab, cells: Cells) -> list[str]:
    return a_page(lab, cells, "SSB-07")


def a_workbook(lab: Lab, cells: Cells) -> list[str]:
    each = cells["SSB-01"]
    short = {
        name: each.tables[name].head(0) for name in ("voltage_profiles", "differential_capacity")
    }  # long, and not what is changed
    content = cell_workbook(each.cell, {**each.tables, **short}, each.files, version="1")
    return book_faults(lab, content, "SSB-01")


def an_index(lab: Lab, _: Cells) -> list[str]:
    names = ("cells", "baseline_comparison", "baselines", "cycles", "files", "findings",
             "cell_sheet")  # fmt: skip
    return page_faults(lab, index.index_page({n: lab.table(n) for n in names}, version="1"), None)


def an_archive(lab: Lab, cells: Cells) -> list[str]:
    parts, _ = archive_parts(archive(cells["SSB-01"], lab, only_values=True))
    return faults_of(lab, parts, "SSB-01")


def a_figure(lab: Lab, cells: Cells, key: str = "cycling") -> list[str]:
    each = cells["SSB-01"]
    panels = {panel.key: panel for panel in cell_page.cell_panels(each.cell, each.tables)}
    (content,) = files.figure_files(panels[key], ()).values()
    return list(figure_faults(lab, key, content, "SSB-01"))


def figure_of_arcs(lab: Lab, cells: Cells) -> list[str]:
    return a_figure(lab, cells, "arcs")


def figure_of_profiles(lab: Lab, cells: Cells) -> list[str]:
    return a_figure(lab, cells, "profiles")


Make = Callable[[Lab, Cells], list[str]]
MUTANTS: list[tuple[Callable[[Patch], None], Make, str]] = [
    (mutants.initial_efficiency_as_retention, an_index, "'Retention'"),
    (mutants.energy_efficiency_as_hysteresis, a_page, "Hysteresis (V)"),
    (mutants.last_resistance_before_the_first, a_page, "Interfacial resistance"),
    (mutants.standard_error_in_a_chart, a_workbook, "chart on Resistance"),
    (mutants.a_chart_that_stops_a_row_early, a_workbook, "chart on Cycles"),
    (mutants.a_fit_of_another_spectrum, a_workbook, "the fits take the rows"),
    (mutants.points_of_a_chart_left_out, a_workbook, "points of"),
    (mutants.voltages_in_per_cent, a_workbook, "no share, and shown in per cent"),
    (mutants.capacities_in_thousands, a_workbook, "'#,##0.0,'"),
    (mutants.too_few_digits, a_workbook, "too few digits"),
    (mutants.shares_as_plain_numbers, a_workbook, "a share in per cent"),
    (mutants.published_cells_left_out_of_a_workbook, a_workbook, "Baselines: 0 rows"),
    (mutants.cycles_of_low_efficiency_left_out, a_page, "Cycles: 61 rows"),
    (mutants.the_first_check_left_out, a_page_with_checks, "findings of the severity"),
    (mutants.checks_of_another_level, a_page_with_checks, "findings of the severity"),
    (mutants.a_cell_left_out_of_the_index, an_index, "All cells: 7 rows"),
    (mutants.charge_drawn_in_the_index, an_index, "is not its discharge capacity"),
    (mutants.signs_the_other_way_round, an_index, "'▼"),
    (mutants.no_sign, an_index, "is not what is stored"),
    (mutants.standings_the_other_way_round, an_index, "in words"),
    (mutants.no_standing_shown, an_index, "'Retention beside published cells' of"),
    (mutants.electrodes_the_other_way_round, a_page, "working electrode"),
    (mutants.efficiency_the_other_way_round, a_page, "before it"),
    (mutants.charge_of_several_cells_as_discharge, curves_of_several, "capacities: SSB-01 is not"),
    (mutants.resistance_of_a_neighbour, curves_of_several, "resistance: "),
    (mutants.every_second_cycle_left_out, a_figure, "and not drawn"),
    (mutants.discharges_left_out, figure_of_profiles, "is left out"),
    (mutants.arcs_of_half_their_resistance, figure_of_arcs, "arcs: "),
    (mutants.values_times_a_thousand, kadi_faults, "Kadi is given"),
    (mutants.a_formula_on_another_column, a_workbook, "Summary!"),
    (mutants.discharge_voltage_as_charge_voltage, a_workbook, "Mean voltage, charge (V)"),
    (
        mutants.mean_efficiency_as_the_first_in_an_archive,
        an_archive,
        "Initial Coulombic efficiency",
    ),
    (mutants.mean_efficiency_of_replicates_as_their_first, an_index, "Initial CE (%)"),
    (mutants.charge_drawn_as_discharge, a_figure, "charge"),
    (mutants.a_new_sentence_with_a_number, a_page, "12.3 % of all"),
    (mutants.a_new_column, a_page, "'Goodness' is not in the vocabulary"),
]


@pytest.fixture(scope="module")
def controls() -> dict[Make, list[str]]:
    """Give what is found in each kind of document as it is: nothing; filled as they are made."""
    return {}


@pytest.mark.parametrize(
    ("mutant", "make", "label"), MUTANTS, ids=lambda m: getattr(m, "__name__", "")
)
def test_a_wrong_column_is_found(
    mutant: Callable[[Patch], None], make: Make, label: str, lab: Lab, cells: Cells,
    controls: dict[Make, list[str]], monkeypatch: Patch,
) -> None:  # fmt: skip
    if make in {a_page, a_page_with_checks}:
        monkeypatch.setattr(
            cell_page, "cell_panels", lambda *_: []
        )  # slow, and not what is changed
    if make not in controls:
        controls[make] = make(lab, cells)
    assert controls[make] == []
    mutant(monkeypatch)
    assert any(label in fault for fault in make(lab, cells))


def test_a_wrong_column_in_the_summaries_is_found(
    lab: Lab, tmp_path: Path, monkeypatch: Patch
) -> None:
    mutants.ends_of_an_interval_the_other_way_round(monkeypatch)
    found = summaries(lab, tmp_path)
    assert sum("Fade, 95 % from" in fault for fault in found) >= 2 * 7  # .xlsx and .csv


def test_a_wrong_count_in_the_digest_is_found(
    lab: Lab, sample_run: Summary, monkeypatch: Patch
) -> None:
    usual = digest._counts_text
    monkeypatch.setattr(
        digest, "_counts_text", lambda found: usual(replace(found, computed=found.computed[1:]))
    )
    found = digests(lab, sample_run)
    assert sum("7 cells computed" in fault and "stored is 8" in fault for fault in found) == 2


def test_a_wrong_count_of_alarms_or_of_files_in_the_digest_is_found(
    lab: Lab, sample_run: Summary, monkeypatch: Patch
) -> None:
    page, text = digest.digest_page, digest.digest_text
    fewer = lambda found: replace(found, alarms=found.alarms[1:], read=found.read + 1)  # noqa: E731
    monkeypatch.setattr(digest, "digest_page", lambda found, **k: page(fewer(found), **k))
    monkeypatch.setattr(digest, "digest_text", lambda found: text(fewer(found)))
    found = digests(lab, sample_run)
    assert sum("files? read is shown" in fault for fault in found) == 2
    assert sum("is not shown" in fault for fault in found) == 2


def test_any_two_columns_of_the_cycles_that_change_places_are_found(
    lab: Lab, cells: Cells, monkeypatch: Patch
) -> None:
    """A cell where no two columns are alike; each is put in the place of the next."""
    monkeypatch.setattr(cell_page, "cell_panels", lambda *_: [])
    cycles = cells["SSB-01"].tables["cycles"]
    known = [each for each in cycles.columns if cycles[each].dtype == pl.Float64
             and cycles[each].null_count() == 0 and _is_on_the_page(each)]  # fmt: skip
    assert len(known) >= 10
    for one, other in zip(known, [*known[1:], known[0]], strict=True):
        swapped = cycles.with_columns(pl.col(one).alias(other), pl.col(other).alias(one))
        assert a_page(lab, cells, cycles=swapped) != [], f"{one} in the place of {other}"


def _is_on_the_page(column: str) -> bool:
    shown = ("capacity", "efficiency", "retention", "hysteresis", "discharging_c_rate", "duration")
    return any(word in column for word in shown) and not column.startswith(
        ("vendor", "capacity_retention_at")
    )
