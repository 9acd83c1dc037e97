"""Carries the broker's market data to NATS and keeps every symbol's regime on record."""

import secrets
from collections.abc import AsyncIterator
from typing import assert_never

from contracts.market import Bar, Quote, SymbolStats, SymbolStatus
from services.regime.almanac import Almanac
from services.regime.data_rest import DataRest, NoDataError
from services.regime.feed import FeedDown, FeedKeys, FeedNoise, FeedReport, FeedTimings, FeedUp, MarketFeed
from services.regime.latest import feed_of, latest_quotes
from services.regime.publications import NatsPublications
from services.regime.watch import Watch
from services.runtime.batches import in_batches
from services.runtime.process import Runtime

TICK_MS = 250
BATCH_MESSAGES = 500
SILENCE_MS_MAX = 20_000
"""A socket that says nothing for so long is made anew: in session, eleven liquid symbols are never that quiet.

Out of session a new link each half minute is the price, bounded by the feed's own backoff."""


class _Link:
    """What the feed says of itself, counted for health."""

    def __init__(self) -> None:
        self.up = False
        self.reconnects = 0
        self.noise = 0
        self.last_noise: str | None = None


async def serve(runtime: Runtime) -> None:
    """Be the regime process until told to stop."""
    broker = runtime.settings.broker
    keys = FeedKeys(broker.key_id, broker.key_secret.value)
    symbols = runtime.settings.limits.symbol_allowlist
    publications = NatsPublications(runtime.connection)
    watch = Watch(symbols, publications, runtime.clock, runtime.settings.thresholds)
    almanac = Almanac(symbols, publications, runtime.clock, broker.source)
    rest, venue = DataRest(broker.data_url, keys), feed_of(broker.data_stream_url)
    feed = MarketFeed(
        broker.data_stream_url,
        keys,
        symbols,
        runtime.clock,
        secrets.randbelow,
        source=broker.source,
        timings=FeedTimings(silence_ms=SILENCE_MS_MAX),
    )
    await watch.restore()
    await _seed(runtime, watch, rest)
    ask_again_ms = await almanac.refresh(rest, venue)
    runtime.spawn("ask for bars", almanac.keep_fresh(rest, venue, ask_again_ms))
    await follow(runtime, watch, almanac, feed.stream())


async def follow(runtime: Runtime, watch: Watch, almanac: Almanac, reports: AsyncIterator[FeedReport]) -> None:
    """Pass on what the feed reports, and look after old quotes between its words."""
    link = _Link()
    tick_due_ms = 0
    async with in_batches(reports, size=BATCH_MESSAGES, gather_ms=0, idle_ms=TICK_MS) as batches:
        runtime.mark_ready()
        while not runtime.stopping.is_set():
            for report in await batches.next():
                if isinstance(report, Bar):
                    almanac.hear(report)
                await _take(runtime, watch, link, report)
            now_ms = runtime.clock.monotonic_ms()
            if now_ms >= tick_due_ms:
                tick_due_ms = now_ms + TICK_MS
                await watch.tick()
                almanac.tick()
                _tell(runtime, watch, link)


async def _take(runtime: Runtime, watch: Watch, link: _Link, report: FeedReport) -> None:
    match report:
        case Quote() | Bar() | SymbolStatus() | SymbolStats():
            await watch.hear(report)
        case FeedUp():
            link.up = True
            runtime.log.info("market data link is up")
        case FeedDown(detail=detail):
            link.up = False
            link.reconnects += 1
            runtime.log.warning("market data link is down", detail=detail)
        case FeedNoise(detail=detail):
            link.noise += 1
            link.last_noise = detail
        case _:
            assert_never(report)


def _tell(runtime: Runtime, watch: Watch, link: _Link) -> None:
    if link.last_noise is not None:
        runtime.log.warning("market data that could not be read", total=link.noise, last=link.last_noise)
        link.last_noise = None
    runtime.report(feed_up=link.up, reconnects=link.reconnects, noise=link.noise, **watch.facts())


async def _seed(runtime: Runtime, watch: Watch, rest: DataRest) -> None:
    """Begin with the broker's latest quotes; without them the socket's first quotes must do."""
    broker = runtime.settings.broker
    symbols = runtime.settings.limits.symbol_allowlist
    try:
        latest = await latest_quotes(rest, symbols, source=broker.source, feed=feed_of(broker.data_stream_url))
    except NoDataError as error:
        runtime.log.warning("no latest quotes to begin with", error=str(error))
        return
    for quote in latest.quotes:
        await watch.hear(quote)
    if latest.unreadable:
        runtime.log.warning("latest quotes that could not be read", quotes=latest.unreadable)
