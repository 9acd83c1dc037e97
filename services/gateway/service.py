"""The gateway process: follow the journal, serve HTTP, until told to stop."""

import asyncio

from litestar.types import ASGIApp

from contracts import subjects
from services.gateway.account_view import SNAPSHOT_SCHEMA, AccountView
from services.gateway.api_keys import KeyRing
from services.gateway.app import make_app
from services.gateway.clerk import Clerk
from services.gateway.doorkeeper import Doorkeeper
from services.gateway.gateway import Gateway
from services.gateway.intent_desk import JetStreamIntentDesk
from services.gateway.process_watch import NatsProcessWatch
from services.gateway.server import listen, make_server
from services.runtime.health import ProcessState
from services.runtime.kill_file import KillFile
from services.runtime.ports import JournalUnavailableError
from services.runtime.process import Runtime

KEYS_FILE = "api_keys.json"
DECISION_WAIT_S = 2.0
"""How long a caller waits for a decision before it is told where to look later."""
SNAPSHOT_LOOK_EVERY_S = 1.0
SNAPSHOT_EVERY_EVENTS = 20_000


async def serve(runtime: Runtime) -> None:
    """Catch up with the journal, then answer requests until told to stop."""
    view = await _caught_up(runtime)
    listener = listen(runtime.settings.http_port)
    port: int = listener.getsockname()[1]
    server = make_server(application(runtime, view, port))
    runtime.report(http_port=port)
    runtime.freshly(lambda: {"seq": view.seq, "waiting": view.expected})
    runtime.spawn("snapshots", _keep_snapshots(runtime, view))
    serving = asyncio.ensure_future(server.serve(sockets=[listener]))
    stopping = asyncio.ensure_future(runtime.stopping.wait())
    runtime.mark_ready()
    await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    server.should_exit = True
    await serving
    await _keep(runtime, view)


async def _caught_up(runtime: Runtime) -> AccountView:
    """Fold the journal up to now, from the newest snapshot when there is one, and go on following it."""
    view = AccountView(runtime.journal)
    snapshot = await runtime.snapshots.load(SNAPSHOT_SCHEMA)
    if snapshot is not None:
        view.begin_from(snapshot)
    last_seq = await runtime.journal.last_seq()
    runtime.spawn("follow the journal", view.follow())
    await view.reach(last_seq)
    return view


def application(runtime: Runtime, view: AccountView, port: int) -> ASGIApp:
    """Put the parts together for one port."""
    settings, connection = runtime.settings, runtime.connection
    desk = JetStreamIntentDesk(connection, runtime.inbox)
    gateway = Gateway(
        account=runtime.account,
        mode=settings.broker.mode,
        broker=settings.broker.source,
        version=settings.code_version,
        journal=runtime.journal,
        view=view,
        clerk=Clerk(runtime.account, view, desk, decision_wait_s=DECISION_WAIT_S),
        keys=KeyRing(settings.credentials_dir / KEYS_FILE),
        processes=NatsProcessWatch(connection, runtime.account, runtime.clock),
        clock=runtime.clock,
        kill_file=KillFile(settings.home),
        is_linked=lambda: connection.is_connected,
        beat=lambda agent: connection.publish_now(subjects.beat(runtime.account, agent), b""),
        own_state=lambda: ProcessState.DRAINING if runtime.stopping.is_set() else ProcessState.READY,
    )
    return Doorkeeper(make_app(gateway), port)


async def _keep_snapshots(runtime: Runtime, view: AccountView) -> None:
    """Keep a snapshot now and then."""
    kept_seq = view.seq
    while True:
        if view.seq - kept_seq >= SNAPSHOT_EVERY_EVENTS:
            kept_seq = view.seq
            await _keep(runtime, view)
        await asyncio.sleep(SNAPSHOT_LOOK_EVERY_S)


async def _keep(runtime: Runtime, view: AccountView) -> None:
    """Save a snapshot; without one the next start only takes longer, so a broken link is no reason to fail."""
    try:
        await runtime.snapshots.save(view.snapshot())
    except JournalUnavailableError as error:
        runtime.log.warning("snapshot not saved", error=str(error))
