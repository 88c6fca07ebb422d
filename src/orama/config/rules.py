"""What makes sense: rules on single texts and between settings, which no type can state."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterator
from typing import Any, Final, cast

from orama.config.fault import Fault, describe
from orama.config.model import Config
from orama.domain.callback import is_callback_rule
from orama.domain.namespace import parse_namespace
from orama.errors import InvalidArgument

_NAME: Final = r"[A-Za-z0-9](?:[A-Za-z0-9_-]{0,62})"
_HOST: Final = rf"(?:{_NAME}(?:\.{_NAME})*\.?|\[[0-9A-Fa-f:.]+\])"
_HOST_ONLY: Final = re.compile(_HOST)
_HOST_AND_PORT: Final = re.compile(rf"{_HOST}(?::(?P<port>[0-9]{{1,5}}))?")
_ORIGIN: Final = re.compile(rf"https?://{_HOST}(?::[0-9]{{1,5}})?")
_MAX_PORT: Final = 65535


def text_faults(path: str, value: Any, origin: str) -> Iterator[Fault]:
    """What is wrong with the texts of one setting; most settings have no rule."""
    rule = _TEXT_RULES.get(path)
    if rule is None or value is None:
        return
    is_right, wanted = rule
    for text in cast("tuple[str, ...]", value if isinstance(value, tuple) else (value,)):
        if not is_right(text):
            yield Fault(path, describe(text), wanted, origin=origin)


def conflicts(config: Config) -> Iterator[tuple[tuple[str, ...], Fault]]:
    """Settings that do not go together, each with the paths that it is about."""
    for small, large in _NOT_ABOVE:
        first, second = _get(config, small), _get(config, large)
        if first > second:
            yield (small, large), Fault(small, describe(first), f"at most {large}, which is {describe(second)}")
    if "*" in config.server.cors_origins and len(config.server.cors_origins) > 1:
        path = "server.cors_origins"
        yield (path,), Fault(path, "'*' beside other origins", "either '*' alone or a list of origins")
    if config.node.mode == "production" and config.node.public_host is None:
        path = "node.public_host"
        hint = "wallets show it when people sign in, so a wrong one makes sign-in unsafe"
        yield (path, "node.mode"), Fault(path, "nothing", "the public host name, in production", hint)


def _get(config: Config, path: str) -> Any:
    value: Any = config
    for name in path.split("."):
        value = getattr(value, name)
    return value


def _is_network(text: str) -> bool:
    try:
        ipaddress.ip_network(text)
    except ValueError:
        return False
    return True


def _is_namespace(text: str) -> bool:
    try:
        parse_namespace(text)
    except InvalidArgument:
        return False
    return True


def _is_host_and_port(text: str) -> bool:
    match = _HOST_AND_PORT.fullmatch(text)
    return match is not None and (match["port"] is None or int(match["port"]) <= _MAX_PORT)


def _is_listen_address(text: str) -> bool:
    return _is_host_and_port(text) and not text.endswith("]") and ":" in text


_NETWORK: Final = (_is_network, "a network such as 10.0.0.0/8, without bits beyond the prefix")
_TEXT_RULES: Final[dict[str, tuple[Callable[[str], object], str]]] = {
    "auth.allowed_domains": (_is_host_and_port, "a host, with its port if unusual, without scheme or path"),
    "auth.audience": (str.strip, "a text that is not blank"),
    "auth.default_namespace": (_is_namespace, "a namespace: 1 to 64 letters, digits, '_' or '-'"),
    "auth.login_callbacks": (
        is_callback_rule,
        "a URL such as https://app.example/auth/, with the host in lower case and without query or fragment",
    ),
    "auth.issuer": (str.strip, "a text that is not blank"),
    "auth.open_namespaces": (_is_namespace, "a namespace: 1 to 64 letters, digits, '_' or '-'"),
    "metrics.networks": _NETWORK,
    "node.public_host": (_is_host_and_port, "a host, with its port if unusual, without scheme or path"),
    "server.allowed_hosts": (_HOST_ONLY.fullmatch, "a host name without scheme, port or path"),
    "server.cors_origins": (
        lambda text: text == "*" or _ORIGIN.fullmatch(text),
        "'*' or an origin such as https://app.example, without a path",
    ),
    "server.listen": (_is_listen_address, "HOST:PORT, such as 127.0.0.1:6001 or [::1]:6001"),
    "server.trusted_proxies": _NETWORK,
}

_NOT_ABOVE: Final = (
    ("auth.access_token_s", "auth.refresh_s"),
    ("auth.decision_s", "auth.outage_decision_s"),
    ("auth.invitation_s", "auth.max_invitation_s"),
    ("auth.key_overlap_s", "auth.max_key_overlap_s"),
    ("auth.refresh_grace_s", "auth.access_token_s"),
    ("auth.signing_key_pause_s", "auth.signing_key_refresh_s"),
    ("cache.memory.max_key_bytes", "cache.memory.namespace_bytes"),
    ("cache.memory.max_value_bytes", "cache.memory.namespace_bytes"),
    ("cache.memory.namespace_bytes", "cache.memory.total_bytes"),
    ("database.limits.max_value_bytes", "database.limits.max_result_bytes"),
    ("database.sqlite.max_waiting_per_database", "database.sqlite.max_waiting"),
    ("idempotency.anonymous_retention_s", "idempotency.retention_s"),
    ("idempotency.max_kept_bytes", "database.limits.max_value_bytes"),
    ("pubsub.limits.max_message_bytes", "database.limits.max_value_bytes"),
    ("pubsub.limits.max_message_bytes", "pubsub.history.max_bytes"),
    ("pubsub.presence.renew_s", "pubsub.presence.lease_s"),
    ("server.max_connections_per_address", "server.max_connections"),
    ("server.max_request_line_bytes", "server.max_header_bytes"),
)
"""Pairs of which the first must not be above the second."""
