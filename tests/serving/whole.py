"""The whole application in this process: predictions, feedback, drift and the page."""

from __future__ import annotations

from collections.abc import Sequence

from fastapi import FastAPI

from weitiao.serving.app import Doors, build_app
from weitiao.serving.desk import Desk
from weitiao.serving.drift import api as drift
from weitiao.serving.drift.watch import Watch
from weitiao.serving.feedback import api as feedback
from weitiao.serving.feedback.store import FeedbackStore
from weitiao.serving.page import api as page
from weitiao.serving.predictor import Predictor


def whole(predictors: Sequence[Predictor], store: FeedbackStore | None = None) -> tuple[FastAPI, Desk]:
    """The application, as `weitiao serve` puts it together, and its desk."""
    watch = Watch(lambda name: desk.find(name).predictor)
    desk = Desk(predictors, observers=[watch])
    routers = [
        page.routes(desk, feedback=store is not None),
        drift.routes(watch, lambda: list(desk.models)),
        feedback.routes(desk, store),
    ]
    return build_app(desk, routers=routers, doors=Doors(open_paths=page.OPEN_PATHS)), desk
