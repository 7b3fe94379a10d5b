"""Raw files from object storage, results to it: a server that speaks S3's protocol, on loopback."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import obstore
import polars as pl
import pytest
from moto.server import ThreadedMotoServer
from obstore.store import S3Store
from polars.testing import assert_frame_equal

from cellpipe import open_results
from cellpipe.cli.main import main
from cellpipe.core.errors import StoreError
from cellpipe.pipeline.run import process
from cellpipe.store import Ledger, consolidated, object_upload
from cellpipe.store.consolidated import consolidate_tables
from cellpipe.store.object_download import FETCHED, DownloadResult, download
from cellpipe.store.object_upload import MANIFEST, read_manifest, upload
from cellpipe.store.writer_lease import acquire
from made_files import neware_csv

pytestmark = [pytest.mark.xdist_group("objects"), pytest.mark.usefixtures("no_pages")]
RAW, RESULTS = "s3://lab/raw", "s3://lab/results"


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Store]:
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ALLOW_HTTP", "true")
    client = boto3.client("s3")
    client.create_bucket(Bucket="lab")
    store = S3Store("lab", client_options={"allow_http": True})
    yield store
    for path in names(store):
        obstore.delete(store, path)
    client.delete_bucket(Bucket="lab")


def names(store: Any, below: str = "") -> list[str]:
    return sorted(found["path"] for batch in obstore.list(store, below) for found in batch)


def content(store: Any, path: str) -> bytes:
    return bytes(obstore.get(store, path).bytes())


def published_as_in(out: Path, store: Any) -> bool:
    there = {p.removeprefix("results/"): content(store, p) for p in names(store, "results")}
    told = read_manifest(RESULTS)
    assert told.done
    assert set(there) == {*told.files, MANIFEST}
    return all(there[path] == (out / path).read_bytes() for path in told.files)


@pytest.fixture
def lab(tmp_path: Path) -> Path:
    folder = tmp_path / "lab"
    folder.mkdir()
    for cell in "AB":
        neware_csv(folder / f"{cell}_1.csv", "2026-03-02 10:00:00", rows=20)
    (folder / "cells.csv").write_text("Cell ID,Files,Configuration\nA,A_*,full\nB,B_*,full\n")
    return folder


def put_all(store: Any, folder: Path) -> None:
    for path in folder.rglob("*.csv"):
        obstore.put(store, f"raw/{path.relative_to(folder).as_posix()}", path)


def test_one_command_works_from_a_bucket_to_a_bucket(
    bucket: S3Store, lab: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put_all(bucket, lab)
    work, out = tmp_path / "work", tmp_path / "out"
    command = ["process", str(work), "--out", str(out), "--fetch", RAW, "--publish", RESULTS]
    assert main(command) == 0
    assert "3 files fetched" in capsys.readouterr().out
    assert published_as_in(out, bucket)
    plain = process(lab, tmp_path / "plain").cells
    assert_frame_equal(open_results(RESULTS)["cells"].sort("cell_id").collect(), plain)
    records = open_results(RESULTS)["timeseries"].filter(cell_id="A").collect()
    assert_frame_equal(
        records, open_results(out)["timeseries"].filter(cell_id="A").collect(), check_exact=True
    )
    assert main(command) == 0
    said = capsys.readouterr().out
    assert "0 files fetched, 0 gone" in said
    assert "0 files published" in said


def test_fetching_follows_the_listing(bucket: S3Store, lab: Path, tmp_path: Path) -> None:
    (lab / "sub").mkdir()
    shutil.copy(lab / "A_1.csv", lab / "sub" / "A_2.csv")
    put_all(bucket, lab)
    boto3.client("s3").put_object(Bucket="lab", Key="raw/a\\..\\..\\evil.csv", Body=b"x")
    work = tmp_path / "work"
    (work / "own").mkdir(parents=True)
    (work / "own" / "mine.csv").write_text("a person's")
    assert len(download(RAW, work).new) == 4
    assert {path.name for path in work.rglob("*.csv")} == {
        "A_1.csv", "B_1.csv", "cells.csv", "A_2.csv", "mine.csv",
    }  # fmt: skip
    assert download(RAW, work) == DownloadResult((), ())
    obstore.put(bucket, "raw/A_1.csv", b"another content")
    obstore.delete(bucket, "raw/sub/A_2.csv")
    (work / "B_1.csv").unlink()
    assert download(RAW, work) == DownloadResult(("A_1.csv", "B_1.csv"), ("sub/A_2.csv",))
    assert (work / "A_1.csv").read_bytes() == b"another content"
    assert (work / "own" / "mine.csv").is_file()


def test_what_is_the_folders_own_is_neither_replaced_nor_removed(
    bucket: S3Store, lab: Path, tmp_path: Path
) -> None:
    put_all(bucket, lab)
    work = tmp_path / "work"
    work.mkdir()
    (work / "A_1.csv").write_text("a person's")
    found = download(RAW, work)
    assert found.left_alone == ("A_1.csv",)
    assert "the folder has its own: A_1.csv" in str(found)
    obstore.delete(bucket, "raw/A_1.csv")
    assert download(RAW, work) == DownloadResult((), ())
    assert (work / "A_1.csv").read_text() == "a person's"
    (work / FETCHED).unlink()  # as after a crash before it was noted: they are followed again
    assert download(RAW, work) == DownloadResult(("B_1.csv", "cells.csv"), ())


def test_a_bucket_that_is_empty_all_at_once_or_another_one_removes_nothing(
    bucket: S3Store, lab: Path, tmp_path: Path
) -> None:
    put_all(bucket, lab)
    work = tmp_path / "work"
    download(RAW, work)
    before = {path.name: path.read_bytes() for path in work.iterdir()}
    with pytest.raises(StoreError, match="choose a folder for each address"):
        download("s3://lab/other", work)
    for path in names(bucket):
        obstore.delete(bucket, path)
    with pytest.raises(StoreError, match="nothing, where 3 files were"):
        download(RAW, work)
    assert {path.name: path.read_bytes() for path in work.iterdir()} == before


def test_a_manifest_that_is_not_cellpipes_is_left_alone(
    bucket: S3Store, lab: Path, tmp_path: Path
) -> None:
    process(lab, tmp_path / "out")
    ledger = Ledger(tmp_path / "out")
    for foreign in (b"{}", b"[1]", b"no json"):
        obstore.put(bucket, f"results/{MANIFEST}", foreign)
        with acquire(ledger), pytest.raises(StoreError, match="not cellpipe's"):
            upload(ledger, RESULTS)
    assert names(bucket, "results") == [f"results/{MANIFEST}"]


def test_a_run_that_is_killed_while_it_publishes_is_made_good_by_the_next(
    bucket: S3Store, lab: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    process(lab, out)
    ledger = Ledger(out)
    with acquire(ledger):
        upload(ledger, RESULTS)
    neware_csv(lab / "A_2.csv", "2026-04-02 10:00:00", rows=20)
    (lab / "B_1.csv").unlink()
    process(lab, out)
    real = {"put": obstore.put, "delete": obstore.delete}
    for killed_at in range(1, 40):
        left = iter(range(killed_at))

        def cut_off(name: str, left: Iterator[int] = left) -> Any:
            def asked(*given: Any, **named: Any) -> Any:
                if next(left, None) is None:
                    raise KeyboardInterrupt
                return real[name](*given, **named)

            return asked

        for name in real:
            monkeypatch.setattr(obstore, name, cut_off(name))
        with acquire(ledger):
            try:
                upload(ledger, RESULTS)
            except KeyboardInterrupt:
                for name, function in real.items():
                    monkeypatch.setattr(obstore, name, function)
                results = open_results(RESULTS)
                assert set(results["cells"].collect()["cell_id"]) in ({"A", "B"}, {"A"})
                assert not results["cycles"].collect().is_empty()
            else:
                break
    for name, function in real.items():
        monkeypatch.setattr(obstore, name, function)
    assert 5 < killed_at < 39
    assert published_as_in(out, bucket)


def test_of_two_that_publish_at_once_one_is_refused_before_it_writes(
    bucket: S3Store, lab: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, other = tmp_path / "out", tmp_path / "other"
    process(lab, out)
    process(lab, other)
    ours, theirs = Ledger(out), Ledger(other)
    before = read_manifest(RESULTS)
    with acquire(ours), acquire(theirs):
        upload(ours, RESULTS)
        mine = {path: content(bucket, path) for path in names(bucket)}
        with pytest.raises(StoreError, match="another ledger"):
            upload(theirs, RESULTS)
        monkeypatch.setattr(
            object_upload, "read_manifest", lambda _: before
        )  # it looked just before
        with pytest.raises(StoreError, match="publishes there just now"):
            upload(theirs, RESULTS)
    assert {path: content(bucket, path) for path in names(bucket)} == mine


def test_what_is_gathered_is_read_from_a_bucket_too(
    bucket: S3Store, lab: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consolidated, "ENOUGH", 2)
    out = tmp_path / "out"
    process(lab, out)
    assert consolidate_tables(out, all_of_it=True) == []  # the run has done it
    ledger = Ledger(out)
    with acquire(ledger):
        upload(ledger, RESULTS)
    opened: list[str] = []
    real = pl.scan_parquet

    def scan(source: Any, **named: Any) -> pl.LazyFrame:
        opened.append(str(source))
        return real(source, **named)

    monkeypatch.setattr(pl, "scan_parquet", scan)
    found = open_results(RESULTS)["cycles"].sort("cell_id", "cycle").collect()
    assert_frame_equal(found, open_results(out)["cycles"].sort("cell_id", "cycle").collect())
    assert opened[0] == "s3://lab/results/gathered/cycles.parquet"


def test_a_storage_that_is_away_or_empty_is_a_clear_error(
    bucket: S3Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(StoreError, match="--publish"):
        open_results(RESULTS)
    with pytest.raises(StoreError, match="check the address"):
        download("s3://no-such-bucket/raw", tmp_path)
    monkeypatch.setitem(sys.modules, "obstore", None)
    with pytest.raises(StoreError, match=r"cellpipe\[s3\]"):
        download(RAW, tmp_path)


def test_a_night_fetches_before_and_publishes_after(
    bucket: S3Store, lab: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put_all(bucket, lab)
    settings = tmp_path / "cellpipe.toml"
    (tmp_path / "work").mkdir()
    text = f"[[lab]]\nfolder = 'work'\nresults = 'out'\nfetch = '{RAW}'\npublish = '{RESULTS}'\n"
    settings.write_text(text)
    assert main(["nightly", "--settings", str(settings)]) == 0
    assert published_as_in(tmp_path / "out", bucket)
    settings.write_text(text.replace(RAW, "s3://no-such-bucket/raw"))
    assert main(["nightly", "--settings", str(settings)]) == 1  # what is there is used
    assert "fetch: s3://no-such-bucket/raw" in capsys.readouterr().err
    digest = tmp_path / "out" / "digest.txt"
    assert "fetch: s3://no-such-bucket/raw" in digest.read_text(encoding="utf-8")
    settings.write_text(text.replace(RESULTS, "s3://no-such-bucket/results"))
    assert main(["nightly", "--settings", str(settings)]) == 1
    assert "publish: " not in digest.read_text(encoding="utf-8")  # it is to be published itself
    settings.write_text(text)
    assert main(["nightly", "--settings", str(settings)]) == 0
    assert "publish: s3://no-such-bucket/results" in digest.read_text(encoding="utf-8")
    assert main(["nightly", "--settings", str(settings)]) == 0
    assert "publish: " not in digest.read_text(encoding="utf-8")


def test_a_watch_takes_what_arrives_in_the_bucket(
    bucket: S3Store, lab: Path, tmp_path: Path
) -> None:
    obstore.put(bucket, "raw/cells.csv", lab / "cells.csv")
    (tmp_path / "cellpipe.toml").write_text(
        "[[lab]]\nfolder = 'near'\nresults = 'out'\nfetch = 's3://lab/raw'\n"
        "[watch]\nfetch_seconds = 1\nsettle_seconds = 0.2\npoll_seconds = 1\n"
    )
    (tmp_path / "near").mkdir()
    clean = {key: value for key, value in os.environ.items() if key != "PREFECT_API_URL"}
    command = [sys.executable, "-m", "cellpipe", "watch"]
    with subprocess.Popen(command, cwd=tmp_path, env=clean, stderr=subprocess.DEVNULL) as watch:
        for number, cell in enumerate("AB", 1):
            obstore.put(bucket, f"raw/{cell}_1.csv", lab / f"{cell}_1.csv")
            until_there_are(number, tmp_path / "out" / "tables" / "cycles")
        watch.send_signal(signal.SIGINT)
        assert watch.wait(60) == 0
    process(lab, tmp_path / "plain")
    seen, plain = (open_results(tmp_path / name)["cycles"].collect() for name in ("out", "plain"))
    assert_frame_equal(seen, plain)


def until_there_are(count: int, folder: Path) -> None:
    end = time.monotonic() + 60
    while len(list(folder.glob("*.parquet"))) != count:
        assert time.monotonic() < end, f"not {count} tables in a minute"
        time.sleep(0.1)
