"""What operators have said that stands: layers of limits, mandates, and kill switches by scope."""

from typing import NamedTuple

from immutables import Map
from msgspec.structs import replace

from contracts.base import Value
from contracts.broker import KillVerified
from contracts.controls import KillEngaged, KillReleased, LayerSet, MandateGranted, MandateRevoked
from contracts.enums import KillMode
from contracts.ids import AgentId
from contracts.limits import LimitOverride
from contracts.mandates import Mandate
from contracts.scopes import ACCOUNT, FIRM, Scope, ScopeKind, agent_scope, strategy_scope, symbol_scope

_WIDTH = tuple(KillMode)


class Layer(Value, frozen=True, kw_only=True):
    """One layer's own limits, none when it was taken away; its version stays, so that the next one counts on."""

    version: int
    limits: LimitOverride | None


class Kill(Value, frozen=True, kw_only=True):
    """A kill switch that is on, the journal sequence where it was put on, and what the broker showed since."""

    event: KillEngaged
    seq: int
    proof: KillVerified | None = None

    @property
    def cancels(self) -> bool:
        """Say whether everything that works in the scope must be canceled."""
        return self.event.mode is not KillMode.BLOCK_NEW

    @property
    def flattens(self) -> bool:
        """Say whether every position in the scope must be closed, too."""
        return self.event.mode is KillMode.FLATTEN


class Granted(Value, frozen=True, kw_only=True):
    """An agent's mandate, none when it was revoked; its version stays."""

    version: int
    mandate: Mandate | None


class Standing(Value, frozen=True, kw_only=True):
    """What stands; `version` counts every change of layers and mandates."""

    version: int = 0
    layers: Map[Scope, Layer] = Map()
    mandates: Map[AgentId, Granted] = Map()
    kills: Map[Scope, Kill] = Map()
    kill_seq: int = 0
    """Where the account's own switch was last moved."""

    def layer(self, scope: Scope) -> LimitOverride | None:
        """Give one layer's own limits."""
        layer = self.layers.get(scope)
        return None if layer is None else layer.limits

    def mandate(self, agent: AgentId) -> Mandate | None:
        """Give what an agent may do, none when nobody has said."""
        granted = self.mandates.get(agent)
        return None if granted is None else granted.mandate


NOTHING_SAID = Standing()
type StandingEvent = LayerSet | MandateGranted | MandateRevoked | KillEngaged | KillReleased | KillVerified


class Whose(NamedTuple):
    """Whose order it is, and in what."""

    agent: str
    strategy: str | None
    symbol: str


def scopes_over(whose: Whose) -> tuple[Scope, ...]:
    """Name every scope whose switches and trips bind an order, widest first."""
    scopes = (ACCOUNT, agent_scope(whose.agent), symbol_scope(whose.symbol))
    return scopes if whose.strategy is None else (*scopes, strategy_scope(whose.strategy))


def evolve(standing: Standing, event: StandingEvent, seq: int) -> Standing:
    """Fold what an operator said."""
    match event:
        case LayerSet(scope=scope, version=version, limits=limits):
            layers = standing.layers.set(scope, Layer(version=version, limits=limits))
            return replace(standing, layers=layers, version=standing.version + 1)
        case MandateGranted(agent=agent, version=version, mandate=mandate):
            mandates = standing.mandates.set(agent, Granted(version=version, mandate=mandate))
            return replace(standing, mandates=mandates, version=standing.version + 1)
        case MandateRevoked(agent=agent, version=version):
            mandates = standing.mandates.set(agent, Granted(version=version, mandate=None))
            return replace(standing, mandates=mandates, version=standing.version + 1)
        case KillEngaged():
            return _killed(standing, event, seq)
        case KillVerified():
            return _proved(standing, event)
        case KillReleased():
            scope = switch_of(event.scope)
            kills = standing.kills.delete(scope) if scope in standing.kills else standing.kills
            return replace(standing, kills=kills, kill_seq=seq if scope == ACCOUNT else standing.kill_seq)


def _killed(standing: Standing, event: KillEngaged, seq: int) -> Standing:
    """Widen a switch; a narrower word while it is on changes nothing: only a release cuts it back."""
    scope = switch_of(event.scope)
    known = standing.kills.get(scope)
    if known is not None and not is_wider(event.mode, known.event.mode):
        return standing
    kills = standing.kills.set(scope, Kill(event=event, seq=seq))
    return replace(standing, kills=kills, kill_seq=seq if scope == ACCOUNT else standing.kill_seq)


def _proved(standing: Standing, event: KillVerified) -> Standing:
    """Keep the newest proof of a switch that is on; one of an earlier, narrower mode proves nothing any more."""
    known = standing.kills.get(event.scope)
    if known is None or event.engaged_seq < known.seq:
        return standing
    return replace(standing, kills=standing.kills.set(event.scope, replace(known, proof=event)))


def switch_of(scope: Scope) -> Scope:
    """Name the switch that a scope means: the firm is this account, and symbols are written as orders name them."""
    if scope == FIRM:
        return ACCOUNT
    kind, dot, name = scope.partition(".")
    return symbol_scope(name.upper()) if dot and kind == ScopeKind.SYMBOL else scope


def is_wider(mode: KillMode, than: KillMode) -> bool:
    """Say whether a mode goes further than another."""
    return _WIDTH.index(mode) > _WIDTH.index(than)


def kills_over(standing: Standing, whose: Whose) -> tuple[Kill, ...]:
    """Give every switch that is on and binds an order, widest scope first."""
    if not standing.kills:
        return ()
    found = (standing.kills.get(scope) for scope in scopes_over(whose))
    return tuple(kill for kill in found if kill is not None)
