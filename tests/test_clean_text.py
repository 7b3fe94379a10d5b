"""Text that leaves cellpipe: no secret of an address, and no control character."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import sys
import traceback
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellpipe.cli import console
from cellpipe.cli.logs import log_to
from cellpipe.cli.main import main
from cellpipe.cli.output import clean_output
from cellpipe.core.clean_text import (
    clean_line,
    clean_lines,
    escape_controls,
    escape_controls_in_json,
    is_postgres_address,
    is_storage_address,
    redact,
)
from cellpipe.core.errors import CellpipeError, SettingsError, StoreError
from cellpipe.report.html.digest import Digest, digest_text
from cellpipe.store.lab import Lab
from cellpipe.store.objects import check_address
from made_files import neware_csv

SECRET = "wJalr/XUt+nFEMI"  # noqa: S105 - with a slash, as half of all keys have
WITH_SECRET = (
    f"s3://AKIAKEY:{SECRET}@bucket/lab",
    f"S3://AKIAKEY:{SECRET}@bucket",
    f"s3://{SECRET.replace('/', '')}@bucket",
    f"https://bucket.example.org/lab?X-Amz-Signature={SECRET}",
    f"https://bucket.example.org/lab?sp=r&sig={SECRET}",
    f"postgresql://lab:{SECRET}@db.example.org/cellpipe#ours",
    f"postgresql://lab@db.example.org/cellpipe?password={SECRET}",
    f"postgres://lab:p@{SECRET}@db.example.org/cellpipe",
    f"http://anna:{SECRET}@proxy.example.org:3128",
    f"mailtos://anna:{SECRET}@example.org",
    f"s3:/AKIAKEY:{SECRET}@bucket",  # as a path has it
    f"s3//AKIAKEY:{SECRET}@bucket",
    f"s3:AKIAKEY:{SECRET}@bucket",
    f"//AKIAKEY:{SECRET}@bucket",
    f"s3://AKIAKEY%3A{SECRET}%40bucket",
    f"postgresql:lab:{SECRET}@db.example.org/cellpipe",
    f"postgres//lab:{SECRET}@db.example.org",
    f"postgresql://lab%3A{SECRET}%40db.example.org/cellpipe",
    f"host=db.example.org password='{SECRET}'",
    *(
        f"gs://bucket?{name}={SECRET}"
        for name in ("account_key", "key", "sas", "pass", "auth", "code", "SecretKey", "sig")
    ),
)
WITH_UNSEEN = (  # which can't be told from other text, and is refused as an address
    f"AKIAKEY:{SECRET}@bucket",
    f"lab:{SECRET}@db.example.org/cellpipe",
    f"s3://bucket/AKIAKEY:{SECRET}@x",
    f"s3://bucket/AKIAKEY%253A{SECRET}%2540x",
    f"s3://AKIAKEY:{SECRET}",
    f"s3://bucket?x={SECRET}",
    f"s3://bucket#{SECRET}@x?y",
    f"postgresql://db.example.org/cellpipe?options={SECRET}",
    f"postgresql://db.example.org/cellpipe?user={SECRET}",
    f"postgresql:{SECRET}",
    f"postgresql:///cellpipe#{SECRET}",
    SECRET,
)
PLAIN = (
    "s3://bucket/lab", "gs://bucket/a/b", "az://container/x", "s3://bucket/a@b/c",
    "postgresql://lab@db.example.org/cellpipe#ours", "postgresql:///cellpipe",
    "https://eln.example.org", "http://127.0.0.1:4200/api", "tcp://scheduler:8786",
)  # fmt: skip
CONTROLS = ["\x1b[2J", "\x07", "\x9b31m", "\u202egnp.exe", "\r", "\u2066", "\x00", "\u2028"]


@pytest.mark.parametrize("address", WITH_SECRET)
def test_no_secret_is_left_in_a_text(address: str) -> None:
    for text in (address, f"no answer from {address}, tried again", f"({address!r},)"):
        assert SECRET not in redact(text)
        assert SECRET.replace("/", "") not in redact(text)
        assert redact(redact(text)) == redact(text)
    assert not is_postgres_address(address)
    assert not is_storage_address(address)


@pytest.mark.parametrize("address", PLAIN)
def test_an_address_without_a_secret_stays_as_it_is(address: str) -> None:
    assert redact(f"found {address};") == f"found {address};"
    assert is_postgres_address(address) == address.startswith("postgresql:")
    if not address.startswith(("postgresql:", "tcp:")):
        assert is_storage_address(address)


def test_an_address_of_postgresql_may_say_how_it_is_reached() -> None:
    for rest in (
        "", "?sslmode=verify-full&sslrootcert=/etc/ca.pem", "?host=%2Fvar%2Frun", "#ours",
    ):  # fmt: skip
        assert is_postgres_address(f"postgresql://lab@db1:5432,[::1]:5433/cellpipe{rest}")
    for text in ("postgresql://", "postgresql:///", "postgresql:x", "mysql://db/x", ""):
        assert not is_postgres_address(text)


ADDRESSES = [a for a in (*WITH_SECRET, *WITH_UNSEEN) if "mailto" not in a and a != SECRET]


def is_refused_by(option: str, address: str) -> bool:
    """Return whether an option refuses it; to --out, some are the names of folders."""
    return option != "--out" or not (address in WITH_UNSEEN or address.startswith("//"))


@pytest.mark.parametrize(
    ("option", "address"),
    [(option, address) for option in ("--publish", "--fetch", "--ledger", "--publsh", "--out")
     for address in ADDRESSES if is_refused_by(option, address)],
)  # fmt: skip
@pytest.mark.parametrize("as_json", [False, True])
def test_a_command_refuses_it_and_does_not_repeat_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    option: str, address: str, as_json: bool,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    lab = tmp_path / "lab"
    lab.mkdir()
    out = [] if option == "--out" else ["--out", "out"]
    code: int | str | None
    try:
        code = main(["process", "lab", *out, option, address, *(["--json"] if as_json else [])])
    except SystemExit as error:
        code = error.code
    told = capsys.readouterr()
    logs = "".join(p.read_text() for p in tmp_path.rglob("*.log"))
    for text in (told.out, told.err, logs):
        assert SECRET not in text
        assert SECRET.replace("/", "") not in text
    assert code == 2
    if option in {"--publish", "--fetch", "--ledger"}:
        written = [p for p in tmp_path.rglob("*") if p.is_file()]
        assert not any(SECRET in p.read_text(errors="replace") for p in written)
        assert "password" in told.err or "address" in told.err


@pytest.mark.parametrize("name", ["publish", "fetch", "ledger"])
@pytest.mark.parametrize("address", [*WITH_SECRET, *WITH_UNSEEN])
def test_settings_with_one_are_refused_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, address: str
) -> None:
    (tmp_path / "lab").mkdir()
    path = tmp_path / "cellpipe.toml"
    quoted = json.dumps(address)
    path.write_text(f"[[lab]]\nfolder = 'lab'\nresults = 'out'\n{name} = {quoted}\n")
    for command in ("process", "nightly", "watch", "serve", "doctor"):
        code = main([command, "--settings", str(path)])
        told = capsys.readouterr()
        assert SECRET not in told.out + told.err
        assert code in {1, 2}


@pytest.mark.parametrize(
    "wrong",
    ["lab = {0}", "[server]\nport = {0}", "[server]\nfoo = {0}", "[server]\ndatabase = [{0}]",
     "[{0}]", "[server.{0}]\nx = 1", "[{0}]\n[{0}]", "{0} = 1\n{0} = 2", "x = {{{0} = 1, {0} = 2}}",
     "time_zone = {0}", "[nightly]\ncron = {0}", "[watch]\nevents = {0}", "[runner]\nkind = {0}",
     "[notify]\nto = [{0}]", "[[lab]]\n{0} = 1\nfolder = 'x'\nresults = 'y'"],
)  # fmt: skip
@pytest.mark.parametrize("address", [WITH_SECRET[5], WITH_UNSEEN[0], "x:SuperS3cr3tXYZ"])
def test_settings_that_are_wrong_are_not_quoted_with_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], wrong: str, address: str
) -> None:
    path = tmp_path / "cellpipe.toml"
    path.write_text(wrong.format(json.dumps(address)))
    for command in ("nightly", "doctor"):
        assert main([command, "--settings", str(path)]) in {1, 2}
        told = capsys.readouterr()
        for secret in (SECRET, "SuperS3cr3tXYZ"):
            assert secret not in told.out + told.err


def test_an_error_a_log_and_a_traceback_hold_none(tmp_path: Path) -> None:
    address = WITH_SECRET[0]
    error = StoreError(f"no answer from {address}", expected=address, remedy=address, file=address)
    logger = logging.getLogger("cellpipe")
    kept = logger.handlers[:], logger.level, logger.propagate
    try:
        log_to(tmp_path, verbose=False)
        try:
            raise ValueError(address) from error
        except ValueError:
            logger.exception("%s\nforged line", address)
            shown = traceback.format_exc()
    finally:
        for handler in [h for h in logger.handlers if h not in kept[0]]:
            handler.close()
        logger.handlers[:], logger.level, logger.propagate = kept
    written = (tmp_path / "cellpipe.log").read_text()
    assert "Traceback" in written
    assert "forged line" in written.splitlines()[0]
    parts = json.dumps({k: v for k, v in error.reason.parts.items() if k != "file"})
    for text in (str(error), str(error.reason), repr(error.args[:3]), parts, written):
        assert SECRET not in text
    assert "StoreError" in shown


def test_addresses_are_refused_wherever_a_lab_is_made() -> None:
    here = Path()
    for url in (WITH_SECRET[0], WITH_SECRET[2], WITH_SECRET[3]):
        with pytest.raises(StoreError, match="AWS_SECRET_ACCESS_KEY"):
            Lab(here, here, publish_url=url)
        with pytest.raises(StoreError, match="environment"):
            check_address(url)
    with pytest.raises(StoreError, match="pgpass"):
        Lab(here, here, ledger_url=WITH_SECRET[5])


@given(st.text())
def test_no_control_character_is_left(text: str) -> None:
    line = escape_controls(text)
    bidi = {*map(chr, range(0x202A, 0x202F)), *map(chr, range(0x2066, 0x206A))}
    assert not any(ord(c) < 0x20 or 0x7F <= ord(c) < 0xA0 or c in bidi for c in line)
    assert escape_controls(line) == line
    lines = clean_lines(text)
    assert lines.count("\n") == text.count("\n")


@pytest.mark.parametrize("control", CONTROLS)
def test_nothing_printed_holds_one(control: str) -> None:
    stream = io.StringIO()
    with contextlib.redirect_stdout(stream), clean_output():
        print(f"name{control}.csv")
        console.make_console().print(f"name{control}.csv")
        console.show_json({f"name{control}": [control]})
        sys.stdout.writelines([control])
    shown = stream.getvalue()
    assert not any(one in shown for one in control if not one.isprintable())
    assert f"name{clean_line(control)}.csv" in shown
    brace = shown.index("{")
    document = json.loads(shown[brace : shown.rindex("}") + 1])
    assert document == {f"name{control}": [control]}


@pytest.mark.slow
@pytest.mark.usefixtures("no_pages")
def test_names_of_files_and_cells_reach_no_output_with_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    lab = tmp_path / "lab"
    lab.mkdir()
    hostile = "\x1b[31mA\x07\u202e\n\x9b"
    neware_csv(lab / f"{hostile}_1.csv", "2026-01-01 10:00:00", rows=12)
    (lab / f"{hostile}.mpr").write_bytes(b"BIO-LOGIC MODULAR FILE\x1b" + bytes(100))
    (lab / f"{hostile}.foo").write_bytes(b"Timestamp\x1b]0;title\x07,H2O\n" * 9)
    (lab / "cells.csv").write_text(f'Cell ID,Files\x1b,Configuration\n"A{hostile}",*_1*,full\n')
    neware_csv(lab / "B.csv", "2026-02-01 10:00:00", rows=12)
    codes = [main(["process", "lab", "--out", "out", *more]) for more in ([], ["--json"], [])]
    codes += [main(["check", str(next(lab.glob("*_1.csv")))]), main(["status", "out"])]
    codes += [main(["status", "out", "--json"]), main(["history", "out", "B.csv"])]
    told = capsys.readouterr()
    log = (tmp_path / "out" / "cellpipe.log").read_text()
    for text in (told.out, told.err, log):
        assert not {c for c in text if not c.isprintable()} - {"\n", " "}, codes
    assert "\\x1b[31mA" in told.out


@pytest.mark.slow
def test_pages_and_what_is_handed_on_hold_none(tmp_path: Path) -> None:
    lab, out = tmp_path / "lab", tmp_path / "out"
    lab.mkdir()
    hostile = "\x1b[31m\u202eA\x9b"
    for number in (1, 2):
        start = f"2026-0{number}-01 10:00:00"
        neware_csv(lab / f"{hostile}_{number}.csv", start, rows=12)
    (lab / f"{hostile}.foo").write_bytes(b"Timestamp\x1b]0;title\x07,H2O\n" * 9)
    (lab / "cells.csv").write_text(
        "Cell ID,Files,Configuration,Comment,Cathode material\n"
        f"A,*_1*,full,c{hostile},m{hostile}\nB{hostile},*_2*,full,c{hostile},m{hostile}\n",
        encoding="utf-8",
    )
    main(["process", str(lab), "--out", str(out)])
    cells = ["A", f"B{hostile}"]
    assert main(["compare", str(out), *cells]) == 0
    assert main(["export", "bdf", str(out), *cells]) == 0
    assert main(["export", "eln", str(out), *cells]) == 0
    pages = [*out.rglob("*.html"), *out.rglob("*.metadata.json")]
    assert {path.parent.name for path in pages} >= {"out", "cells", "comparisons", "bdf"}
    for path in pages:
        text = path.read_text(encoding="utf-8")
        assert escape_controls(text.replace("\n", "")) == text.replace("\n", ""), path
    assert "\\x1b[31m\\u202eA" in (out / "index.html").read_text(encoding="utf-8")
    (sidecar, *_) = out.rglob("*.metadata.json")
    assert hostile in json.loads(sidecar.read_text(encoding="utf-8"))["source"]["path"]


@given(st.dictionaries(st.text(), st.text()))
def test_json_without_control_characters_says_the_same(content: dict[str, str]) -> None:
    text = escape_controls_in_json(json.dumps(content, ensure_ascii=False, indent=1))
    assert json.loads(text) == content
    assert escape_controls(text.replace("\n", "")) == text.replace("\n", "")


@given(
    st.lists(st.sampled_from(["password=", "?key=", '"', "'", "x", ",", " ", "\\", ":", "env:"]))
)
def test_json_stays_json_when_secrets_are_left_out(parts: list[str]) -> None:
    text = "".join(parts)
    stream = io.StringIO()
    with contextlib.redirect_stdout(stream), clean_output():
        console.show_json({"first": text, "next": [text, Path("x"), 1, None]})
    found = json.loads(stream.getvalue())
    assert found == {"first": redact(text), "next": [redact(text), "x", 1, None]}


def test_a_digest_holds_one_line_for_each_name() -> None:
    name = "A\x1b[2J\nAlarms (1):"
    found = Digest("2026-01-01T00:00", "", Path("x"), 1, [name], [(name, name)], [(name, name)])
    text = digest_text(found)
    assert "\x1b" not in text
    assert "\nAlarms (1):\nA" not in text
    assert text.count("\nAlarms (1):\n") == 1


def test_an_error_is_one_line() -> None:
    error = SettingsError("a\nb\x1b", expected="\x9b", remedy="\u202e", file="c\nd")
    assert str(error) == "c\\nd: found a\\nb\\x1b; expected \\x9b; remedy: \\u202e."
    assert isinstance(error, CellpipeError)
    assert error.file == "c\nd"  # the file itself can be opened
