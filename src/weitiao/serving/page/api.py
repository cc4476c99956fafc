"""`/` and what it loads: its files, its texts in both languages, and what it must know of each model.

A strict Content-Security-Policy holds: no script or style but the files here, no other host, in no frame.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from fastapi import APIRouter
from fastapi.responses import JSONResponse, Response

from weitiao.messages import language
from weitiao.serving.desk import Desk
from weitiao.serving.page.forms import form_of
from weitiao.serving.page.texts import texts

FOLDER = Path(__file__).parent
FILES = {
    "answers.js": "text/javascript; charset=utf-8",
    "corrections.js": "text/javascript; charset=utf-8",
    "drift.js": "text/javascript; charset=utf-8",
    "page.css": "text/css; charset=utf-8",
    "page.js": "text/javascript; charset=utf-8",
    "pieces.js": "text/javascript; charset=utf-8",
}
OPEN_PATHS = ("/page/texts.json", *(f"/page/{name}" for name in FILES))  # that need no key: they are the same anywhere
LANGUAGES = ("en", "zh_CN")
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}


def routes(desk: Desk, *, feedback: bool, drift: bool = True) -> APIRouter:
    """The addresses of the page.

    Args:
        feedback: whether corrections are taken.
        drift: whether `/v1/drift` is there.
    """
    router = APIRouter(include_in_schema=False)

    @router.get("/")
    def page() -> Response:
        return Response(_read("index.html"), media_type="text/html; charset=utf-8", headers=HEADERS)

    @router.get("/page/models.json")
    def models() -> Response:
        forms = [{"name": name, **form_of(model.predictor)} for name, model in desk.models.items()]
        return JSONResponse({"models": forms, "feedback": feedback, "drift": drift}, headers=HEADERS)

    @router.get("/page/texts.json")
    def said() -> Response:
        return JSONResponse({name: _texts(name) for name in LANGUAGES}, headers=HEADERS)

    for name, kind in FILES.items():
        router.add_api_route("/page/" + name, _giving(name, kind), methods=["GET"])
    return router


def _giving(name: str, kind: str) -> Any:
    return lambda: Response(_read(name), media_type=kind, headers=HEADERS)


@cache
def _read(name: str) -> bytes:
    return (FOLDER / name).read_bytes()


def _texts(name: str) -> dict[str, str]:
    with language(name):
        return texts()
