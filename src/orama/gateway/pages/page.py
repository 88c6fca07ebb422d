"""A page in one piece, and the policy under which a browser runs what we wrote and nothing else."""

from __future__ import annotations

import base64
import hashlib
import html
import importlib.resources
from typing import Any, Final

import msgspec

from orama.gateway.kernel.message import Reply

_CONTENT_TYPE: Final = "text/html; charset=utf-8"


class Page:
    """``NAME.html`` beside this file with ``NAME.css`` and ``NAME.js`` put into it.

    Style and script are the same for everybody, so the policy names them by their hashes. What differs from request to
    request stands as JSON in an attribute, where it can be nothing but text.
    """

    def __init__(self, name: str) -> None:
        folder = importlib.resources.files("orama.gateway.pages")
        markup, style, script = (folder.joinpath(f"{name}.{kind}").read_text("utf-8") for kind in ("html", "css", "js"))
        self._markup = markup.replace("@style@", style).replace("@script@", script)
        policy = (
            "default-src 'none'",
            f"script-src {_source(script)}",
            f"style-src {_source(style)}",
            "connect-src 'self'",
            "img-src data:",  # wallets bring their icons so
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        )
        self._headers = [
            ("content-security-policy", "; ".join(policy)),
            ("x-frame-options", "DENY"),
            ("referrer-policy", "no-referrer"),
        ]

    def reply(self, data: Any) -> Reply:
        """The page with `data`, which its script finds in ``document.body.dataset.page``."""
        text = html.escape(msgspec.json.encode(data).decode(), quote=True)
        return Reply(200, self._markup.replace("@data@", text).encode(), _CONTENT_TYPE, headers=[*self._headers])


def _source(text: str) -> str:
    """`text` as a source of Content Security Policy, level 3, §2.3.1."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
