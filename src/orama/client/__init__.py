"""The SDK: a gateway as a program sees it. Needs nothing that only a node needs."""

from orama.client.client import Client
from orama.client.settings import ClientSettings

__all__ = ["Client", "ClientSettings"]
