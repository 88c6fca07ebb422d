"""``/v1/keys``: the API keys of the caller's namespace, or of the caller's wallet alone."""

from __future__ import annotations

from typing import Final

import msgspec

from orama.domain.api_key import PREFIX, key_subject
from orama.domain.page import cursor, page_size, parse_cursor
from orama.domain.timestamp import rfc3339
from orama.errors import Code
from orama.gateway.handlers.edge import moment, provenance, seconds
from orama.gateway.kernel.call import Call
from orama.gateway.kernel.operation import Idempotency, RouteClass, operation
from orama.services.auth.assembly import Auth
from orama.services.auth.key_issuer import READ_OWN, WRITE_OWN, NewKey
from orama.services.auth.key_record import KeyRecord
from orama.wire import key as wire

_READ: Final = (Code.INVALID_ARGUMENT, Code.UNAVAILABLE)
_WRITE: Final = (*_READ, Code.NOT_FOUND, Code.CONFLICT)


class KeyHandlers:
    """With ``keys:read:own`` a caller sees its own keys, with ``keys:read`` all of the namespace's; so with writing."""

    def __init__(self, auth: Auth) -> None:
        self._keys = auth.keys

    @operation("GET", "/v1/keys", scope=READ_OWN, route_class=RouteClass.READ, errors=_READ)
    async def page(self, call: Call, request: wire.ListKeys) -> wire.ApiKeyList:
        """The keys that the caller may know of."""
        limit = page_size(request.limit)
        after = parse_cursor(request.after) if request.after else None
        found = await self._keys.page(call.caller, limit=limit, after=after, ended=request.all)
        return wire.ApiKeyList(
            keys=[_info(one) for one in found],
            count=len(found),
            next=cursor(found[-1].created_at, found[-1].id) if len(found) == limit else msgspec.UNSET,
        )

    @operation(
        "POST",
        "/v1/keys",
        scope=WRITE_OWN,
        route_class=RouteClass.WRITE,
        errors=_WRITE,
        status=201,
        idempotency=Idempotency.ATOMIC,
    )
    async def create(self, call: Call, request: wire.CreateKey) -> wire.KeyMade:
        """Make an API key; its secret is shown this once.

        It reaches no further than the caller, and not longer if the caller is a key that ends. If the caller is a
        wallet's, so is the new key: what the wallet loses, the key loses at once.
        """
        made = await self._keys.create(
            call.caller,
            name=request.name,
            scopes=request.scopes,
            lifetime_s=seconds("expires_in", request.expires_in),
            provenance=provenance(call),
            attempt=call.attempt,
        )
        return _made(made)

    @operation("GET", "/v1/keys/{id}", scope=READ_OWN, route_class=RouteClass.READ, errors=(*_READ, Code.NOT_FOUND))
    async def get(self, call: Call, request: wire.NamedKey) -> wire.KeyInfo:
        """One key, without its secret."""
        return _info(await self._keys.get(call.caller, _id(request.id)))

    @operation("DELETE", "/v1/keys/{id}", scope=WRITE_OWN, route_class=RouteClass.WRITE, errors=_WRITE)
    async def revoke(self, call: Call, request: wire.NamedKey) -> wire.KeyRevoked:
        """End a key: here at once, on other gateways within five seconds. Keys that it made live on."""
        key_id = _id(request.id)
        await self._keys.revoke(call.caller, key_id, provenance(call))
        return wire.KeyRevoked(id=key_subject(key_id))

    @operation(
        "POST",
        "/v1/keys/{id}/rotate",
        scope=WRITE_OWN,
        route_class=RouteClass.WRITE,
        errors=_WRITE,
        status=201,
        body_optional=True,
        idempotency=Idempotency.ATOMIC,
    )
    async def rotate(self, call: Call, request: wire.RotateKey) -> wire.KeyMade:
        """Replace a key by a new one with the same name and scopes; its secret is shown this once.

        The old one still works for `overlap`, so that programs can change over one by one; with 0 it ends at once.
        """
        made = await self._keys.rotate(
            call.caller,
            _id(request.id),
            overlap_s=seconds("overlap", request.overlap, least=0),
            lifetime_s=seconds("expires_in", request.expires_in),
            provenance=provenance(call),
            attempt=call.attempt,
        )
        return _made(made)


def _id(text: str) -> str:
    return text.removeprefix(PREFIX)


def _made(made: NewKey) -> wire.KeyMade:
    return wire.KeyMade(
        api_key=made.key.text,
        id=key_subject(made.key.id),
        name=made.name,
        scopes=sorted(made.scopes),
        namespace=made.key.namespace,
        created_at=rfc3339(made.created_at),
        expires_at=moment(made.expires_at),
        replaces=msgspec.UNSET if made.replaces is None else key_subject(made.replaces),
        replaced_until=moment(made.replaced_until),
    )


def _info(record: KeyRecord) -> wire.KeyInfo:
    return wire.KeyInfo(
        id=key_subject(record.id),
        name=record.name,
        scopes=sorted(record.scopes),
        effective_scopes=sorted(record.effective_scopes),
        sign_in=record.family is not None,
        wallet=record.wallet or msgspec.UNSET,
        created_by=record.created_by or msgspec.UNSET,
        created_at=rfc3339(record.created_at),
        expires_at=moment(record.expires_at),
        revoked_at=moment(record.revoked_at),
        last_used_at=moment(record.last_used_at),
        replaced_by=msgspec.UNSET if record.replaced_by is None else key_subject(record.replaced_by),
    )
