"""An agent in plain nats-py: states an intent, reads its decision and what became of the order."""

import asyncio
import json
import os
import sys
import uuid
from pathlib import Path

import nats
from nats.aio.msg import Msg


async def trade(me: dict[str, str]) -> None:
    """State one intent and follow it to its end."""
    account, agent, intent_id = me["account"], me["agent"], str(uuid.uuid4())
    link = await nats.connect(me["nats_url"], nkeys_seed_str=me["nkey_seed"], inbox_prefix=me["inbox_prefix"])
    answers: asyncio.Queue[bytes] = asyncio.Queue()

    async def heard(message: Msg) -> None:
        answers.put_nowait(message.data)

    for kind in ("decision", "order"):
        await link.subscribe(f"acct.{account}.{kind}.{agent}.>", cb=heard)
    intent = {"type": "intent.submit.v1", "intent_id": intent_id, "symbol": "AAPL", "side": "buy", "qty": 1}
    intent |= {"order_type": "market", "meta": {"strategy": "example", "reason": "to show how it is done"}}
    await link.jetstream().publish(f"intent.{account}.{agent}.{intent_id}", json.dumps(intent).encode())
    while True:
        event = json.loads(await asyncio.wait_for(answers.get(), timeout=30))
        facts = {k: event[k] for k in ("outcome", "reason", "qty", "price") if k in event}
        sys.stdout.write(f"{event['type']} {facts}\n")
        if event["type"] == "order.filled.v1" or event.get("outcome") == "denied":
            return await link.close()


if __name__ == "__main__":
    home = Path(os.environ.get("LOCKGATE_HOME", "~/.lockgate")).expanduser()
    asyncio.run(trade(json.loads((home / "credentials" / "agent-demo.json").read_text())))
