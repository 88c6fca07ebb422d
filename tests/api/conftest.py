"""The whole node, once for each module and driver, with the OpenAPI document as a witness of every reply."""

from __future__ import annotations

import pytest_asyncio

from support.caller import Caller
from support.document import Document
from support.node import running_node

# What a module may change by a constant `SETTINGS` of its own. The limits have tests of their own.
_SETTINGS = {"limits__enabled": False, "log__level": "error"}


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["http1", "asgi"])
async def node(request, tmp_path_factory):
    """A running node whose replies are all held against its own document."""
    settings = {**_SETTINGS, **getattr(request.module, "SETTINGS", {})}
    async with running_node(tmp_path_factory.mktemp("node"), driver=request.param, **settings) as running:
        document = Document((await running.client.get("/v1/openapi.json")).json())
        running.client.event_hooks["response"].append(document.check)
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def owner(node):
    """Somebody with a key for all of the namespace `demo`."""
    return Caller.with_key(node.client, await node.key("demo"))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def anonymous(node):
    return Caller(node.client)
