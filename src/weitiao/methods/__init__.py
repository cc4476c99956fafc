"""The Method seam: which parameters learn, one file a method.

`METHOD_OPTIONS` (options.py) is what recipes, schema and plan read without torch; `METHODS` are the methods themselves,
each a `methods.base.Method`.
"""

from __future__ import annotations

from weitiao.methods.options import METHOD_OPTIONS, MethodOptions
from weitiao.tables import Table

__all__ = ["METHODS", "METHOD_OPTIONS", "MethodOptions"]

METHODS = Table(
    "method",
    {
        "contrastive": "weitiao.methods.contrastive:Contrastive",
        "full": "weitiao.methods.full:Full",
        "freeze": "weitiao.methods.freeze:Freeze",
        "gradual": "weitiao.methods.gradual:Gradual",
        "head": "weitiao.methods.freeze:LinearProbe",
        "lora": "weitiao.methods.lora:Lora",
        "adalora": "weitiao.methods.adalora:AdaLora",
        "ia3": "weitiao.methods.ia3:Ia3",
        "zero_shot": "weitiao.methods.zero_shot:ZeroShot",
        "adapter": "weitiao.methods.adapter:Adapter",
        "bitfit": "weitiao.methods.bitfit:BitFit",
        "p_tuning": "weitiao.methods.p_tuning:PTuning",
        "p_tuning_v2": "weitiao.methods.p_tuning:PTuningV2",
        "prefix": "weitiao.methods.prefix:PrefixTuning",
        "prompt": "weitiao.methods.prompt:Prompt",
    },
)
