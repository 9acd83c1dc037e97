"""Where an instance keeps its read models."""

from projections.sql.location import Location
from services.runtime.settings import Settings


def read_models_of(settings: Settings) -> Location:
    """Give the place that the settings name: a database if they know one, else a file in the home folder."""
    url = None if settings.database_url is None else settings.database_url.value
    return Location(account=settings.account, path=settings.home / "audit" / "trail.sqlite3", url=url)
