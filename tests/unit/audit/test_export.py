"""Exports: byte for byte what the journal holds, signed, and of no use to who changed them."""

import csv
from pathlib import Path

import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from projections.chain import extend, genesis
from services.audit.checkpoints import CheckpointFaultError
from services.audit.export import COLUMNS, ExportFaultError, Format, line_of, link, received_of
from services.audit.exported import ExportedJournal, open_export, read_manifest
from services.audit.signing import Signer, signer_of
from services.audit.verification import verify
from services.runtime.ports import Received
from services.runtime.reading import catch_up_raw
from tests.prepared_day import Day
from tests.risk_world import NOW, PAPER

pytestmark = pytest.mark.anyio
BODIES = [
    b'{"a":1}',
    b'{"a": 1}',
    b' {"a":1}',
    b'{"a":1}\n',
    b'{"a":\n1}',
    b"nonsense",
    b"",
    b"\xff\x00",
    b'"x"',
    b"{" * 9,
]


def nothing(_: int) -> None:
    """Hear of progress."""


@pytest.fixture
def signer(tmp_path: Path) -> Signer:
    return signer_of(tmp_path / "home")


def day() -> Day:
    made = Day()
    for intent_id, qty in (("a", "10"), ("b", "60"), ("ü", "5")):
        made.ask("c" if intent_id == "ü" else intent_id, qty, meta={"reason": f"because of {intent_id}"})
    return made


@pytest.mark.parametrize("body", BODIES)
def test_any_message_comes_back_byte_for_byte(body: bytes):
    message = Received(7, "acct.paper.control", NOW, body, (("traceparent", "00-a-b-01"),))
    line = line_of(message)
    assert b"\n" not in line
    assert received_of(line) == message


@given(st.binary(max_size=60))
def test_any_bytes_at_all_come_back(body: bytes):
    message = Received(1, "acct.paper.control", NOW, body)
    assert received_of(line_of(message)) == message


async def test_an_export_reads_back_as_the_journal_it_was_made_of(tmp_path: Path, signer: Signer):
    made = day()
    manifest = await made.export(tmp_path / "x", signer)
    opened = open_export(tmp_path / "x", signer.public_key, nothing)
    journal = await made.journal()
    original = [one async for one in catch_up_raw(journal, 0, len(made.events))]
    chain = genesis(PAPER)
    for one in original:
        chain = extend(chain, link(one))
    assert list(opened.messages) == original
    assert (manifest.count, manifest.first_seq, manifest.last_seq) == (len(original), 1, len(original))
    assert manifest.chain_head == chain.digest.hex()
    assert (await verify(opened)).digest == manifest.chain_head
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "x").iterdir()} == {0o600}


async def test_a_changed_file_is_refused_and_so_is_a_changed_manifest(tmp_path: Path, signer: Signer):
    await day().export(tmp_path / "x", signer)
    file = tmp_path / "x" / "journal.jsonl"
    manifest = tmp_path / "x" / "manifest.json"
    content = file.read_bytes()
    file.write_bytes(content.replace(b'"qty":"10"', b'"qty":"11"', 1))
    with pytest.raises(ExportFaultError, match="changed or exchanged"):
        open_export(tmp_path / "x", signer.public_key, nothing)
    file.write_bytes(content)
    manifest.write_text(manifest.read_text().replace('"count": 7', '"count": 8'))
    with pytest.raises(ExportFaultError, match="not signed with the trusted key"):
        open_export(tmp_path / "x", signer.public_key, nothing)
    manifest.write_text("{}")
    with pytest.raises(ExportFaultError, match="no readable manifest"):
        read_manifest(tmp_path / "x")


async def test_a_manifest_signed_by_somebody_else_is_refused(tmp_path: Path, signer: Signer):
    await day().export(tmp_path / "x", signer_of(tmp_path / "thief"))
    with pytest.raises(ExportFaultError, match="trusted key"):
        open_export(tmp_path / "x", signer.public_key, nothing)


async def test_csv_and_parquet_hold_the_same_rows(tmp_path: Path, signer: Signer):
    made = day()
    for kind in (Format.CSV, Format.PARQUET):
        await made.export(tmp_path / kind, signer, kind)
    with (tmp_path / "csv" / "journal.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    table = pyarrow.parquet.read_table(tmp_path / "parquet" / "journal.parquet")
    assert tuple(rows[0]) == tuple(table.column_names) == COLUMNS
    assert len(rows) == table.num_rows == len(made.events)
    for name in ("type", "symbol", "order_id", "digest", "body"):
        assert [row[name] for row in rows] == [value or "" for value in table.column(name).to_pylist()]
    assert [int(row["seq"]) for row in rows] == table.column("seq").to_pylist()
    assert rows[-1]["symbol"] == "AAPL"


@pytest.mark.parametrize("kind", [Format.CSV, Format.PARQUET])
async def test_what_is_for_analysis_is_not_read_as_a_journal(tmp_path: Path, signer: Signer, kind: Format):
    await day().export(tmp_path / "x", signer, kind)
    with pytest.raises(ExportFaultError, match="for analysis"):
        open_export(tmp_path / "x", signer.public_key, nothing)


async def test_an_export_is_written_into_an_empty_folder_only(tmp_path: Path):
    (tmp_path / "mine").write_text("precious")
    with pytest.raises(ExportFaultError, match="is not empty"):
        await day().export(tmp_path)


async def test_a_hole_in_an_unsigned_export_is_found(tmp_path: Path):
    manifest = await day().export(tmp_path / "x")
    opened = open_export(tmp_path / "x", None, nothing)
    holed = ExportedJournal(tmp_path, manifest, [*opened.messages[:2], *opened.messages[3:]])
    verdict = await verify(holed)
    assert (verdict.bad_seq, verdict.is_clean) == (3, False)


async def test_a_message_that_is_no_event_is_named(tmp_path: Path):
    manifest = await day().export(tmp_path / "x")
    opened = open_export(tmp_path / "x", None, nothing)
    spoilt = [*opened.messages[:2], replace(opened.messages[2], body=b"{}"), *opened.messages[3:]]
    verdict = await verify(ExportedJournal(tmp_path, manifest, spoilt))
    assert (verdict.bad_seq, "no journal event" in verdict.fault) == (3, True)


def test_faults_say_where_proof_ends():
    assert CheckpointFaultError(4, "x").seq == 4
