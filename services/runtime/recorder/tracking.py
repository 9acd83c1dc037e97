"""The library's tracking contract over the SQL read models' own tracking table, in SQLite and in PostgreSQL."""

from pathlib import Path

from eventsourcing import persistence
from eventsourcing.persistence import InfrastructureFactoryError, Tracking, TrackingRecorder
from eventsourcing.utils import Environment, resolve_topic

from contracts.ids import AccountId
from projections.sql.database import Database, DatabaseUnavailableError, IntegrityError
from projections.sql.location import Location
from projections.sql.tracking import advance, position_of

TRACKING_RECORDER_TOPIC = "TRACKING_RECORDER_TOPIC"


class SqlTrackingRecorder(TrackingRecorder):
    """Positions of upstream applications in a read models' database.

    A subclass that keeps a view of its own writes it inside `self.database.transaction()` and calls `_advance` there,
    so that view and position move together.
    """

    def __init__(self, database: Database) -> None:
        """Use an open database."""
        self.database = database

    def insert_tracking(self, tracking: Tracking) -> None:
        """Move an application's position upwards; raise the library's `IntegrityError` when it is there already."""
        try:
            with self.database.transaction():
                self._advance(tracking)
        except IntegrityError as error:
            raise persistence.IntegrityError(str(error)) from error
        except DatabaseUnavailableError as error:
            raise persistence.OperationalError(str(error)) from error

    def max_tracking_id(self, application_name: str) -> int | None:
        """Give an application's position, None when there is none."""
        return position_of(self.database, application_name)

    def _advance(self, tracking: Tracking) -> None:
        advance(self.database, tracking.application_name, tracking.notification_id)


def tracking_recorder(
    env: Environment, account: AccountId, kind: type[SqlTrackingRecorder] | None = None
) -> SqlTrackingRecorder:
    """Open the database that `DATABASE_URL` or `LOCKGATE_TRACKING_FILE` names, for an account's own read models."""
    url, file = env.get("DATABASE_URL"), env.get("LOCKGATE_TRACKING_FILE")
    if not url and not file:
        raise InfrastructureFactoryError(
            "neither DATABASE_URL nor LOCKGATE_TRACKING_FILE says where positions are kept"
        )
    topic = env.get(TRACKING_RECORDER_TOPIC)
    chosen = kind or (resolve_topic(topic) if topic else SqlTrackingRecorder)
    location = Location(account=account, path=Path(file or "unused"), url=url or None)
    return chosen(location.open_writer())
