"""A real stream is rebuilt with one thing changed, and verification finds it at the very message."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from msgspec.structs import replace

from contracts import subjects
from contracts.audit import ChainCheckpoint
from contracts.codec import decode_event, encode
from contracts.ids import AccountId
from projections.chain import extend, genesis
from services.audit.checkpoint_files import CheckpointFiles
from services.audit.checkpoints import CheckpointFaultError, Schedule, check
from services.audit.notary import Notary
from services.audit.signing import Signer, signer_of
from services.audit.verification import Verdict, link_of_raw, verify
from services.runtime.clock import SystemClock
from services.runtime.connection import Connection
from services.runtime.jetstream import JetStreamJournal
from services.runtime.ports import JournalGapError, Received
from services.runtime.reading import catch_up_raw
from services.runtime.topology import ensure
from tests.nats_server import NatsServer
from tests.story_events import OPEN, short_day
from tests.waiting import until

pytestmark = pytest.mark.anyio
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

type Tamper = Callable[[list[Received]], list[Received]]


@dataclass
class Record:
    """One account's stream, and the checkpoints that were signed of it."""

    link: Connection
    account: AccountId
    files: CheckpointFiles
    signer: Signer

    @property
    def journal(self) -> JetStreamJournal:
        return JetStreamJournal(self.link, self.account)

    async def write(self) -> None:
        """A short day, with a checkpoint of the chain inside the journal before its last event."""
        events = list(short_day())
        for subject, event in events[:-1]:
            await self.journal.append(self._ours(subject), event, traceparent=TRACE)
        digest = self.digest_of(await self.messages())
        checkpoint = ChainCheckpoint(epoch=1, at=OPEN, upto_seq=len(events) - 1, digest=digest)
        await self.journal.append(subjects.audit(self.account), checkpoint)
        await self.journal.append(self._ours(events[-1][0]), events[-1][1])

    def _ours(self, subject: str) -> str:
        return subject.replace(".paper.", f".{self.account}.")

    def digest_of(self, messages: list[Received]) -> str:
        chain = genesis(self.account)
        for received in messages:
            chain = extend(chain, link_of_raw(received))
        return chain.digest.hex()

    async def notarize(self, messages_max: int = 7) -> None:
        stopping, last_seq = asyncio.Event(), await self.journal.last_seq()
        notary = Notary(self.journal, self.files, self.signer, SystemClock(), "test")
        task = asyncio.create_task(notary.run(stopping, Schedule(messages_max=messages_max, every_ms=20)))
        await until(lambda: task.done() or self.signed_upto() == last_seq)
        stopping.set()
        await task

    def signed_upto(self) -> int:
        last = self.files.last()
        return 0 if last is None else last.upto_seq

    async def messages(self) -> list[Received]:
        return [one async for one in catch_up_raw(self.journal, 0, await self.journal.last_seq())]

    async def rebuild(self, tampered: list[Received]) -> None:
        """Be the one who owns the server: delete the stream and write another in its place."""
        await self.link.jetstream().delete_stream(subjects.journal_stream(self.account))
        await ensure(self.link.jetstream(), [self.account])
        for one in tampered:
            await self.link.jetstream().publish(one.subject, one.body, headers=dict(one.headers) or None)

    async def verdict(self) -> Verdict:
        signed = self.files.all()
        check(signed, self.account, self.signer.public_key)
        return await verify(self.journal, None, signed)


@pytest.fixture
async def record(nats_server: NatsServer, tmp_path: Path) -> AsyncIterator[Record]:
    account = await nats_server.fresh_account()
    link = await nats_server.connect()
    made = Record(link, account, CheckpointFiles(tmp_path / "checkpoints", account), signer_of(tmp_path))
    await made.write()
    yield made
    await link.close()


def one_byte_changed(messages: list[Received]) -> list[Received]:
    changed = replace(messages[7], body=messages[7].body.replace(b'"qty":"4"', b'"qty":"5"'))
    assert changed != messages[7]
    return [*messages[:7], changed, *messages[8:]]


def body_broken(messages: list[Received]) -> list[Received]:
    return [*messages[:7], replace(messages[7], body=b"{" + messages[7].body), *messages[8:]]


def header_changed(messages: list[Received]) -> list[Received]:
    other = (("traceparent", TRACE.replace("b7ad", "b7ae")),)
    return [*messages[:7], replace(messages[7], headers=other), *messages[8:]]


def one_removed(messages: list[Received]) -> list[Received]:
    return [*messages[:7], *messages[8:]]


def two_swapped(messages: list[Received]) -> list[Received]:
    return [*messages[:7], messages[8], messages[7], *messages[9:]]


def one_inserted(messages: list[Received]) -> list[Received]:
    return [*messages[:7], messages[2], *messages[7:]]


def cut_after_the_checkpoint(messages: list[Received]) -> list[Received]:
    return messages[:-1]


def cut_to_nothing(messages: list[Received]) -> list[Received]:
    return messages[:0]


def rewritten_with_consistent_hashes(record: Record, messages: list[Received]) -> list[Received]:
    """Change a message, and every checkpoint inside the journal so that it fits."""
    forged = one_byte_changed(messages)
    at = next(i for i, one in enumerate(forged) if isinstance(decode_event(one.body), ChainCheckpoint))
    lying = replace(decode_event(forged[at].body), digest=record.digest_of(forged[:at]))
    forged[at] = replace(forged[at], body=encode(lying))
    return forged


TAMPERINGS: list[tuple[Tamper, int | None]] = [
    (one_byte_changed, 8),
    (body_broken, 8),
    (header_changed, 8),
    (one_removed, 8),
    (two_swapped, 8),
    (one_inserted, 8),
    (cut_after_the_checkpoint, -1),
    (cut_to_nothing, 1),
]


async def test_an_untouched_journal_is_clean_and_all_of_it_is_signed(record: Record):
    await record.notarize()
    verdict = await record.verdict()
    last_seq = await record.journal.last_seq()
    assert (verdict.bad_seq, verdict.events, verdict.signed_upto_seq) == (None, last_seq, last_seq)
    assert verdict.checkpoints == 1
    assert verdict.signed_checkpoints >= 3
    assert verdict.digest == record.digest_of(await record.messages())


async def test_the_same_messages_on_a_rebuilt_stream_are_still_clean(record: Record):
    await record.notarize()
    await record.rebuild(await record.messages())
    assert (await record.verdict()).is_clean


@pytest.mark.parametrize(("tamper", "bad_seq"), TAMPERINGS, ids=[t.__name__ for t, _ in TAMPERINGS])
async def test_a_rebuilt_stream_is_caught_at_the_first_message_that_is_not_the_signed_one(
    record: Record, tamper: Tamper, bad_seq: int
):
    await record.notarize()
    messages = await record.messages()
    await record.rebuild(tamper(messages))
    verdict = await record.verdict()
    assert verdict.bad_seq == (len(messages) if bad_seq == -1 else bad_seq), verdict.fault
    assert verdict.fault


async def test_a_whole_stream_rewritten_with_consistent_hashes_is_caught_by_the_exported_checkpoint(record: Record):
    await record.notarize()
    await record.rebuild(rewritten_with_consistent_hashes(record, await record.messages()))
    assert (await verify(record.journal)).is_clean  # the journal alone cannot know
    verdict = await record.verdict()
    assert (verdict.bad_seq, "signed in checkpoint" in verdict.fault) == (8, True)


async def test_checkpoints_forged_with_another_key_do_not_help(record: Record, tmp_path: Path):
    forged = one_byte_changed(await record.messages())
    await record.rebuild(forged)
    thief = Record(record.link, record.account, record.files, signer_of(tmp_path / "thief"))
    await thief.notarize()
    with pytest.raises(CheckpointFaultError, match="another key"):
        await record.verdict()


async def test_a_notary_that_comes_back_to_a_shorter_journal_does_not_sign(record: Record):
    await record.notarize()
    await record.rebuild((await record.messages())[:5])
    with pytest.raises(JournalGapError, match="before sequence"):
        await record.notarize()


async def test_a_notary_that_comes_back_to_another_journal_signs_nothing_that_verifies(record: Record):
    await record.notarize()
    forged = one_byte_changed(await record.messages())
    await record.rebuild([*forged, forged[0]])
    await record.notarize()
    assert (await record.verdict()).bad_seq == 8


async def test_a_line_torn_by_a_crash_is_dropped_and_signing_goes_on(record: Record):
    await record.notarize()
    path = next(record.files.folder.iterdir())
    path.write_bytes(path.read_bytes() + b'{"type":"audit.sign')
    await record.journal.append(*_control(record))
    await record.notarize()
    verdict = await record.verdict()
    assert (verdict.is_clean, verdict.signed_upto_seq) == (True, await record.journal.last_seq())


async def test_a_checkpoint_left_out_is_noticed(record: Record):
    await record.notarize()
    signed = record.files.all()
    with pytest.raises(CheckpointFaultError, match="are missing") as caught:
        check([signed[0], *signed[2:]], record.account, record.signer.public_key)
    assert caught.value.seq == signed[2].after_seq + 1


def _control(record: Record):
    subject, event = list(short_day())[-1]
    return subject.replace(".paper.", f".{record.account}."), event
