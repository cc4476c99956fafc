"""Bodies of requests, read no further than a limit."""

from __future__ import annotations

from starlette.requests import Request

from weitiao.messages import _
from weitiao.serving.desk import RequestError


async def read_body(request: Request, limit: int) -> bytes:
    """The body, read no further than the limit.

    Raises:
        RequestError: it is larger (413).
    """
    reason = _("the body is larger than {limit} bytes").format(limit=limit)
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > limit:
        raise RequestError(413, reason)
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise RequestError(413, reason)
    return bytes(body)
