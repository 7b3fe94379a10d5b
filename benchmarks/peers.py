"""What a user would read the files with instead; each gives a table of the same records."""

from __future__ import annotations

import io
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from cellpipe import formats

DATE, CLOCK = "unix_time_second", ("test_time_second", "step_time_second")


def cellpipe_stored(path: Path) -> pl.DataFrame:
    """Read an .mpr's columns as they are stored, as the peers do."""
    from cellpipe.formats.biologic.modules import locate_records, read_modules
    from cellpipe.formats.biologic.record_columns import read_columns

    content = np.memmap(path, dtype=np.uint8, mode="r")
    table = locate_records(content, read_modules(path)["VMP data"])
    return read_columns(content, table, set(table.layout.names or ()))


def galvani_mpr(path: Path) -> pl.DataFrame:
    from galvani import BioLogic

    data = BioLogic.MPRfile(str(path)).data
    return pl.DataFrame({name: data[name] for name in data.dtype.names})


def galvani_mpr_pandas(path: Path) -> Any:
    import pandas as pd
    from galvani import BioLogic

    return pd.DataFrame(BioLogic.MPRfile(str(path)).data)


def yadg_mpr(path: Path) -> Any:
    from yadg.extractors import extract

    return extract(filetype="eclab.mpr", path=path)


def yadg_mpt(path: Path) -> Any:
    from yadg.extractors import extract

    return extract(filetype="eclab.mpt", path=path)


def galvani_mpt(path: Path) -> Any:
    from galvani import BioLogic

    return BioLogic.MPTfile(str(path))


def pandas_mpt(path: Path) -> Any:
    import pandas as pd

    with path.open("rb") as stream:
        head = stream.read(65536)
    lines = int(head[:512].split(b"Nb header lines : ")[1].split()[0])
    decimal = "," if b"," in head.split(b"\n")[lines] else "."
    return pd.read_csv(path, sep="\t", skiprows=lines - 1, decimal=decimal, encoding="cp1252")


def polars_csv(path: Path) -> pl.DataFrame:
    """Read with everything known beforehand: encoding, separator, columns, types, dates."""
    from cellpipe.formats.arbin import columns as arbin
    from cellpipe.formats.neware import columns as neware
    from cellpipe.formats.tabular import delimited, dialect

    arbins = formats.find_format(path).name.startswith("arbin")
    maker = arbin if arbins else neware
    header = delimited.read_header(path, maker.known)
    assert header is not None
    found = dialect.match_headers(header.fields, maker.QUANTITIES)
    texts = {"step_type", DATE} | (set() if arbins else set(CLOCK))
    frame = pl.read_csv(
        path, skip_lines=header.line, separator=header.separator, encoding=header.encoding,
        columns=[header.fields.index(m.header) for m in found],
        schema_overrides={
            m.header: pl.String if m.target in texts else pl.Float64 for m in found
        },
    ).rename({m.header: m.target for m in found})  # fmt: skip
    form = "%m/%d/%Y %H:%M:%S%.f" if arbins else "%Y-%m-%d %H:%M:%S"
    dates = pl.col(DATE).str.strip_chars("\t").str.to_datetime(form)
    clocks = [_clock(name) for name in CLOCK if not arbins and name in frame.columns]
    return frame.with_columns(dates, *clocks)


def _clock(name: str) -> pl.Expr:
    parts = pl.col(name).str.split(":")
    h, m, s = (parts.list.get(i).cast(pl.Float64) for i in range(3))
    return (h * 3600 + m * 60 + s).alias(name)


def pandas_xlsx(path: Path) -> Any:
    import pandas as pd

    return pd.read_excel(path, engine="openpyxl")


def fastexcel_xlsx(path: Path) -> pl.DataFrame:
    import fastexcel

    return fastexcel.read_excel(path).load_sheet(0).to_polars()


def fastnda(path: Path) -> pl.DataFrame:
    import fastnda as peer

    return peer.read(path)


def newarenda(path: Path) -> Any:
    import NewareNDA

    return NewareNDA.read(str(path))


def galvani_res(path: Path) -> Any:
    import sqlite3

    import pandas as pd
    from galvani import res2sqlite

    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "out.s3db"
        res2sqlite.convert_arbin_to_sqlite(str(path), str(target))
        with sqlite3.connect(target) as database:
            return pd.read_sql("SELECT * FROM Channel_Normal_Table", database)


def mdb_export(path: Path) -> pl.DataFrame:
    done = subprocess.run(
        ["mdb-export", str(path), "Channel_Normal_Table"], check=True, capture_output=True
    )
    return pl.read_csv(io.BytesIO(done.stdout), infer_schema_length=None)
