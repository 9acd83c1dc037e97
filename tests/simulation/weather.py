"""How bad the wire between the OMS and the venue is; each way of being bad is one entry."""

from dataclasses import dataclass


@dataclass(slots=True)
class Weather:
    """Probabilities per request or update, and what lasts for a while."""

    lost_request: float = 0.0
    lost_answer: float = 0.0
    late_request: float = 0.0
    refused: float = 0.0
    rate_limited: float = 0.0
    not_sent: float = 0.0
    unread: float = 0.0
    blind_look_up: float = 0.0
    dropped_update: float = 0.0
    repeated_update: float = 0.0
    overtaken_update: float = 0.0
    nameless_update: float = 0.0
    cumulative_update: float = 0.0
    down_until: float = 0.0
    limited_until: float = 0.0
