"""EC-Lab's own text export is the truth for every .mpr of which there is one."""

from __future__ import annotations

import csv
from pathlib import Path
from warnings import catch_warnings

import numpy as np
import polars as pl
import pytest
from galvani import BioLogic
from hypothesis import given, settings
from hypothesis import strategies as st

import cellpipe
from cellpipe.core.errors import DamagedFileError
from cellpipe.formats.biologic import mpt as biologic_mpt
from cellpipe.formats.biologic.modules import locate_records, read_modules
from cellpipe.formats.biologic.record_columns import read_columns

SAMPLE = Path(__file__).parents[2] / "sample_data"
PRINTED = 2e-6  # what EC-Lab prints of a float32 agrees with it to this much of the largest value
EDITED = "mpt/yadg__extract_cp.mpt"  # part of its <Ewe> is 0.0: see the corpus's notes


def pairs(real_data: Path) -> list[tuple[Path, Path]]:
    with (real_data / "ORACLE_PAIRS.tsv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream, delimiter="\t"))
    return [
        (real_data / row["file"], real_data / row["oracle"])
        for row in rows
        if row["oracle"].startswith("mpt/") and row["oracle"] != EDITED
    ]


def differences(one: pl.DataFrame, other: pl.DataFrame) -> dict[str, float]:
    found = {}
    for column in set(one.columns) & set(other.columns):
        if not one[column].dtype.is_numeric():
            continue
        a, b = one[column].cast(pl.Float64).to_numpy(), other[column].cast(pl.Float64).to_numpy()
        known = np.isfinite(a) & np.isfinite(b)
        largest = max(float(np.abs(b[known]).max(initial=0)), 1e-12)
        found[column] = float(np.abs(a - b)[known].max(initial=0)) / largest
    return found


@pytest.mark.parametrize(
    ("name", "rows", "table"),
    [
        ("mpr/aurora__test_C01.mpr", 18001, "timeseries"),
        ("mpr/cellpy__biol.mpr", 23561, "timeseries"),
        ("mpr/scibatt__biologic.mpr", 286791, "timeseries"),
        ("mpr/nomadhzb__kmc3_biologic_CA_example.mpr", 600, "timeseries"),
        ("mpr/dgpost__peis_multiple_data.mpr", 192, "impedance"),
        ("mpr/yadg__mb.mpr", 1588, "timeseries"),
    ],
)
def test_row_counts_are_those_that_the_origins_own_tests_state(
    real_data: Path, name: str, rows: int, table: str
) -> None:
    assert cellpipe.read(real_data / name).tables[table].height == rows


def test_values_are_those_that_the_origins_own_tests_state(real_data: Path) -> None:
    kmc3 = cellpipe.read(real_data / "mpr/nomadhzb__kmc3_biologic_CA_example.mpr")
    table = kmc3.tables["timeseries"]
    assert table["current_ampere"][0] == pytest.approx(-1.84409e-3, rel=1e-5)
    assert table["voltage_volt"][2] == pytest.approx(-0.44958, abs=1e-5)
    bcs = cellpipe.read(real_data / "mpt/pyprobe__Sample_data_biologic_CA1.txt")
    last = bcs.tables["timeseries"].row(-1, named=True)
    assert last["test_time_second"] == pytest.approx(139.524007)
    assert last["current_ampere"] == pytest.approx(-0.899826e-3 * 1e3, rel=1e-5)
    assert last["voltage_volt"] == pytest.approx(3.4854481)
    assert last["temperature_t1_celsius"] == pytest.approx(23.029291)


def test_columns_that_galvani_does_not_know_are_read(real_data: Path) -> None:
    for name in ("yadg__cv.issue_149", "nomadhzb__PEIS_nesd", "echemistpy__A_ZMO_D_C03"):
        assert cellpipe.read(real_data / f"mpr/{name}.mpr").tables["timeseries"].height > 200


def test_spectra_in_one_file_are_told_apart(real_data: Path) -> None:
    for name, spectra in (
        ("mpr/yadg__geis.mpr", 61),
        ("mpr/yadg__vsp_peis_with.mpr", 32),
        ("mpr/dgpost__peis_multiple_data.mpr", 3),
        ("mpr/nomadhzb__PEIS_nesd.mpr", 12),  # EC-Lab's cycle number counts two of them twice
    ):
        impedance = cellpipe.read(real_data / name).tables["impedance"]
        assert impedance["spectrum"].n_unique() == spectra, name
        assert (impedance["frequency_hertz"] > 0).all()


def test_impedance_inside_modulo_bat_is_found_where_only_modulus_and_phase_are_stored(
    real_data: Path,
) -> None:
    binary = cellpipe.read(real_data / "mpr/yadg__mb.mpr").tables["impedance"]
    text = cellpipe.read(real_data / "mpt/yadg__mb.mpt").tables["impedance"]
    assert max(differences(binary, text).values()) < PRINTED


def test_a_file_without_a_log_says_that_its_start_is_known_to_the_day(real_data: Path) -> None:
    measurement = cellpipe.read(real_data / "mpr/yadg__gcpl.pr_182.2.mpr")
    assert "start_known_to_the_day" in {f.code for f in measurement.findings}


def test_a_technique_that_recorded_nothing_is_whole_and_empty(real_data: Path) -> None:
    measurement = cellpipe.read(real_data / "mpr/yadg__wait.mpr")
    assert measurement.tables["timeseries"].height == 0
    assert "no_record" in {f.code for f in measurement.findings}


def test_an_unknown_column_costs_that_column_and_not_the_file(tmp_path: Path) -> None:
    source = (SAMPLE / "biologic_mpr/SSB-01_02_GCPL_C01.mpr").read_bytes()
    ids = b"\x04\x00\x07\x00\x0d\x00"  # time/s, dq, (Q-Qo)
    assert source.count(ids) == 1
    path = tmp_path / "strange.mpr"
    path.write_bytes(source.replace(ids, b"\x04\x00\x07\x00\xe7\x03"))
    measurement = cellpipe.read(path)
    whole = cellpipe.read(SAMPLE / "biologic_mpr/SSB-01_02_GCPL_C01.mpr")
    assert "999" in next(f for f in measurement.findings if f.code == "unknown_column").sentence
    assert measurement.tables["timeseries"]["voltage_volt"].equals(
        whole.tables["timeseries"]["voltage_volt"]
    )


def test_an_mpr_cut_off_before_its_records_is_refused(tmp_path: Path) -> None:
    source = (SAMPLE / "biologic_mpr/SSB-01_03_PEIS_C01.mpr").read_bytes()
    for size in (60, 3000, source.index(b"MODULEVMP data") + 100):
        path = tmp_path / "cut.mpr"
        path.write_bytes(source[:size])
        with pytest.raises(DamagedFileError, match="remedy"):
            cellpipe.read(path)


@settings(max_examples=25)
@given(share=st.floats(0.0, 1.0))
def test_an_mpr_that_still_grows_is_read_up_to_its_last_whole_record(
    share: float, tmp_path_factory: pytest.TempPathFactory
) -> None:
    source = SAMPLE / "biologic_mpr/SSB-01_02_GCPL_C01.mpr"
    content = source.read_bytes()
    first = content.index(b"MODULEVMP data") + 57 + 406
    last = content.index(b"MODULEVMP LOG")
    path = tmp_path_factory.mktemp("cut") / "SSB-01_02_GCPL_C01.mpr"
    path.write_bytes(content[: first + int(share * (last - 1 - first))])
    measurement = cellpipe.read(path)
    said = next(f for f in measurement.findings if f.code == "file_cut_off")
    table, whole = measurement.tables["timeseries"], cellpipe.read(source).tables["timeseries"]
    assert said.rows == whole.height - table.height > 0
    for column in ("test_time_second", "voltage_volt", "current_ampere"):
        assert table[column].equals(whole[column][: table.height])


def test_columns_are_those_that_galvani_reads_bit_for_bit(real_data: Path) -> None:
    compared = 0
    for path in sorted((real_data / "mpr").iterdir()):
        try:
            with path.open("rb") as stream, catch_warnings(action="ignore"):
                theirs = BioLogic.MPRfile(stream).data
        except (ValueError, NotImplementedError, UnicodeDecodeError):
            continue
        content = np.memmap(path, dtype=np.uint8, mode="r")
        table = locate_records(content, read_modules(path)["VMP data"])
        if not table.count:
            continue
        ours = read_columns(content, table, set(table.layout.names or ()))
        relabelled = {"<Ecv>/V"}  # EC-Lab prints <Ece>/V
        assert {*theirs.dtype.names} - {*ours.columns} <= relabelled | {"flags"}, path.name
        for name in {*theirs.dtype.names} & {*ours.columns}:
            same = ours[name].to_numpy().tobytes() == np.ascontiguousarray(theirs[name]).tobytes()
            assert same, (path.name, name)
        compared += 1
    assert compared >= 40


def test_every_stored_column_is_the_one_that_ec_lab_exports_under_its_name(
    real_data: Path,
) -> None:
    agreed: set[str] = set()
    for binary, text in pairs(real_data):
        header = biologic_mpt._read_header(text)
        content = np.memmap(binary, dtype=np.uint8, mode="r")
        table = locate_records(content, read_modules(binary)["VMP data"])
        if not table.count:
            continue
        shown, _ = biologic_mpt._read_body(text, header, everything=True)
        stored = read_columns(content, table)
        numbers = [c for c in shown.columns if shown.schema[c] == pl.Float64]
        shown = shown.select(numbers).with_columns(
            pl.when((pl.col(c) != -1) & (pl.col(c) != 0)).then(pl.col(c))
            for c in numbers
            if c.startswith(("THD", "NS", "|Ewe h", "|I h")) and c != "Ns"  # EC-Lab blanks these
        )
        worst = differences(stored, shown)
        assert max(worst.values()) < PRINTED, (binary.name, worst)
        agreed |= worst.keys()
    assert len(agreed) >= 60


def test_what_was_typed_in_is_what_ec_labs_text_says(real_data: Path) -> None:
    compared = 0
    for binary, text in pairs(real_data):
        one, other = cellpipe.read(binary).metadata, cellpipe.read(text).metadata
        for ours, theirs in (
            ("electrode_material", "electrode_material"),
            ("electrolyte", "electrolyte"),
            ("channel", "channel"),
            ("channel_serial_number", "channel_serial_number"),
            ("software_version", "software_version"),
        ):
            if ours in one and theirs in other and "VSP-3e" not in str(other.get("instrument")):
                assert str(one[ours]) == str(other[theirs]), (binary.name, ours)
                compared += 1
    assert compared >= 60


def test_what_a_file_does_not_store_is_rebuilt_as_ec_lab_shows_it_and_marked(
    real_data: Path,
) -> None:
    binary = real_data / "mpr/echemistpy__A_ZMO_D_C03.mpr"
    rebuilt = str(cellpipe.read(binary).metadata["derived_columns"]).split(", ")
    assert {"current_ampere", "cycle_count", "vendor_charging_capacity_ah"} <= {*rebuilt}
    shown = cellpipe.read(binary.parents[1] / "mpt/echemistpy__A_ZMO_D_C03.mpt")
    assert "derived_columns" not in shown.metadata
    worst = differences(
        cellpipe.read(binary).tables["timeseries"].select(rebuilt),
        shown.tables["timeseries"].select(rebuilt),
    )
    assert len(worst) == len(rebuilt)
    assert max(worst.values()) < PRINTED


def test_a_decimal_comma_is_read_as_a_decimal_comma(tmp_path: Path) -> None:
    comma = SAMPLE / "biologic_mpt/SSB-02_01_GCPL_C02.mpt"
    point = tmp_path / "point.mpt"
    point.write_bytes(comma.read_bytes().replace(b",", b"."))
    one, other = cellpipe.read(comma), cellpipe.read(point)
    assert max(differences(one.tables["timeseries"], other.tables["timeseries"]).values()) == 0


def test_a_text_file_that_ends_within_a_line_loses_that_line_and_says_so(tmp_path: Path) -> None:
    source = SAMPLE / "biologic_mpt/SSB-02_01_GCPL_C02.mpt"
    content = source.read_bytes()
    path = tmp_path / "cut.mpt"
    path.write_bytes(content[: len(content) // 2])
    measurement = cellpipe.read(path)
    assert "file_cut_off" in {f.code for f in measurement.findings}
    whole = cellpipe.read(source).tables["timeseries"]
    kept = measurement.tables["timeseries"]
    assert kept["voltage_volt"].equals(whole["voltage_volt"][: kept.height])


def test_values_under_no_column_name_are_refused(real_data: Path) -> None:
    path = real_data / "negative/impedancepy__exampleDataBioLogic_MissingFreq.mpt"
    with pytest.raises(DamagedFileError, match="18 values in a row under 17 column names"):
        cellpipe.read(path)


def test_a_text_nan_is_an_empty_value(tmp_path: Path) -> None:
    source = (SAMPLE / "biologic_mpt/SSB-02_02_PEIS_C02.mpt").read_bytes().replace(b",", b".")
    lines = source.split(b"\n")
    head = int(source[:512].split(b"Nb header lines : ")[1].split()[0])
    fields = lines[head].split(b"\t")
    names = lines[head - 1].split(b"\t")
    fields[names.index(b"freq/Hz")] = b"nan"
    path = tmp_path / "nan.mpt"
    path.write_bytes(b"\n".join([*lines[:head], b"\t".join(fields), *lines[head + 1 :]]))
    whole = cellpipe.read(SAMPLE / "biologic_mpt/SSB-02_02_PEIS_C02.mpt").tables["impedance"]
    assert cellpipe.read(path).tables["impedance"].height == whole.height - 1


@pytest.mark.parametrize(
    ("control", "said"), [("-20.00 V, max = 20.00", ""), ("0.00 V, max = 5.00", "12")]
)
def test_a_potential_beyond_10_v_is_read_where_the_settings_say_that_it_was_measured(
    tmp_path: Path, control: str, said: str
) -> None:
    rows = [f"{i}.0\t{12 if i == 3 else 3.7}\t0.1" for i in range(8)]
    lines = ["EC-Lab ASCII FILE", "Nb header lines : 6", "", "Chronopotentiometry",
             f"Ewe ctrl range : min = {control} V", "time/s\tEwe/V\t<I>/mA", *rows]  # fmt: skip
    path = tmp_path / "wide.mpt"
    path.write_text("\r\n".join(lines) + "\r\n", encoding="cp1252")
    measurement = cellpipe.read(path)
    assert measurement.tables["timeseries"].height == (7 if said else 8)
    rejected = measurement.tables.get("rejected_rows")
    assert (rejected is not None) == bool(said)
