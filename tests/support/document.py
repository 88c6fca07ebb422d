"""The OpenAPI document as a witness: every reply in the API tests is held against it."""

from __future__ import annotations

import re
from typing import Any

import httpx2
from jsonschema import Draft202012Validator

from orama.errors import BY_LABEL

# Refusals of bytes, paths and methods, which belong to no operation.
_OF_NO_OPERATION = {405, 408, 414, 415, 417, 421, 426, 431}


class Document:
    """Checks replies of one node."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.paths: dict[str, dict[str, Any]] = document["paths"]
        self._templates = [(path, re.compile(re.sub(r"\{\w+\}", "[^/]+", path))) for path in self.paths if "{" in path]
        self._components = document["components"]
        self._validators: dict[tuple[str, str], Draft202012Validator] = {}
        self.checked = 0

    async def check(self, response: httpx2.Response) -> None:
        """For the event hooks of a client: fail if the document does not announce this reply."""
        await response.aread()
        request = response.request
        methods = self._methods(request.url.path)
        status = str(response.status_code)
        if methods is None or request.method == "OPTIONS" or response.status_code in _OF_NO_OPERATION:
            if response.status_code >= 400 and request.method != "HEAD":
                check_envelope(response)
            return
        method = "get" if request.method == "HEAD" else request.method.lower()
        operation = methods.get(method) or next(iter(methods.values()))
        name = operation["operationId"]
        assert status in operation["responses"], f"{name} answered {status}, which it does not declare: {response.text}"
        (media_type, content), *_ = operation["responses"][status]["content"].items()
        assert response.headers["content-type"].partition(";")[0] == media_type
        if request.method == "HEAD":
            assert not response.content
            return
        if media_type == "application/json":
            self._validator(name, status, content["schema"]).validate(response.json())
        if response.status_code >= 400:
            check_envelope(response)
        self.checked += 1

    def _methods(self, path: str) -> dict[str, Any] | None:
        """What the document says of a path: of itself, or of the first template that it fits."""
        if path in self.paths:
            return self.paths[path]
        return next((self.paths[template] for template, form in self._templates if form.fullmatch(path)), None)

    def _validator(self, name: str, status: str, schema: dict[str, Any]) -> Draft202012Validator:
        found = self._validators.get((name, status))
        if found is None:
            found = Draft202012Validator({**schema, "components": self._components})
            self._validators[name, status] = found
        return found


def check_envelope(response: httpx2.Response) -> None:
    """Every error has the one form."""
    body = response.json()
    assert response.headers["content-type"] == "application/json"
    assert isinstance(body["error"], str)
    assert body["error"]
    assert body["message"] == body["error"]
    assert body["request_id"] == response.headers["x-request-id"]
    kind = BY_LABEL[body["code"]]
    assert body["retryable"] is kind.code.retryable
    assert response.status_code == kind.code.http_status or response.status_code in _OF_NO_OPERATION
