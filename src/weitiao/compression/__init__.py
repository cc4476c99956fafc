"""The Step seam: what makes a fitted model smaller or faster, one file a step.

`STEP_OPTIONS` (options.py) is what is checked before weights are opened; `STEPS` are the steps themselves, each a
`compression.base.Step`. Another package adds both under one name: entry points of the groups `weitiao.steps` and
`weitiao.step_options`.
"""

from __future__ import annotations

from collections.abc import Mapping

from weitiao.compression.base import StepOptions
from weitiao.tables import Table

__all__ = ["STEPS", "STEP_OPTIONS", "StepOptions"]

STEPS = Table(
    "step",
    {
        "bits": "weitiao.compression.bits:Bits",
        "distil": "weitiao.compression.distil:Distil",
        "int8": "weitiao.compression.int8:Int8",
        "onnx": "weitiao.compression.onnx:Onnx",
        "prune": "weitiao.compression.prune:Prune",
        "sparsify": "weitiao.compression.sparsify:Sparsify",
        "vocabulary": "weitiao.compression.vocabulary:Vocabulary",
    },
)

STEP_OPTIONS: Mapping[str, type[StepOptions]] = Table(
    "step_option",
    {
        "bits": "weitiao.compression.bits_options:BitsOptions",
        "distil": "weitiao.compression.distil_options:DistilOptions",
        "int8": "weitiao.compression.int8_options:Int8Options",
        "onnx": "weitiao.compression.onnx_options:OnnxOptions",
        "prune": "weitiao.compression.prune_options:PruneOptions",
        "sparsify": "weitiao.compression.sparsify_options:SparsifyOptions",
        "vocabulary": "weitiao.compression.vocabulary_options:VocabularyOptions",
    },
)
