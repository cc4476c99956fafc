"""onnx and int8: the graph answers as the network does, alone and together, and what is said of it is true."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.compression.sources import saved, source
from tests.models import families
from weitiao.compression import STEP_OPTIONS, STEPS
from weitiao.compression.int8 import blocks, reduced_range
from weitiao.compression.onnx import export
from weitiao.compression.onnx_files import features_of
from weitiao.errors import Refused
from weitiao.models.inference import infer
from weitiao.models.network import Network, NetworkSpec, build
from weitiao.models.onnx import ONNX_FILE, OnnxGraph
from weitiao.models.parity import Parity, largest_difference
from weitiao.records import Feature

Places = Callable[[Feature], Mapping[str, Any]]


def inside(feature: Feature) -> dict[str, Any]:
    return {"tokens": np.arange(1, max(2, len(feature) - 1), dtype=np.int32)}


def two_spans(feature: Feature) -> dict[str, Any]:
    return {"head": np.array([0, 1]), "tail": np.array([1, max(2, len(feature) - 1)])}


def gap(feature: Feature) -> dict[str, Any]:
    return {"gap": np.array([len(feature) - 1]), "pieces": np.array([[[5, 6], [7, -1]], [[8, -1], [-1, -1]]])}


POINTED = {"size": 8, "max_width": None}
NETWORKS: Mapping[str, tuple[str, NetworkSpec, Places]] = {
    "classify": ("distilbert", NetworkSpec("classify", "stock", ["a", "b"]), lambda _each: {}),
    "tag": ("roberta", NetworkSpec("tag", "stock", ["O", "B-X", "I-X"], options={"crf": True}), inside),
    "span": ("electra", NetworkSpec("span", "mean", ["X", "Y"], options=POINTED), inside),
    "event": ("bert", NetworkSpec("event", "mean", ["X", "Y"], options=POINTED), inside),
    "intent_slot": ("albert", NetworkSpec("intent_slot", "mean", ["intent:a", "intent:b", "O", "B-X", "I-X"]), inside),
    "parse": (
        "bert",
        NetworkSpec("parse", "mean", ["upos:A", "upos:B", "deprel:root", "deprel:x"],
                    options={"arc_size": 8, "label_size": 6}),
        inside,
    ),
    "relate": ("llama", NetworkSpec("relate", "mean", ["a", "b"]), two_spans),
    "embed": ("t5", NetworkSpec("embed", "mean", []), lambda _each: {"role": np.array([0])}),
    "score": ("bert", NetworkSpec("score", "mean", ["score"], options={"loss": "mse"}), lambda _each: {}),
    "answer": ("bert", NetworkSpec("answer", "stock", ["start", "end"]), lambda _each: {}),
    "cloze_causal": ("gpt2", NetworkSpec("cloze_causal", "stock", ["a", "b"]), gap),
}  # fmt: skip


def made(family: str, spec: NetworkSpec, places: Places) -> tuple[Network, list[Feature]]:
    network = families.lively(build(families.folder(family), spec)).eval()
    features = families.features(family, longest=8)
    return network, [Feature(each.input_ids, each.token_type_ids, places=places(each)) for each in features]


@pytest.mark.slow
@pytest.mark.parametrize("head", NETWORKS)
def test_every_head_answers_from_a_graph(head: str, tmp_path: Path) -> None:
    network, features = made(*NETWORKS[head])
    facts = export(network, features, tmp_path)
    graph = OnnxGraph.open(tmp_path / ONNX_FILE)
    longer = families.features(NETWORKS[head][0], 5, longest=70, seed=8)
    longer = [Feature(each.input_ids, each.token_type_ids, places=NETWORKS[head][2](each)) for each in longer]
    assert max(len(each) for each in longer) > max(len(each) for each in features), "sizes that were not traced"
    assert largest_difference(infer(network, longer), graph.infer(longer)) < 5e-5
    assert facts["rows"] == len(features) and facts["largest_difference"] < 5e-5


@pytest.mark.slow
@pytest.mark.parametrize("family", ["bert", "roberta", "electra"])
def test_the_last_layer_computes_first_tokens_only_where_the_head_reads_no_other(family: str, tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    network, features = made(family, NetworkSpec("classify", "stock", ["a", "b"]), lambda _each: {})
    export(network, features, tmp_path)
    inner = network.backbone.config.intermediate_size
    shapes = [each.type.tensor_type.shape.dim for each in onnx.load(tmp_path / ONNX_FILE).graph.value_info]
    tokens = [shape[1].dim_value for shape in shapes if len(shape) == 3 and shape[2].dim_value == inner]
    assert tokens[-1] == 1 and tokens[0] == 0, "the lower layers have as many as the batch"
    longer = families.features(family, 5, longest=40, seed=8)
    assert largest_difference(infer(network, longer), OnnxGraph.open(tmp_path / ONNX_FILE).infer(longer)) < 5e-5


@pytest.mark.slow
def test_learnt_keys_that_the_graph_would_not_read_are_found_out(tmp_path: Path) -> None:
    """Torch's own attention knows nothing of a prefix: what is compared with has to be the network as it was."""
    network, features = made("bert", NetworkSpec("classify", "stock", ["a", "b"]), lambda _each: {})
    network.insert("prefix", {"count": 4, "width": 0})
    with pytest.raises(Refused, match=r"the exported graph answers otherwise \(by 0\.\d+\)"):
        export(families.lively(network).eval(), features, tmp_path)


@pytest.mark.slow
def test_eight_bits_of_a_graph(tmp_path: Path) -> None:
    """Static scales answer the same in any batch; what dynamic ones differ by is measured."""
    run = source(saved("bert", tmp_path / "model"))
    STEPS["onnx"](STEP_OPTIONS["onnx"]()).run(run, tmp_path / "float")
    exported = source(tmp_path / "float")
    rows = features_of(exported)
    facts = {}
    for mode in ("dynamic", "static"):
        options = STEP_OPTIONS["int8"](mode=mode)
        facts[mode] = STEPS["int8"](options).run(exported, tmp_path / mode)
        assert len(list(options.told(facts[mode]))) >= 1
        graph = OnnxGraph.open(tmp_path / mode / ONNX_FILE)
        apart = largest_difference([graph.infer([each])[0] for each in rows], graph.infer(rows))
        assert facts[mode]["alone_and_together"] == apart
        assert facts[mode]["matrices"] >= 12 and facts[mode]["tables"] == 2
        assert 0 < facts[mode]["largest_difference"] < 1
        assert facts[mode]["bytes"] < facts[mode]["bytes_before"]
        parity = Parity.read(tmp_path / mode)
        assert parity is not None and parity.difference(graph.infer) == 0
        assert parity.tolerance == (facts[mode]["largest_difference"] if mode == "dynamic" else 1e-4)
    assert facts["static"]["alone_and_together"] < 1e-6 < facts["dynamic"]["alone_and_together"]
    with pytest.raises(Refused, match="the graph has no matrix that could still take 8 bits"):
        STEPS["int8"](STEP_OPTIONS["int8"]()).run(source(tmp_path / "dynamic"), tmp_path / "again")
    assert not (tmp_path / "again").exists()


@pytest.mark.parametrize("bits", [4, 8])
def test_a_table_in_blocks_is_what_its_codes_say(bits: int) -> None:
    table = np.random.default_rng(0).normal(size=(5, 64)).astype(np.float32)
    table[3] = 0.0
    codes, scales = blocks(table, bits)
    assert codes.dtype == np.uint8 and codes.shape == (5, 64 * bits // 8)
    whole = codes if bits == 8 else np.stack([codes & 15, codes >> 4], -1).reshape(5, 64)
    read = (whole.astype(np.float32) - 2 ** (bits - 1)) * np.repeat(scales, 32, 1)
    assert np.abs(read - table).max() <= np.abs(table).max() / (2 ** (bits - 1) - 1) / 2 + 1e-6
    assert not read[3].any()


@pytest.mark.parametrize(
    ("flags", "reduced"),
    [({"sse2", "avx2"}, True), ({"sse2", "avx512_vnni"}, False), ({"asimd"}, False), (set(), False)],
)
def test_weights_take_seven_bits_where_sums_saturate(flags: set[str], reduced: bool) -> None:
    assert reduced_range(flags) is reduced


def test_differences_are_over_what_both_have_and_ranks_may_swap() -> None:
    wide, narrow = {"arcs": np.ones((3, 4))}, {"arcs": np.ones((2, 3))}
    assert largest_difference([wide], [narrow]) == 0
    assert largest_difference([{"logits": np.array([1.0, -np.inf])}], [{"logits": np.array([1.5, -np.inf])}]) == 0.5
    assert largest_difference([{"logits": np.array([1.0])}], [{"logits": np.array([np.nan])}]) == np.inf
    one, two = np.array([[0, 1, 0, 2.0], [4, 4, 0, 1.99]]), np.array([[4, 4, 0, 2.0], [0, 1, 0, 1.99]])
    assert largest_difference([{"spans": one}], [{"spans": two}]) == pytest.approx(0.01)


def test_candidates_are_compared_by_place_and_what_one_lacks_by_its_score() -> None:
    def apart(one: list[list[float]], other: list[list[float]]) -> float:
        return largest_difference([{"spans": np.array(one)}], [{"spans": np.array(other)}])

    known, filling = [0, 1, 0, 3.0], [-1, -1, -1, -1.0]
    assert apart([known, [2, 2, 0, -5.0]], [known, [3, 3, 0, -5.1]]) == pytest.approx(0.1)  # both nearly left out
    assert apart([known, [2, 2, 0, 1.0]], [known, [2, 3, 0, 1.0]]) == 1.0  # another place with the same score
    assert apart([known], [[0, 1, 1, 3.0]]) == 3.0
    assert apart([known, filling], [known]) == 0.0
    assert apart([known, [2, 2, 0, -5.0]], [known, filling]) == np.inf  # the other had room for it
    assert apart([known], [[0, 1, 0, np.nan]]) == np.inf


def test_parity_rows_are_read_as_they_were_written(tmp_path: Path) -> None:
    rows = [Feature(np.array([1, 2, 3], np.int32), None, places={"tokens": np.array([1], np.int32)})]
    parity = Parity.taken(lambda asked: [{"logits": np.array([float(len(asked[0]))])}], rows, 0.25)
    parity.write(tmp_path)
    read = Parity.read(tmp_path)
    assert read is not None and read.here and read.tolerance == 0.25
    assert read.difference(lambda asked: [{"logits": np.array([len(asked[0]) + 0.5])}]) == 0.5
    assert read.features[0].places["tokens"].tolist() == [1]
    assert Parity.read(tmp_path / "nowhere") is None


def test_a_family_that_cannot_be_exported_is_refused_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    def fails(*_arguments: Any, **_options: Any) -> None:
        raise RuntimeError("a size depends on data\nand more")

    monkeypatch.setattr(torch.onnx, "export", fails)
    network, features = made("bert", NetworkSpec("classify", "mean", ["a", "b"]), lambda _each: {})
    with pytest.raises(Refused, match=r"'bert' under the head 'classify' cannot .*\(a size depends on data\)"):
        export(network, features, tmp_path)
