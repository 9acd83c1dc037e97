"""Nobody reaches further than their rights: tried on a real server with the configuration that production runs."""

import asyncio
import base64
import json

import nkeys
import pytest

from contracts import subjects
from contracts.ids import AccountId, AgentId, IntentId, OrderId, is_token
from services.runtime import stream_api
from services.runtime.jetstream import JetStreamInbox, JetStreamJournal, NatsSnapshots
from services.runtime.nats_rights import PROCESSES
from services.runtime.ports import JournalUnavailableError, Snapshot
from tests.conformance.journals import event
from tests.nats_server import PAPER, NatsServer
from tests.waiting import until

pytestmark = pytest.mark.anyio

DEMO, EVE = AgentId("demo"), AgentId("eve")
JOURNAL = subjects.journal_stream(PAPER)
REWRITING = [
    f"$JS.API.STREAM.{call}.{stream}"
    for call in ("CREATE", "UPDATE", "DELETE", "PURGE", "MSG.DELETE", "RESTORE", "PEER.REMOVE")
    for stream in (JOURNAL, subjects.INTENTS_STREAM)
]
NAMED_CONSUMERS = [f"$JS.API.CONSUMER.{call}.{JOURNAL}.other" for call in ("CREATE", "DURABLE.CREATE", "DELETE")]
JOURNAL_SUBJECTS = {
    "risk": [f"acct.{PAPER}.decision.demo.x", f"acct.{PAPER}.epoch.risk"],
    "oms": [
        f"acct.{PAPER}.order.demo.x",
        f"acct.{PAPER}.broker",
        f"acct.{PAPER}.control",  # what the kill file says
        f"acct.{PAPER}.epoch.oms",
    ],
    "gateway": [f"acct.{PAPER}.control", f"acct.{PAPER}.epoch.gateway"],
    "audit": [f"acct.{PAPER}.audit", f"acct.{PAPER}.epoch.audit"],
}
ALL_JOURNAL_SUBJECTS = sorted({s for own in JOURNAL_SUBJECTS.values() for s in own})


class Refusals:
    """One connection and what the server refused it."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def hear(self, error: Exception) -> None:
        self.texts.append(str(error).lower())

    def of(self, kind: str, subject: str) -> bool:
        return any(f'permissions violation for {kind} to "{subject.lower()}"' in text for text in self.texts)


async def refused_publishes(server: NatsServer, user: str, wanted: list[str]) -> set[str]:
    """Try to publish on each subject; give those that the server refused."""
    refusals = Refusals()
    connection = await server.connect(user, on_error=refusals.hear)
    for subject in wanted:
        await connection.publish(subject, b"")
    await connection.flush()
    await connection.close()
    return {subject for subject in wanted if refusals.of("publish", subject)}


async def refused_subscriptions(server: NatsServer, user: str, wanted: list[str]) -> set[str]:
    refusals = Refusals()
    connection = await server.connect(user, on_error=refusals.hear)
    for subject in wanted:
        await connection.subscribe(subject)
    await connection.flush()
    await connection.close()
    return {subject for subject in wanted if refusals.of("subscription", subject)}


async def journal_end(server: NatsServer) -> int:
    admin = await server.connect()
    state = await stream_api.state(admin, JOURNAL)
    await admin.close()
    return state.last_seq


async def test_an_agent_publishes_only_its_own_intents(nats_server):
    forbidden = [
        "intent.paper.eve.x",
        "intent.paper._operator.x",
        "intent.other.demo.x",
        "intent.paper.demo.x.y",
        "beat.paper.eve",
        "beat.other.demo",
        *ALL_JOURNAL_SUBJECTS,
        *REWRITING,
        *NAMED_CONSUMERS,
        f"$JS.API.CONSUMER.CREATE.{JOURNAL}",
        f"$JS.API.STREAM.MSG.GET.{JOURNAL}",
        f"$JS.API.DIRECT.GET.{JOURNAL}",
        f"$JS.API.DIRECT.GET.{JOURNAL}.acct.paper.decision.eve.x",
        f"$JS.API.DIRECT.GET.{JOURNAL}.acct.paper.control",
        "$KV.LEASES.risk.paper",
        "quote.AAPL",
        "regime.AAPL",
        "_INBOX_risk.x.1",
        "$SRV.PING",
        "$SYS.REQ.SERVER.PING",
    ]
    before = await journal_end(nats_server)
    assert await refused_publishes(nats_server, "demo", forbidden) == set(forbidden)
    assert await journal_end(nats_server) == before


async def test_an_agent_hears_only_its_own_subjects(nats_server):
    forbidden = [
        "acct.paper.decision.eve.>",
        "acct.paper.order.*.>",
        "acct.paper.>",
        "acct.paper.control",
        "intent.>",
        "_INBOX_eve.>",
        "_INBOX_risk.>",
        "_INBOX.>",
        "$JS.>",
        ">",
    ]
    assert await refused_subscriptions(nats_server, "demo", forbidden) == set(forbidden)


async def test_an_agent_states_an_intent_hears_its_decision_and_reads_it_again_later(own_nats_server):
    agent, risk = await own_nats_server.connect("demo"), await own_nats_server.connect("risk")
    decision = subjects.decision(PAPER, DEMO, IntentId("i1"))
    heard = await agent.subscribe(f"acct.{PAPER}.decision.demo.>")
    await agent.flush()
    stored = await agent.jetstream().publish(subjects.intent(PAPER, DEMO, IntentId("i1")), b"{}")
    assert stored.seq == 1
    seq = await JetStreamJournal(risk, PAPER).append(decision, event("decided"), expected_seq=0)
    message = await heard.next_msg(timeout=5)
    assert b"decided" in message.data
    later = await agent.request(f"$JS.API.DIRECT.GET.{JOURNAL}.{decision}", b"", timeout=5)
    assert (later.data, later.headers["Nats-Sequence"]) == (message.data, str(seq))
    await agent.close()
    await risk.close()


async def test_an_agents_beat_reaches_risk_out_of_its_own_account(nats_server):
    agent, risk = await nats_server.connect("demo"), await nats_server.connect("risk")
    heard = await risk.subscribe(subjects.beats_of(PAPER))
    await risk.flush()
    await agent.publish(subjects.beat(PAPER, DEMO), b"")
    await agent.flush()
    assert subjects.parse_beat((await heard.next_msg(timeout=5)).subject) == DEMO
    await agent.close()
    await risk.close()


async def test_an_agent_cannot_make_the_server_answer_into_the_journal_or_to_another_agent(own_nats_server):
    """A reply subject is not checked against the sender's rights, so answers must not leave the agent's account."""
    agent, eve, risk = [await own_nats_server.connect(user) for user in ("demo", "eve", "risk")]
    own = subjects.decision(PAPER, DEMO, IntentId("i1"))
    journal = JetStreamJournal(risk, PAPER)
    await journal.append(own, event("approved"))
    heard_by_eve = await eve.subscribe(f"acct.{PAPER}.decision.eve.>")
    await eve.flush()
    for n, target in enumerate([*ALL_JOURNAL_SUBJECTS, f"acct.{PAPER}.decision.eve.forged"]):
        await agent.publish(subjects.intent(PAPER, DEMO, IntentId(f"r{n}")), b"{}", reply=target)
        await agent.publish(f"$JS.API.DIRECT.GET.{JOURNAL}.{own}", b"", reply=target)
    await agent.request(f"$JS.API.DIRECT.GET.{JOURNAL}.{own}", b"", timeout=5)  # behind all of the above
    await journal.append(subjects.decision(PAPER, EVE, IntentId("true")), event("true"))
    assert (await heard_by_eve.next_msg(timeout=5)).subject.endswith(".true")
    assert await journal.last_seq() == 2
    for connection in (agent, eve, risk):
        await connection.close()


@pytest.mark.parametrize("user", [*PROCESSES, "operator"])
async def test_no_run_time_user_rewrites_history_or_touches_anothers_consumer(nats_server, user):
    forbidden = [*REWRITING, *NAMED_CONSUMERS]
    assert await refused_publishes(nats_server, user, forbidden) == set(forbidden)


@pytest.mark.parametrize("user", PROCESSES)
async def test_a_process_writes_only_its_own_journal_subjects_snapshots_and_leases(nats_server, user):
    others = [s for s in ALL_JOURNAL_SUBJECTS if s not in JOURNAL_SUBJECTS.get(user, [])]
    others += [f"$KV.{bucket}.{p}.paper" for bucket in ("SNAPSHOTS", "LEASES") for p in PROCESSES if p != user]
    others += [] if user == "gateway" else ["intent.paper.demo.x", "beat.paper.demo"]
    others += [] if user == "regime" else ["quote.AAPL", "regime.AAPL"]
    assert await refused_publishes(nats_server, user, others) == set(others)


async def test_the_operator_acts_as_the_operator_and_controls_and_nothing_else(nats_server):
    forbidden = [s for s in ALL_JOURNAL_SUBJECTS if not s.endswith(".control")] + ["intent.paper.demo.x"]
    assert await refused_publishes(nats_server, "operator", forbidden) == set(forbidden)


@pytest.mark.parametrize("user", [*PROCESSES, "operator"])
async def test_processes_and_operators_read_the_journal_with_their_rights(nats_server, user):
    risk, reader = await nats_server.connect("risk"), await nats_server.connect(user)
    seq = await JetStreamJournal(risk, PAPER).append(f"acct.{PAPER}.decision.demo.{user}", event(user))
    async with asyncio.timeout(20):
        async for recorded in JetStreamJournal(reader, PAPER).read(after=seq - 1):
            assert recorded.event.reason == user
            break
    await risk.close()
    await reader.close()


@pytest.mark.parametrize("user", PROCESSES)
async def test_a_process_keeps_snapshots_with_its_rights(nats_server, user):
    connection = await nats_server.connect(user)
    snapshots = NatsSnapshots(connection, user, PAPER)
    await snapshots.save(Snapshot(sequence=1, schema="s", state=b"x"))
    assert await snapshots.load("s") is not None
    await connection.close()


async def test_an_append_without_the_right_is_unavailable_and_never_stored(nats_server):
    connection = await nats_server.connect("regime")
    journal = JetStreamJournal(connection, PAPER)
    journal._publisher._ack_timeout_s = 0.5
    with pytest.raises(JournalUnavailableError, match="not confirmed"):
        await journal.append(subjects.control(PAPER), event())
    await connection.close()


async def raw_agent(server: NatsServer, user: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Log in without a client library, which would refuse to send nonsense."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    info = json.loads((await reader.readline()).removeprefix(b"INFO "))
    key = nkeys.from_seed(bytearray(server.seeds[user].encode()))
    signature = base64.b64encode(key.sign(info["nonce"].encode())).decode()
    hello = {"verbose": False, "headers": True, "nkey": key.public_key.decode(), "sig": signature}
    writer.write(b"CONNECT " + json.dumps(hello).encode() + b"\r\n")
    return reader, writer


NONSENSE_SUBJECTS = [b"not\xffutf8", b"vertical\x0btab", b"form\x0cfeed", b"nul\x00", b"semi;colon", b"\xc3\xa4"]
NONSENSE_HEADERS = [
    b"NATS/1.0",
    b"NATS/1.0 \xff\xff\xff\r\n\r\n",
    b"NATS/1.0 100 Idle Heartbeat\r\n\r\n",
    b"NATS/1.0 503\r\n\r\n",
    b"garbage",
    b"NATS/1.0\r\ntraceparent: \xff\xfe\r\n\r\n",
]


async def test_nonsense_from_an_agent_does_not_end_anybodys_reading(own_nats_server):
    """nats-py alone dies of several of these, again at every replay."""
    watcher = await own_nats_server.connect("operator")
    watched = []

    async def watch(message):
        watched.append(message.subject)

    await watcher.subscribe("intent.>", cb=watch)
    await watcher.flush()
    reader, writer = await raw_agent(own_nats_server, "demo")
    for name in NONSENSE_SUBJECTS:
        writer.write(b"PUB intent.paper.demo.%b 2\r\n{}\r\n" % name)
    for n, headers in enumerate(NONSENSE_HEADERS):
        writer.write(b"HPUB intent.paper.demo.h%d %d %d\r\n%b\r\n" % (n, len(headers), len(headers), headers))
    writer.write(b"PUB intent.paper.demo.last 2\r\n{}\r\nPING\r\n")
    await writer.drain()
    assert await asyncio.wait_for(reader.readline(), 10) == b"PONG\r\n"
    writer.close()
    risk = await own_nats_server.connect("risk")
    read = []
    async with asyncio.timeout(20):
        async for received in JetStreamInbox(risk, PAPER).read():
            read.append(received.subject.rpartition(".")[2])
            if read[-1] == "last":
                break
    assert [name for name in read if is_token(name)] == [*(f"h{n}" for n in range(len(NONSENSE_HEADERS))), "last"]
    await until(lambda: "intent.paper.demo.last" in watched)
    await watcher.close()
    await risk.close()


async def test_a_public_account_name_does_not_let_an_agent_of_another_account_in(nats_server):
    wanted = [f"intent.{AccountId('paper')}.demo.{IntentId('x')}", subjects.order(PAPER, DEMO, OrderId("o1"))]
    assert await refused_publishes(nats_server, "eve", wanted) == set(wanted)
