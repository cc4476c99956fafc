"""`prune`: a pruned network answers as the whole one with the same parts masked, and nothing impossible is begun."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModel

from tests.compression import sources
from tests.models import families
from weitiao.artifact import read_json
from weitiao.compression.base import Source
from weitiao.compression.importance import by_gradient, loss_of, masked
from weitiao.compression.layout import layout_of
from weitiao.compression.prune import Prune
from weitiao.compression.prune_options import PruneOptions
from weitiao.compression.refitting import rows_of
from weitiao.compression.shrinking import without_layer
from weitiao.errors import Refused
from weitiao.models.inference import infer
from weitiao.models.network import Network, load

WITH_HEADS = ("llama", "t5")


def pruned(family: str, folder: Path, *, kind: str = "mean", **options: Any) -> tuple[Source, dict[str, Any], Network]:
    source = sources.source(sources.saved(family, folder / "model", kind=kind), sources.rows(8))
    facts = Prune(PruneOptions(**options)).run(source, folder / "out")
    return source, dict(facts), load(folder / "out")


def assert_same(network: Network, expected: Network, source: Source) -> None:
    rows = rows_of(source, "dev")
    assert rows is not None
    for got, want in zip(infer(network, rows.features), infer(expected, rows.features), strict=True):
        assert abs(got["logits"] - want["logits"]).max() <= 1e-6


def assert_other(network: Network, other: Network, source: Source) -> None:
    rows = rows_of(source, "dev")
    assert rows is not None
    pairs = zip(infer(network, rows.features), infer(other, rows.features), strict=True)
    assert max(float(abs(one["logits"] - two["logits"]).max()) for one, two in pairs) > 1e-3


def places(network: Network, part: str) -> tuple[list[torch.nn.Module], int]:
    """The modules that read heads or channels, and how many groups each reads."""
    config = network.backbone.config.get_text_config()
    layout = layout_of(config.to_dict())
    assert layout is not None
    if part == "ffn":
        modules = [layer.get_submodule(layout.outer) for layer in network.stack.layers]
        return modules, int(getattr(modules[0], "in_features", 0) or modules[0].nx)  # type: ignore[arg-type]
    assert layout.heads is not None
    inside = f"{layout.heads.attention}.{layout.heads.output}"
    groups = int(getattr(config, layout.heads.groups or layout.heads.key))
    return [layer.get_submodule(inside) for layer in network.stack.layers], groups


@pytest.mark.parametrize(
    ("family", "part"),
    [
        *((family, "ffn") for family in (*families.FAMILIES, *families.MEAN_ONLY)),
        *((each, "heads") for each in WITH_HEADS),
    ],
)
def test_pruned_is_masked(family: str, part: str, tmp_path: Path) -> None:
    source, facts, network = pruned(family, tmp_path, **{part: 0.5})
    whole = source.network()
    modules, groups = places(whole, part)
    rows = rows_of(source, "train")
    assert rows is not None and facts["of"][part] == groups and facts["removed"][part] == groups // 2
    scores = by_gradient(whole, modules, groups, rows.features)
    if family == "t5" and part == "heads":  # all layers share one table of position biases
        scores = [torch.stack(scores).sum(0)] * len(scores)
    masks = [torch.zeros(groups).index_fill(0, each.topk(groups - groups // 2).indices, 1.0) for each in scores]
    assert_other(network, source.network(), source)
    with masked(modules, masks):
        assert_same(network, whole, source)
    assert facts["bytes"] < facts["bytes_before"] and facts["parameters"] < facts["parameters_before"]
    kept = sum(float((each * mask).sum()) for each, mask in zip(scores, masks, strict=True))
    assert facts["importance"][f"{part}_kept"] == pytest.approx(kept / sum(float(each.sum()) for each in scores))


@pytest.mark.parametrize("family", [each for each in (*families.FAMILIES, *families.MEAN_ONLY) if each != "albert"])
def test_the_layer_that_is_missed_least_goes(family: str, tmp_path: Path) -> None:
    source, facts, network = pruned(family, tmp_path, layers=1)
    whole = source.network()
    rows = rows_of(source, "train")
    assert rows is not None
    (gone,), (found,) = facts["removed"]["layers"], facts["importance"]["layers"]
    first = 1 if family in ("t5", "modernbert") else 0  # holds what the others lack
    for index in range(first, 2):
        with without_layer(whole, index):
            assert found["loss_without"][str(index)] == pytest.approx(loss_of(whole, rows.features), rel=1e-5)
    assert found["loss_without"][str(gone)] == min(found["loss_without"].values())
    with without_layer(whole, gone):
        assert_same(network, whole, source)
    assert_other(network, whole, source)  # the layer is back


def test_importance_is_what_zeroing_costs_to_first_order() -> None:
    network = families.lively(families.network("bert", "mean"), 0.05).eval()
    rows = families.features("bert", 6)
    (module, *_rest), width = places(network, "ffn")
    scores = by_gradient(network, [module], width, rows)[0]
    step = 1e-3
    for channel in range(0, width, 9):
        costs = []
        for row in rows:
            losses = []
            for sign in (1, -1):
                with masked([module], [torch.ones(width).index_fill(0, torch.tensor(channel), 1 + sign * step)]):
                    losses.append(loss_of(network, [row]))
            costs.append(abs(losses[0] - losses[1]) / (2 * step))
        assert sum(costs) == pytest.approx(float(scores[channel]), rel=0.05, abs=2e-3)


def test_the_result_opens_in_plain_transformers(tmp_path: Path) -> None:
    _source, _facts, network = pruned("llama", tmp_path, heads=1, ffn=0.25, layers=1)
    model = AutoModel.from_pretrained(tmp_path / "out").eval()
    assert (model.config.num_attention_heads, model.config.num_key_value_heads, model.config.head_dim) == (2, 1, 8)
    assert model.config.num_hidden_layers == 1 and model.config.intermediate_size == 48
    ids = torch.tensor([[5, 6, 7]])
    with torch.no_grad():
        expected = network.backbone(input_ids=ids, attention_mask=torch.ones_like(ids)).last_hidden_state
        torch.testing.assert_close(model(input_ids=ids).last_hidden_state, expected, atol=1e-5, rtol=0)


def test_recovery_trains_what_is_left(tmp_path: Path) -> None:
    source, facts, network = pruned("bert", tmp_path, ffn=0.75, recover=20, learning_rate=3e-3)
    _source, _facts, bare = pruned("bert", tmp_path / "bare", ffn=0.75)
    rows = rows_of(source, "train")
    assert rows is not None and facts["recovery"]["epochs"] == 20
    assert loss_of(network, rows.features) < 0.7 * loss_of(bare, rows.features)
    assert network.backbone.config.intermediate_size == 16
    assert not [each for each in tmp_path.iterdir() if each.name.endswith(".tmp")]


REFUSED = [
    ("bert", "mean", {}, "nothing to take out; set heads, ffn or layers, such as prune:ffn=0.5"),
    ("bert", "mean", {"ffn": 1.5}, "`ffn` is 1.5; expected a share below 1, or a whole number"),
    ("bert", "mean", {"heads": 0.5}, "ties the width of a head to the model's"),
    ("albert", "mean", {"layers": 1}, "are one layer, gone through again; none can be taken out"),
    ("bert", "mean", {"layers": 2}, "`layers` takes all 2 layers; leave at least one"),
    ("bert", "mean", {"layers": 0.1}, "`layers` is 0.1 of 2 layers, which is none"),
    ("t5", "stock", {"ffn": 0.5}, "have one number of heads and channels in the config, and the decoder takes part"),
]


@pytest.mark.parametrize(("family", "kind", "options", "sentence"), REFUSED)
def test_what_cannot_be_done_is_said_before(
    family: str, kind: Any, options: dict[str, Any], sentence: str, tmp_path: Path
) -> None:
    folder = sources.saved(family, tmp_path / "model", kind=kind)
    found = list(PruneOptions(**options).misfits(read_json(folder / "task.json"), folder))
    assert any(sentence in finding.message for finding in found)


def test_a_family_that_is_not_known_can_lose_layers_only(tmp_path: Path) -> None:
    folder = sources.saved("bert", tmp_path / "model")
    (folder / "config.json").write_text('{"model_type": "fnet", "num_hidden_layers": 4}', "utf-8")
    card = read_json(folder / "task.json")
    assert list(PruneOptions(layers=1).misfits(card, folder)) == []
    (finding,) = PruneOptions(ffn=0.5).misfits(card, folder)
    assert finding.message.startswith("where the family 'fnet' has its heads and channels is not known here")


def test_runs_with_parts_in_their_layers_keep_them(tmp_path: Path) -> None:
    folder = sources.saved("llama", tmp_path / "model")
    card = read_json(folder / "task.json")
    card["network"]["additions"] = [{"name": "prefix"}]
    (finding,) = PruneOptions(heads=1).misfits(card, folder)
    assert finding.message.startswith("the run's method put parts of its own into the layers")


def test_more_than_there_is_is_refused(tmp_path: Path) -> None:
    source = sources.source(sources.saved("bert", tmp_path / "model"), sources.rows(4))
    with pytest.raises(Refused, match="`ffn` asks for 64 to be taken out; expected from 1 to 63"):
        Prune(PruneOptions(ffn=64)).run(source, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_what_was_done_is_told(tmp_path: Path) -> None:
    _source, facts, _network = pruned("llama", tmp_path, heads=1, ffn=8, layers=1)
    told = list(PruneOptions().told(facts))
    assert told[0].startswith("Layers ") and "8 of 64 feed-forward channels" in told[1]
    assert "1 of 2 groups of heads" in told[2] and "parameters are left" in told[3]
