"""Signed checkpoints: when one is due, what the next one says, and what no forger can make of them."""

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from msgspec.structs import replace

from contracts.audit import SignedCheckpoint
from contracts.codec import encode
from contracts.ids import AccountId
from projections.chain import Link, extend, genesis
from services.audit.checkpoint_files import CheckpointFiles
from services.audit.checkpoints import (
    CheckpointFaultError,
    Coverage,
    Schedule,
    begin,
    check,
    draft,
    follow,
    is_due,
)
from services.audit.signing import KeyFaultError, Signer, key_path, public_key_path, signer_of, trusted_key

PAPER = AccountId("paper")
ENVIRON = os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])}
FULL = 3
KEEP_ON_A_FULL_DISK = f"""
import resource, sys
from pathlib import Path
from contracts.audit import SignedCheckpoint
from msgspec import json
from services.audit.checkpoint_files import CheckpointFiles
folder = Path(sys.argv[1])
files, one = CheckpointFiles(folder, "paper"), json.decode((folder / "second").read_bytes(), type=SignedCheckpoint)
size = (folder / "paper.000000.jsonl").stat().st_size
resource.setrlimit(resource.RLIMIT_FSIZE, (size + 10, size + 10))
try:
    files.keep(one)
except OSError:
    sys.exit({FULL})
"""
AT = datetime(2026, 11, 23, 15, 0, tzinfo=UTC)
LINKS = [Link(seq=seq, subject="acct.paper.control", body=b"%d" % seq) for seq in range(1, 10)]


@pytest.fixture
def signer(tmp_path: Path) -> Signer:
    return signer_of(tmp_path)


def signed_row(signer: Signer, *ends: int) -> list[SignedCheckpoint]:
    row: list[SignedCheckpoint] = []
    coverage = begin(PAPER, None)
    for end in ends:
        coverage = follow(coverage, LINKS[coverage.covered_seq : end])
        row.append(signer.sign(draft(coverage, PAPER, AT, "test")))
        coverage = begin(PAPER, row[-1])
    return row


def test_a_row_of_checkpoints_holds_the_chain_and_each_follows_the_one_before(signer: Signer):
    row = signed_row(signer, 4, 9)
    chain = genesis(PAPER)
    for link in LINKS:
        chain = extend(chain, link)
    assert [(one.number, one.after_seq, one.upto_seq) for one in row] == [(1, 0, 4), (2, 4, 9)]
    assert row[-1].digest == chain.digest.hex()
    check(row, PAPER, signer.public_key)


def test_a_row_may_begin_anywhere_because_older_ones_may_be_kept_elsewhere(signer: Signer):
    check(signed_row(signer, 2, 4, 9)[1:], PAPER, signer.public_key)


@pytest.mark.parametrize(
    "change",
    [
        {"digest": "00" * 32},
        {"upto_seq": 5},
        {"fingerprints": b"x" * 32},
        {"number": 7},
        {"signature": "00" * 64},
        {"signature": "not hex"},
        {"signature": ""},
    ],
)
def test_a_checkpoint_that_was_changed_is_refused(signer: Signer, change):
    row = signed_row(signer, 4, 9)
    with pytest.raises(CheckpointFaultError, match="was changed after it was signed") as caught:
        check([replace(row[0], **change), row[1]], PAPER, signer.public_key)
    assert caught.value.seq == 1


def test_a_checkpoint_of_another_account_or_key_is_refused(signer: Signer, tmp_path: Path):
    row = signed_row(signer, 4)
    with pytest.raises(CheckpointFaultError, match="of account paper, not of live"):
        check(row, AccountId("live"), signer.public_key)
    with pytest.raises(CheckpointFaultError, match="another key"):
        check(row, PAPER, signer_of(tmp_path / "other").public_key)


def test_two_histories_signed_with_one_key_do_not_join(signer: Signer):
    first, other = signed_row(signer, 4, 9), signed_row(signer, 3, 9)
    with pytest.raises(CheckpointFaultError, match="does not follow"):
        check([first[0], other[1]], PAPER, signer.public_key)


def test_checkpoints_are_due_by_number_or_by_age_and_never_for_nothing(signer: Signer):
    schedule = Schedule(messages_max=3, every_ms=100)
    empty = begin(PAPER, signed_row(signer, 1)[0])
    one, three = follow(empty, LINKS[1:2]), follow(empty, LINKS[1:4])
    due = [(empty, 10_000), (one, 99), (one, 100), (three, 0)]
    assert [is_due(coverage, waited_ms, schedule) for coverage, waited_ms in due] == [False, False, True, True]


def test_the_first_checkpoint_is_due_with_the_first_message():
    empty = begin(PAPER, None)
    assert [is_due(coverage, 0, Schedule()) for coverage in (empty, follow(empty, LINKS[:1]))] == [False, True]


def test_messages_are_followed_the_same_in_one_go_or_one_by_one():
    whole = follow(begin(PAPER, None), LINKS)
    step: Coverage = begin(PAPER, None)
    for link in LINKS:
        step = follow(step, [link])
    assert step == whole


def test_files_give_back_what_was_kept_in_order(signer: Signer, tmp_path: Path):
    files, row = CheckpointFiles(tmp_path / "kept", PAPER), signed_row(signer, 1, 3, 9)
    assert (files.all(), files.last()) == ([], None)
    for one in row:
        files.keep(one)
    assert (files.all(), files.last()) == (row, row[-1])
    assert [oct(path.stat().st_mode & 0o777) for path in files.folder.iterdir()] == ["0o600"]


def test_a_line_that_is_no_checkpoint_is_named(signer: Signer, tmp_path: Path):
    files, row = CheckpointFiles(tmp_path, PAPER), signed_row(signer, 4)
    files.keep(row[0])
    path = tmp_path / "paper.000000.jsonl"
    path.write_bytes(path.read_bytes() + b"{}\n")
    with pytest.raises(CheckpointFaultError, match="line 2 is no checkpoint") as caught:
        files.all()
    assert caught.value.seq == 5


def test_half_a_pair_of_keys_is_refused_rather_than_replaced(tmp_path: Path):
    signer_of(tmp_path)
    key_path(tmp_path).unlink()
    with pytest.raises(KeyFaultError, match="is missing"):
        signer_of(tmp_path)


def test_a_key_that_does_not_belong_to_its_public_half_is_refused(tmp_path: Path):
    signer_of(tmp_path)
    public_key_path(tmp_path).write_text("ab" * 32)
    with pytest.raises(KeyFaultError, match="not the public half"):
        signer_of(tmp_path)


def test_the_trusted_key_is_the_one_given_or_the_homes_own(tmp_path: Path):
    public_key = signer_of(tmp_path).public_key
    kept = tmp_path / "kept.pub"
    kept.write_text(public_key + "\n")
    assert {trusted_key(given, tmp_path) for given in (None, public_key, str(kept))} == {public_key}
    for given in ("zz" * 32, str(tmp_path / "nowhere")):
        with pytest.raises(KeyFaultError):
            trusted_key(given, tmp_path)


def test_a_checkpoint_that_does_not_fit_on_the_disk_is_an_error_and_not_half_a_line(signer: Signer, tmp_path: Path):
    first, second = signed_row(signer, 4, 9)
    CheckpointFiles(tmp_path, PAPER).keep(first)
    (tmp_path / "second").write_bytes(encode(second))
    tried = subprocess.run([sys.executable, "-P", "-c", KEEP_ON_A_FULL_DISK, tmp_path], env=ENVIRON, check=False)
    assert tried.returncode == FULL
    CheckpointFiles(tmp_path, PAPER).keep(second)
    assert CheckpointFiles(tmp_path, PAPER).all() == [first, second]
