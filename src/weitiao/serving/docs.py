"""The server's documentation page: the OpenAPI description as plain HTML, without scripts and without other hosts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from html import escape
from typing import Any

from weitiao.messages import _

STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:50rem;margin:2rem auto;padding:0 1rem;color:#222}"
    "pre{background:#f4f4f4;padding:.75rem;overflow:auto;font-size:.85rem}h2{margin-top:2rem}"
    "@media(prefers-color-scheme:dark){body{background:#181818;color:#ddd}pre{background:#262626}}"
)


def docs_page(description: Mapping[str, Any]) -> str:
    """One section a path, with what it takes and an example call."""
    sections = "".join(
        _section(path, method, entry)
        for path, methods in description["paths"].items()
        for method, entry in methods.items()
    )
    title = escape(description["info"]["title"])
    link = _("Machine-readable description: {link}").format(link='<a href="/openapi.json">/openapi.json</a>')
    return (
        f'<!doctype html><html><head><meta charset="utf-8"><title>{title}</title><style>{STYLE}</style></head>'
        f"<body><h1>{title}</h1><p>{link}</p>{sections}</body></html>"
    )


def _section(path: str, method: str, entry: Mapping[str, Any]) -> str:
    parts = [f"<h2><code>{method.upper()} {escape(path)}</code></h2>"]
    content = entry.get("requestBody", {}).get("content", {}).get("application/json")
    if content:
        call = f"curl -H 'Content-Type: application/json' -d '[{{\"text\": \"...\"}}]' http://HOST:PORT{path}"
        schema = json.dumps(content["schema"], ensure_ascii=False, indent=2)
        parts += [f"<pre>{escape(call)}</pre><p>{escape(_('Body:'))}</p><pre>{escape(schema)}</pre>"]
    return "".join(parts)
