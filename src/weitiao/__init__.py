"""weitiao (微调, "fine-tuning"): a pretrained transformer and your labelled text in, a model you can trust and run out.

    run = weitiao.train("recipe.yaml")      # or a mapping, with data=[{"text": ..., "label": ...}, ...]
    run.predict(["..."]); run.evaluate("new.csv"); run.report

Names are imported when first used, so `import weitiao` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from weitiao.telemetry import silence as _silence

if TYPE_CHECKING:
    from weitiao.errors import WeitiaoError as WeitiaoError
    from weitiao.models.convert import convert as convert_model
    from weitiao.recipe import Recipe as Recipe
    from weitiao.serving.pipeline import Pipeline as Pipeline
    from weitiao.serving.predictor import load as load
    from weitiao.serving.server import serve as serve
    from weitiao.serving.shelf import Adapters as Adapters
    from weitiao.verbs.adapters import entries as list_adapters
    from weitiao.verbs.adapters import merge as merge_adapter
    from weitiao.verbs.check import check as check
    from weitiao.verbs.choose import choose as choose
    from weitiao.verbs.clusters.session import Cluster as Cluster
    from weitiao.verbs.compare import compare as compare
    from weitiao.verbs.compress import compress as compress
    from weitiao.verbs.convert import convert as convert
    from weitiao.verbs.curve import curve as curve
    from weitiao.verbs.doctor import doctor as doctor
    from weitiao.verbs.evaluate import evaluate as evaluate
    from weitiao.verbs.ladder import ladder as compress_ladder
    from weitiao.verbs.learn import learn as learn
    from weitiao.verbs.listing import entries as list_entries
    from weitiao.verbs.new import new as new
    from weitiao.verbs.predict import predict as predict
    from weitiao.verbs.predict import predict_file as predict_file
    from weitiao.verbs.quickstart import quickstart as quickstart
    from weitiao.verbs.run import Run as Run
    from weitiao.verbs.schema import schema as schema
    from weitiao.verbs.select import select as select
    from weitiao.verbs.train import train as train
    from weitiao.verbs.tune import tune as tune

__version__ = "0.1.0"

_silence()

_WHERE = {
    "Adapters": "weitiao.serving.shelf:Adapters",
    "Cluster": "weitiao.verbs.clusters.session:Cluster",
    "Pipeline": "weitiao.serving.pipeline:Pipeline",
    "Recipe": "weitiao.recipe:Recipe",
    "Run": "weitiao.verbs.run:Run",
    "WeitiaoError": "weitiao.errors:WeitiaoError",
    "check": "weitiao.verbs.check:check",
    "choose": "weitiao.verbs.choose:choose",
    "compare": "weitiao.verbs.compare:compare",
    "compress": "weitiao.verbs.compress:compress",
    "compress_ladder": "weitiao.verbs.ladder:ladder",
    "convert": "weitiao.verbs.convert:convert",
    "convert_model": "weitiao.models.convert:convert",
    "curve": "weitiao.verbs.curve:curve",
    "doctor": "weitiao.verbs.doctor:doctor",
    "evaluate": "weitiao.verbs.evaluate:evaluate",
    "learn": "weitiao.verbs.learn:learn",
    "list_adapters": "weitiao.verbs.adapters:entries",
    "list_entries": "weitiao.verbs.listing:entries",
    "load": "weitiao.serving.predictor:load",
    "merge_adapter": "weitiao.verbs.adapters:merge",
    "new": "weitiao.verbs.new:new",
    "predict": "weitiao.verbs.predict:predict",
    "predict_file": "weitiao.verbs.predict:predict_file",
    "quickstart": "weitiao.verbs.quickstart:quickstart",
    "schema": "weitiao.verbs.schema:schema",
    "select": "weitiao.verbs.select:select",
    "serve": "weitiao.serving.server:serve",
    "train": "weitiao.verbs.train:train",
    "tune": "weitiao.verbs.tune:tune",
}

__all__ = [
    "Adapters",
    "Cluster",
    "Pipeline",
    "Recipe",
    "Run",
    "WeitiaoError",
    "__version__",
    "check",
    "choose",
    "compare",
    "compress",
    "compress_ladder",
    "convert",
    "convert_model",
    "curve",
    "doctor",
    "evaluate",
    "learn",
    "list_adapters",
    "list_entries",
    "load",
    "merge_adapter",
    "new",
    "predict",
    "predict_file",
    "quickstart",
    "schema",
    "select",
    "serve",
    "train",
    "tune",
]


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'weitiao' has no attribute {name!r}")
    module, _colon, attribute = _WHERE[name].partition(":")
    value = getattr(import_module(module), attribute)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_WHERE})
