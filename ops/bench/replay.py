"""How fast a journal is read back: transport, decoding and folding together."""

import time

from contracts.ids import AccountId
from ops.bench.figures import Figure
from projections import account
from projections.fence import OPEN_FENCE, admits, raise_fence
from services.runtime.connection import connect
from services.runtime.jetstream import JetStreamJournal


async def replay(url: str, name: str, seed: str, repeats: int) -> tuple[Figure, Figure]:
    """Read the account's journal from its beginning several times: without folding, and with it."""
    link = await connect(url, name, seed, reconnect=False)
    journal = JetStreamJournal(link, AccountId("paper"))
    upto_seq = await journal.last_seq()
    read = [await _read(journal, upto_seq, fold=False) for _ in range(repeats)]
    folded = [await _read(journal, upto_seq, fold=True) for _ in range(repeats)]
    await link.close()
    return (
        Figure("replay: read and decode", "/s", max(read), 0, upto_seq, "budget 100,000"),
        Figure("replay: read, decode and fold", "/s", max(folded), 0, upto_seq),
    )


async def _read(journal: JetStreamJournal, upto_seq: int, *, fold: bool) -> float:
    state, fence = account.EMPTY, OPEN_FENCE
    began = time.perf_counter()
    async for recorded in journal.read():
        if fold and admits(fence, recorded.event):
            fence = raise_fence(fence, recorded.event)
            state = account.evolve(state, recorded.event, recorded.seq)
        if recorded.seq >= upto_seq:
            break
    return upto_seq / (time.perf_counter() - began)
