"""weitiao (微调, "fine-tuning"): a pretrained transformer and your labelled text in, a model you can trust and run out.

    run = weitiao.train("recipe.yaml")      # or a mapping, with data=[{"text": ..., "label": ...}, ...]
    run.predict(["..."]); run.evaluate("new.csv"); run.report

Names are imported when first used, so `import weitiao` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from weitiao.errors import WeitiaoError as WeitiaoError
    from weitiao.recipe import Recipe as Recipe
    from weitiao.serving.predictor import load as load
    from weitiao.verbs.check import check as check
    from weitiao.verbs.compare import compare as compare
    from weitiao.verbs.evaluate import evaluate as evaluate
    from weitiao.verbs.predict import predict as predict
    from weitiao.verbs.quickstart import quickstart as quickstart
    from weitiao.verbs.run import Run as Run
    from weitiao.verbs.train import train as train

__version__ = "0.1.0"

_WHERE = {
    "Recipe": "weitiao.recipe",
    "Run": "weitiao.verbs.run",
    "WeitiaoError": "weitiao.errors",
    "check": "weitiao.verbs.check",
    "compare": "weitiao.verbs.compare",
    "evaluate": "weitiao.verbs.evaluate",
    "load": "weitiao.serving.predictor",
    "predict": "weitiao.verbs.predict",
    "quickstart": "weitiao.verbs.quickstart",
    "train": "weitiao.verbs.train",
}

__all__ = [
    "Recipe",
    "Run",
    "WeitiaoError",
    "__version__",
    "check",
    "compare",
    "evaluate",
    "load",
    "predict",
    "quickstart",
    "train",
]


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'weitiao' has no attribute {name!r}")
    value = getattr(import_module(_WHERE[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_WHERE})
