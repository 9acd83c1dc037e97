"""Event versions no longer written but still in journals: decodable for ever, never edited."""

RETIRED: tuple[type, ...] = ()
