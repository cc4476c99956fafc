"""`GET /v1/drift`, and the same figures as gauges for Prometheus."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import asdict
from typing import Any, Literal

from fastapi import APIRouter
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from pydantic import BaseModel, Field

from weitiao.serving.drift.index import State
from weitiao.serving.drift.watch import Watch

Names = Callable[[], Collection[str]]


class DriftMeasure(BaseModel):
    """One thing that can drift."""

    name: str = Field(description="lengths, unknown, unseen, confidence, scores or labels")
    index: float = Field(description="population stability index against the reference; 0 where nothing moved")
    state: State = Field(description="from 0.1 on moderate, from 0.25 on large, unless chance alone would do it")
    reference: float | dict[str, float] = Field(description="mean in training, or shares of the labels that moved most")
    current: float | dict[str, float] = Field(description="the same of the last requests")


class ModelDrift(BaseModel):
    """What is known of one model."""

    model: str
    requests: int = Field(description="records that are compared, the last ones")
    needed: int = Field(description="records that a comparison needs")
    state: State | Literal["waiting", "none"] = Field(
        description="the worst of the measures; waiting for more records; none where the run left no reference"
    )
    measures: list[DriftMeasure]


class Drifts(BaseModel):
    """What is known of each model."""

    models: list[ModelDrift]


def routes(watch: Watch, names: Names) -> APIRouter:
    """The address of drift.

    Args:
        watch: what is told of answered requests.
        names: of the models that are served.
    """
    router = APIRouter(tags=["drift"])

    @router.get("/v1/drift", response_model=Drifts, summary="How far requests drifted from the training data")
    def drift() -> Any:
        return {"models": [asdict(watch.drift(each)) for each in names()]}

    return router


class Gauges(Collector):
    """The figures for Prometheus; register it in the registry behind `/metrics`."""

    def __init__(self, watch: Watch, names: Names) -> None:
        self._watch, self._names = watch, names

    def collect(self) -> Iterator[Metric]:
        index = GaugeMetricFamily(
            "weitiao_drift_index", "Population stability index against the training data", labels=["model", "measure"]
        )
        window = GaugeMetricFamily("weitiao_drift_requests", "Records that are compared", labels=["model"])
        for name in self._names():
            drift = self._watch.drift(name)
            window.add_metric([name], drift.requests)
            for each in drift.measures:
                index.add_metric([name, each.name], each.index)
        yield index
        yield window
