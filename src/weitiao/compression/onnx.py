"""Export to ONNX: backbone and head as one graph with dynamic rows, tokens and places.

The padded batch is what the graph reads; attention is torch's own scaled dot product, which becomes one ONNX operator
where the family calls it; where the head reads the first token alone, so does what the last layer computes behind its
attention. What was written is asked again, one row at a time and several together, before the step
counts as done: torch.export may fix a size that it saw in the examples, and would not say so.

Notation: B rows, T tokens.
"""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from weitiao.artifact import replacing_folder
from weitiao.compression.base import Facts, Source, Step
from weitiao.compression.onnx_files import COMPARED, copy_beside, features_of, size_of
from weitiao.compression.onnx_options import OPSET
from weitiao.errors import MissingExtra, Refused
from weitiao.messages import _
from weitiao.models.batch import Batch, collate
from weitiao.models.inference import infer
from weitiao.models.network import Network
from weitiao.models.onnx import ONNX_FILE, PAD_ID, PLACES, TOKEN_AXES, OnnxGraph
from weitiao.models.packing import NAME, narrowed
from weitiao.models.parity import Parity, largest_difference
from weitiao.models.quiet import quiet
from weitiao.records import Feature

EXAMPLES = 3  # rows that are traced; of one row torch.export would make a graph for one row
SAME = 1e-4  # largest difference of an output; logits of some heads go into the tens
EMBEDDED = 1_900_000_000  # bytes of weights in the file itself; protobuf ends at 2 GiB


class Onnx(Step):
    """See the module; options are `OnnxOptions`."""

    def run(self, source: Source, target: Path) -> Facts:
        network, features = source.network(), features_of(source)
        with replacing_folder(target) as beside:
            facts = export(network, features, beside)
            copy_beside(source, beside)
        return facts


def export(network: Network, features: Sequence[Feature], folder: Path) -> Facts:
    """Write the graph of a network, and what it answers to the first features, into a folder that is there.

    Args:
        network: left with torch's attention in place of ours.
        features: what it may be asked; at least two of them differ in length.

    Raises:
        MissingExtra: the packages that export are not installed.
        Refused: the network cannot be exported, or the graph answers otherwise.
    """
    path, some = folder / ONNX_FILE, features[:COMPARED]
    expected = infer(network, some)  # before its attention is replaced, which may stand for more than torch's own
    program = _traced(network, features)
    _write(program, path, network)
    graph = OnnxGraph.open(path)
    worst = max(
        largest_difference(expected, _asked(graph, some, network)),
        largest_difference(expected, [each for one in some for each in _asked(graph, [one], network)]),
    )
    if not worst <= SAME:
        message = _("{family}: the exported graph answers otherwise (by {worst:.2g}); keep serving it with torch")
        raise Refused(message.format(family=_family(network), worst=worst))
    Parity.taken(graph.infer, features, SAME).write(folder)
    return {
        "operators": len(list(program.model.graph)), "bytes": size_of(folder), "rows": len(some), "opset": OPSET,
        "largest_difference": worst,
    }  # fmt: skip


def _asked(graph: OnnxGraph, features: Sequence[Feature], network: Network) -> Any:
    """What the graph answers.

    Raises:
        Refused: it breaks on rows of other sizes than those that were traced.
    """
    try:
        return graph.infer(features)
    except Exception as error:  # ONNX Runtime's errors have no common base
        raise _not_exported(network, error) from error


class _Flat(nn.Module):
    """A network called with arrays in a fixed order, as a graph is."""

    def __init__(self, network: Network, names: Sequence[str]) -> None:
        super().__init__()
        self.network = network
        self.names = names

    def forward(self, *arrays: Tensor) -> tuple[Tensor, ...]:
        """The head's outputs, in its order."""
        named = dict(zip(self.names, arrays, strict=True))
        places = {name.removeprefix(PLACES): each for name, each in named.items() if name.startswith(PLACES)}
        inputs = {name: each for name, each in named.items() if not name.startswith(PLACES)}
        lengths = inputs["attention_mask"].sum(1)  # [B]
        return tuple(self.network.outputs(Batch(inputs, {}, lengths, lengths, (), places=places)).values())


def _traced(network: Network, features: Sequence[Feature]) -> Any:
    """The network as torch's ONNX program, traced on a few rows of different lengths."""
    optimize_ir = _optimizer()
    if network.backbone.config._attn_implementation == NAME:
        network.backbone.set_attn_implementation("sdpa")
    batch = collate(_examples(features), network.spec.pad_id)
    arrays = {**batch.inputs, **{PLACES + name: each.long() for name, each in batch.places.items()}}
    sizes = [_dynamic(name, each) for name, each in arrays.items()]
    outputs = list(network.outputs(batch))
    try:
        with quiet(), _silent(), torch.no_grad(), narrowed(network.stack, network.narrow):
            program: Any = torch.onnx.export(
                _Flat(network, list(arrays)), tuple(arrays.values()), dynamo=True, opset_version=OPSET, verbose=False,
                dynamic_shapes=(tuple(sizes),), input_names=list(arrays), output_names=outputs, optimize=False,
                custom_translation_table={torch.ops.aten.topk.default: _best},
            )  # fmt: skip
            optimize_ir(program.model)  # and not torch's own: its fusion of rotary positions fails on several rows
            return program
    except Exception as error:  # torch raises whatever the family's code raises under fake tensors
        raise _not_exported(network, error) from error


def _best(values: Any, count: Any, dim: int = -1, largest: bool = True, sorted: bool = True) -> Any:  # noqa: A002
    """aten::topk of as many as a size says; torch's own translation takes a fixed number alone."""
    from onnxscript import opset23 as op

    one: Any = op.Constant(value_ints=[1])
    return op.TopK(values, op.Reshape(count, one), axis=dim, largest=largest, sorted=sorted)


def _examples(features: Sequence[Feature]) -> list[Feature]:
    """The longest rows: no size of theirs is one by chance."""
    longest = sorted(features, key=len, reverse=True)[:EXAMPLES]
    return longest if len(longest) > 1 else longest * 2


def _dynamic(name: str, array: Tensor) -> dict[int, Any]:
    """Rows and tokens are of any number; of a place's other axes torch finds out which may vary."""
    free, either = torch.export.Dim.DYNAMIC, torch.export.Dim.AUTO
    return {axis: free if axis == 0 or not name.startswith(PLACES) else either for axis in range(array.ndim)}


def _write(program: Any, path: Path, network: Network) -> None:
    told = {PAD_ID: str(network.spec.pad_id), TOKEN_AXES: json.dumps(dict(network.head.token_axes))}
    program.model.metadata_props.update(told)
    size = sum(each.numel() * each.element_size() for each in network.parameters())
    program.save(path, external_data=size > EMBEDDED)


def _optimizer() -> Any:
    """onnxscript's constant folding and clean-up.

    Raises:
        MissingExtra: what exports is not installed.
    """
    try:
        import onnx  # noqa: F401
        from onnxscript.optimizer import optimize_ir
    except ImportError as error:
        raise MissingExtra(error.name or "onnx", "compress") from error
    return optimize_ir


@contextmanager
def _silent() -> Iterator[None]:
    """Without the warnings of torch's exporter, which are about its own insides."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


def _family(network: Network) -> str:
    return str(network.backbone.config.model_type)


def _not_exported(network: Network, error: Exception) -> Refused:
    cause: BaseException = error
    while cause.__cause__ is not None:
        cause = cause.__cause__
    reason = next((line.strip() for line in str(cause).splitlines() if line.strip()), type(cause).__name__)
    message = _("a network of the family '{family}' under the head '{head}' cannot be exported to ONNX ({reason})")
    return Refused(message.format(family=_family(network), head=network.spec.head, reason=reason))
