"""Pub/sub, put together."""

from __future__ import annotations

import msgspec

from orama.contracts.broker import Broker
from orama.contracts.clock import Clock
from orama.contracts.database import Database
from orama.domain.journal import JournalLimits
from orama.domain.pubsub import PubSubLimits
from orama.services.pubsub.history import Histories
from orama.services.pubsub.journal import Journal
from orama.services.pubsub.rooms import Rooms
from orama.services.pubsub.service import PubSubService
from orama.services.sweep import Sweep


class PubSub(msgspec.Struct, frozen=True):
    """The services of pub/sub over one broker and the databases."""

    service: PubSubService
    rooms: Rooms
    sweeps: tuple[Sweep, ...]
    """What is to be removed from histories once they keep it no more."""


def open_pubsub(
    database: Database, broker: Broker, clock: Clock, limits: PubSubLimits, history: JournalLimits
) -> PubSub:
    """Build the services. The platform's migrations have been applied."""
    journal = Journal(database, clock, max_page_bytes=limits.max_message_bytes)
    histories = Histories(journal, database, clock, history)
    rooms = Rooms(broker, histories, clock, max_users=limits.max_subscribers)
    service = PubSubService(broker, histories, rooms, limits, clock)
    return PubSub(service, rooms, (histories.sweep(),))
