"""Kinds of request fields, for the documentation of the wire.

What these say is checked where the field is used, not while it is decoded: the messages there are the ones that
existing clients know. Each bound stands in one place of the code; a test sends requests on both sides of it.
"""

from __future__ import annotations

from typing import Annotated, Final, TypeAlias

import msgspec

from orama.domain.page import MAX_PAGE

REQUIRED: Final = "x-required"
"""Marks, in a field's schema, that a request without it is refused though the struct has a default."""

Text: TypeAlias = Annotated[str, msgspec.Meta(extra_json_schema={"minLength": 1, REQUIRED: True})]
"""A text that must be there and not be empty."""

Words: TypeAlias = Annotated[str, msgspec.Meta(extra_json_schema={"pattern": r"\S", REQUIRED: True})]
"""A text that must be there and hold more than white space."""

Wallet: TypeAlias = Annotated[
    str,
    msgspec.Meta(
        description="An Ethereum address, or a Solana address in its exact case.",
        extra_json_schema={
            "pattern": r"^\s*((0[xX])?[0-9a-fA-F]{40}|[1-9A-HJ-NP-Za-km-z]{32,44})\s*$",
            REQUIRED: True,
        },
    ),
]
"""A wallet that must be there."""

Name: TypeAlias = Annotated[str, msgspec.Meta(extra_json_schema={"maxLength": 128})]
"""What people call something."""

NamespaceName: TypeAlias = Annotated[
    str,
    msgspec.Meta(
        description="A namespace; empty stands for the default one.",
        extra_json_schema={"pattern": "^([A-Za-z0-9][A-Za-z0-9_-]{0,63})?$"},
    ),
]

Duration: TypeAlias = Annotated[
    str | Annotated[int, msgspec.Meta(extra_json_schema={"minimum": 1})],
    msgspec.Meta(description="A Go duration ('30s', '720h') or whole seconds, at least 1."),
]

PageSize: TypeAlias = Annotated[int, msgspec.Meta(extra_json_schema={"minimum": 1, "maximum": MAX_PAGE})]
"""How many entries of a list."""

NewNamespace: TypeAlias = Annotated[
    str, msgspec.Meta(extra_json_schema={"pattern": "^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$"})
]
"""The name of a namespace that must be there."""

Count: TypeAlias = Annotated[int, msgspec.Meta(extra_json_schema={"minimum": 0, "maximum": 2**63 - 1})]
"""How many; never negative."""
