"""Where a command finds the gateway, and as whom it calls: flags, else the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Final

from orama.errors import InvalidArgument

URL_VARIABLE: Final = "ORAMA_URL"
KEY_VARIABLE: Final = "ORAMA_API_KEY"
DEFAULT_URL: Final = "http://127.0.0.1:6001"


def gateway_url(flag: str | None, environment: Mapping[str, str] | None = None) -> str:
    """The address given by `flag`, else by ``ORAMA_URL``, else that of a node with default settings."""
    environment = os.environ if environment is None else environment
    return flag or environment.get(URL_VARIABLE) or DEFAULT_URL


def gateway_key(flag: str | None, environment: Mapping[str, str] | None = None) -> str:
    """The API key given by `flag`, else by ``ORAMA_API_KEY``.

    Raises:
        InvalidArgument: there is none.
    """
    environment = os.environ if environment is None else environment
    key = flag or environment.get(KEY_VARIABLE)
    if not key:
        raise InvalidArgument(
            f"no API key: set {KEY_VARIABLE}, or name one with --api-key", reason="missing_credential"
        )
    return key
