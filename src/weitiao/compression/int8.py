"""Eight-bit linear layers by ONNX Runtime's quantiser, and embedding tables in blocks of 4 or 8 bits.

Dynamic: activations are scaled anew at each call, over the whole padded batch, so that an answer moves with what is
asked beside it; by how much is measured. Static: scales come from a sample (its least and its largest values), and an
answer is the same in any batch. Weights have a scale a column in both. Where the CPU adds products of 8 bits in 16 (x86
without VNNI), weights take 7 bits, so that no sum saturates.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from weitiao.artifact import replacing_folder
from weitiao.compression.base import Facts, Source, Step
from weitiao.compression.onnx_files import copy_beside, features_of, size_of
from weitiao.errors import MissingExtra, Refused
from weitiao.machine import cpu_flags
from weitiao.messages import _
from weitiao.models.onnx import ONNX_FILE, OnnxGraph, fed
from weitiao.models.padding import batches_by_length
from weitiao.models.parity import Parity, largest_difference
from weitiao.records import Feature, Outputs

X86 = {"sse2", "sse4_1"}
WIDE_SUMS = {"avx512_vnni", "avx_vnni", "avx_vnni_int8", "amx_int8"}  # x86 instructions whose sums do not saturate
TABLE = 1024  # numbers of an embedding table below which it is left as it is
BLOCK = 32  # numbers of a table that share a scale
SAMPLE_TOKENS = 512  # padded tokens of a batch that scales are fixed on
FLOAT = 1  # onnx.TensorProto.FLOAT
EMBEDDED = 1_900_000_000  # bytes of a graph in one file; protobuf ends at 2 GiB
EXACT = 1e-6  # least difference between float and int8 that the tolerance of the parity rows is made from
SAME = 1e-4  # tolerance of the parity rows of a graph in float, below which that of fixed scales makes no sense
TIMES = 4  # the noise of this machine, that another may have more with fixed scales


class Int8(Step):
    """See the module; options are `Int8Options`."""

    def run(self, source: Source, target: Path) -> Facts:
        features = features_of(source)
        with TemporaryDirectory(dir=target.parent) as scratch, replacing_folder(target) as beside:
            before = _exported(source, features, Path(scratch))
            facts = self._quantised(source, before, beside, Path(scratch))
            copy_beside(source, beside)
            return {**facts, **_compared(before, beside, features, fixed=self.options.mode == "static")}

    def _quantised(self, source: Source, before: Path, folder: Path, scratch: Path) -> dict[str, Any]:
        """Write the graph of integers; how many matrices and tables it has of them.

        Raises:
            Refused: there is nothing to do.
        """
        onnx = _need_packages()
        model = onnx.load(before)
        large = model.ByteSize() > EMBEDDED
        del model.graph.value_info[:]  # the exporter's own, in which the quantiser finds contradictions
        plain, whole = scratch / "plain.onnx", scratch / "whole.onnx"
        onnx.save(model, plain, save_as_external_data=large)
        with _silent():
            if self.options.mode == "dynamic":
                _dynamic(plain, whole, large=large)
            else:
                sample = features_of(source, "train", self.options.sample)
                _static(plain, whole, Sample(sample, OnnxGraph.open(plain)), large=large)
        made = onnx.load(whole)
        matrices = constant_matrices(model) - constant_matrices(made)
        if not matrices:
            message = _("{folder}: the graph has no matrix that could still take 8 bits")
            raise Refused(message.format(folder=source.folder))
        tables = narrow_tables(made, self.options.embeddings) if self.options.embeddings < 32 else 0
        onnx.helper.set_model_props(made, {each.key: each.value for each in model.metadata_props})
        onnx.save(
            made, folder / ONNX_FILE, save_as_external_data=made.ByteSize() > EMBEDDED, location=ONNX_FILE + ".data"
        )
        return {"mode": self.options.mode, "matrices": matrices, "tables": tables, "reduced_range": reduced_range()}


class Sample:
    """Batches of a sample, one at a call, as ONNX Runtime's calibration asks for them."""

    def __init__(self, features: Sequence[Feature], graph: OnnxGraph) -> None:
        rows = batches_by_length([len(each) for each in features], SAMPLE_TOKENS)
        self._batches = iter([fed([features[row] for row in batch], graph.pad_id, graph.inputs) for batch in rows])

    def get_next(self) -> Mapping[str, np.ndarray] | None:
        """The next batch; None behind the last."""
        return next(self._batches, None)


def reduced_range(flags: set[str] | None = None) -> bool:
    """Whether sums of 8-bit products saturate on this CPU, so that weights should take 7 bits."""
    flags = cpu_flags() if flags is None else flags
    return bool(X86 & flags) and not WIDE_SUMS & flags


def constant_matrices(model: Any) -> int:
    """How many products of the graph have a weight in float."""
    floats = {each.name for each in model.graph.initializer if each.data_type == FLOAT}
    return sum(node.op_type in {"Gemm", "MatMul"} and node.input[1] in floats for node in model.graph.node)


def narrow_tables(model: Any, bits: int) -> int:
    """Put the tables that rows are looked up in into blocks of few bits, in place; how many there are.

    Each block of `BLOCK` numbers of a row has a scale; numbers are rounded to the nearest, without a zero point.
    """
    onnx = _need_packages()
    tables = {each.name: each for each in model.graph.initializer}
    uses = [name for node in model.graph.node for name in node.input]
    changed: set[str] = set()
    for node in model.graph.node:
        table = tables.get(node.input[0]) if node.op_type == "Gather" else None
        if table is None or uses.count(table.name) > 1 or not _is_table(table, node):
            continue
        codes, scales = blocks(onnx.numpy_helper.to_array(table), bits)
        parts = (onnx.numpy_helper.from_array(codes, table.name + ".codes"),
                 onnx.numpy_helper.from_array(scales, table.name + ".scales"))  # fmt: skip
        model.graph.initializer.extend(parts)
        names = [parts[0].name, node.input[1], parts[1].name]
        node.op_type, node.domain = "GatherBlockQuantized", "com.microsoft"
        node.input[:] = names
        del node.attribute[:]
        told = {"bits": bits, "block_size": BLOCK, "gather_axis": 0, "quantize_axis": 1}
        node.attribute.extend(onnx.helper.make_attribute(key, value) for key, value in told.items())
        changed.add(table.name)
    kept = [each for each in model.graph.initializer if each.name not in changed]
    del model.graph.initializer[:]
    model.graph.initializer.extend(kept)
    if changed and all(each.domain != "com.microsoft" for each in model.opset_import):
        model.opset_import.append(onnx.helper.make_opsetid("com.microsoft", 1))
    return len(changed)


def blocks(table: np.ndarray, bits: int) -> tuple[np.ndarray, np.ndarray]:
    """Codes of a table [V, H] around 2 ** (bits - 1), in bytes, [V, H * bits / 8], and their scales [V, H / BLOCK]."""
    rows, width = table.shape
    middle = 2 ** (bits - 1)
    grouped = table.reshape(rows, width // BLOCK, BLOCK)
    scales = np.abs(grouped).max(-1) / (middle - 1)  # [V, H / BLOCK]
    divisor = np.where(scales > 0, scales, 1.0)[..., None]
    codes = (np.rint(grouped / divisor) + middle).astype(np.uint8).reshape(rows, width)
    if bits == 4:
        codes = codes[:, 0::2] | (codes[:, 1::2] << 4)  # the earlier number in the lower half
    return codes, scales.astype(np.float32)


def _is_table(table: Any, node: Any) -> bool:
    axis = next((each.i for each in node.attribute if each.name == "axis"), 0)
    shape = tuple(table.dims)
    return (
        axis == 0
        and table.data_type == 1
        and len(shape) == 2
        and shape[0] * shape[1] >= TABLE
        and shape[1] % BLOCK == 0
    )


def _dynamic(source: Path, target: Path, *, large: bool) -> None:
    from onnxruntime.quantization import QuantType, quantize_dynamic

    quantize_dynamic(
        source, target, op_types_to_quantize=["MatMul"], per_channel=True, reduce_range=reduced_range(),
        weight_type=QuantType.QInt8, use_external_data_format=large,
        extra_options={"MatMulConstBOnly": True, "DefaultTensorType": FLOAT},
    )  # fmt: skip


def _static(source: Path, target: Path, sample: Sample, *, large: bool) -> None:
    """Of all products but those that are outputs themselves: 256 steps are too few for an answer."""
    import onnx
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static

    graph = onnx.load(source, load_external_data=False).graph
    answers = {each.name for each in graph.output}
    quantize_static(
        source, target, sample, quant_format=QuantFormat.QOperator, op_types_to_quantize=["MatMul", "Gemm"],
        nodes_to_exclude=[node.name for node in graph.node if answers & set(node.output)], per_channel=True,
        reduce_range=reduced_range(), activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8,
        use_external_data_format=large, extra_options={"MatMulConstBOnly": True, "DefaultTensorType": FLOAT},
    )  # fmt: skip


def _exported(source: Source, features: Sequence[Feature], scratch: Path) -> Path:
    """The graph in float: the source's own, or one that is made of it."""
    if source.form == "onnx":
        return source.folder / ONNX_FILE
    from weitiao.compression.onnx import export

    export(source.network(), features, scratch)
    return scratch / ONNX_FILE


def _compared(before: Path, folder: Path, features: Sequence[Feature], *, fixed: bool) -> dict[str, Any]:
    """How far the graph is from the one in float, and alone from together; its parity rows are kept on the way.

    On another CPU a graph with fixed scales should answer as here but for the order of sums, of which rows alone and
    together are a measure; its distance from float is another thing, and much larger. With scales of each call it is
    all there is.
    """
    graph, exact = OnnxGraph.open(folder / ONNX_FILE), OnnxGraph.open(before)
    alone: list[Outputs] = [graph.infer([each])[0] for each in features]
    error = largest_difference([exact.infer([each])[0] for each in features], alone)
    noise = largest_difference(alone, graph.infer(features))
    tolerance = max(TIMES * noise, SAME) if fixed else max(error, EXACT)
    Parity.taken(graph.infer, features, tolerance).write(folder)
    return {
        "rows": len(features),
        "largest_difference": error,
        "alone_and_together": noise,
        "bytes": size_of(folder),
        "bytes_before": size_of(before.parent),
    }


def _need_packages() -> Any:
    try:
        import onnx
        import onnxruntime  # noqa: F401
    except ImportError as error:
        raise MissingExtra(error.name or "onnx", "compress") from error
    return onnx


@contextmanager
def _silent() -> Iterator[None]:
    """Without the quantiser's advice, which goes to the root logger."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)
