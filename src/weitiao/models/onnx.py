"""A network as an ONNX graph, run by ONNX Runtime: features in, outputs out, as `models.inference` does under torch.

Without torch. The graph's inputs are those of a `Batch` by name (`input_ids`, `attention_mask`, `token_type_ids`,
`places.NAME`), its outputs those of the head. What else is needed to ask it stands in the file's own metadata.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from weitiao.errors import MissingExtra, Refused
from weitiao.machine import cores
from weitiao.messages import _
from weitiao.models.padding import ALIKE, BATCH_TOKENS, batches_by_length, outputs_of, padded_inputs, padded_places
from weitiao.records import Feature, Outputs

ONNX_FILE = "model.onnx"
PLACES = "places."  # what the names of inputs begin with that are `Feature.places`
PAD_ID, TOKEN_AXES = "weitiao.pad_id", "weitiao.token_axes"  # in the file's metadata


@dataclass(frozen=True, slots=True)
class OnnxGraph:
    """A graph that is loaded.

    Args:
        session: ONNX Runtime's.
        inputs: names of what it reads.
        outputs: names of what it answers.
        pad_id: token that fills a batch.
        token_axes: output -> how many of its axes behind the row's count tokens.
    """

    session: Any
    inputs: Sequence[str]
    outputs: Sequence[str]
    pad_id: int
    token_axes: Mapping[str, int]

    @classmethod
    def open(cls, path: Path, *, threads: int | None = None) -> OnnxGraph:
        """Load a file.

        Args:
            path: the `.onnx` file.
            threads: that one call may use; by default OMP_NUM_THREADS, or all cores that this process may use.

        Raises:
            MissingExtra: ONNX Runtime is not installed.
            Refused: it cannot read the file, or the file was not made here.
        """
        session = _session(path, threads or threads_here())
        told = session.get_modelmeta().custom_metadata_map
        if PAD_ID not in told:
            message = _("{path}: does not say how it is asked, so it is no export of weitiao; see weitiao compress")
            raise Refused(message.format(path=path))
        return cls(
            session,
            [each.name for each in session.get_inputs()],
            [each.name for each in session.get_outputs()],
            int(told[PAD_ID]),
            json.loads(told[TOKEN_AXES]),
        )

    def infer(self, features: Sequence[Feature], *, batch_tokens: int = BATCH_TOKENS) -> list[Outputs]:
        """The outputs of each feature, in their order; rows of like length go together.

        Args:
            features: any number.
            batch_tokens: padded tokens a batch.
        """
        results: list[Outputs] = [{}] * len(features)
        for rows in batches_by_length([len(feature) for feature in features], batch_tokens, alike=ALIKE):
            outputs = self.run([features[row] for row in rows])
            for place, row in enumerate(rows):
                results[row] = outputs_of(place, outputs, self.token_axes, len(features[row]))
        return results

    def run(self, features: Sequence[Feature]) -> Outputs:
        """The outputs of one padded batch."""
        found = self.session.run(self.outputs, fed(features, self.pad_id, self.inputs))
        return {name: each.astype(np.float32, copy=False) for name, each in zip(self.outputs, found, strict=True)}


def fed(features: Sequence[Feature], pad_id: int, names: Sequence[str]) -> dict[str, np.ndarray]:
    """The inputs of one padded batch: those of `names`, for a head may not read all that a batch has."""
    places = {PLACES + name: each.astype(np.int64) for name, each in padded_places(features).items()}
    every = {**padded_inputs(features, pad_id), **places}
    return {name: every[name] for name in names}


def _session(path: Path, threads: int) -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        raise MissingExtra("onnxruntime", "onnx") from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    if os.environ.get("OMP_WAIT_POLICY", "").upper() == "PASSIVE":  # as torch's threads then, its own wait asleep
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3  # errors; warnings are about its own optimisations
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its errors have no common base
        reason = str(error).splitlines()[0]
        raise Refused(_("{path}: ONNX Runtime cannot load it ({reason})").format(path=path, reason=reason)) from error


def threads_here() -> int:
    """OMP_NUM_THREADS, or all cores that this process may use."""
    asked = os.environ.get("OMP_NUM_THREADS", "")
    if asked.isdigit() and int(asked):
        return int(asked)
    return cores()
