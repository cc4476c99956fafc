"""The step `prune`: layers, feed-forward channels and attention heads are taken out by measured importance.

When to use: a model that is larger than its task needs; `recover` then, for the rest has to learn to do without.
Needs: the run's training rows. Compares: unlike with `sparsify` the tensors get smaller, so it is faster as well;
`distil` takes layers out by their place, not their importance, and teaches the rest with the model's own answers.

Every layer keeps the same number of channels and of heads, since the config has one number for all; which ones is each
layer's own affair. The result opens in plain transformers.

Notation: G groups of inputs that stand or fall together, K kept ones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from weitiao.compression.base import Facts, Source, Step
from weitiao.compression.importance import by_gradient, drop_layers
from weitiao.compression.layout import Layout, layout_of, taken
from weitiao.compression.refitting import calibrated, refit, rows_of, some_of
from weitiao.compression.shrinking import keep_channels, keep_heads
from weitiao.errors import Refused
from weitiao.messages import _
from weitiao.models.network import Network, load
from weitiao.models.saving import save_model
from weitiao.models.weights import weight_files
from weitiao.records import Feature


class Prune(Step):
    """See the module; options are `PruneOptions`."""

    def run(self, source: Source, target: Path) -> Facts:
        network = source.network()
        before = sum(each.numel() for each in network.parameters())
        train = rows_of(source, "train")
        assert train is not None  # refused otherwise
        removed, of, importance = self._shrink(network, some_of(train, self.options.rows))
        save_model(network, source.card, target, base=source.folder, tokenizer=source.tokenizer)
        trained: Mapping[str, Any] = {}
        if self.options.recover:
            trained = self._recover(source, target)
        return {
            "removed": removed,
            "of": of,
            "importance": importance,
            "rows": min(self.options.rows, len(train.features)),
            "parameters": sum(each.numel() for each in network.parameters()),
            "parameters_before": before,
            "bytes": sum(path.stat().st_size for path in weight_files(target)),
            "bytes_before": sum(path.stat().st_size for path in weight_files(source.folder)),
            "recovery": trained,
        }

    def _shrink(
        self, network: Network, features: Sequence[Feature]
    ) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
        """Layers first, so that the importance of what is inside the others is that beside which they will work."""
        options = self.options
        removed: dict[str, Any] = {}
        of: dict[str, Any] = {"layers": len(network.stack)}
        importance: dict[str, Any] = {}
        layout = layout_of(network.backbone.config.get_text_config().to_dict())
        if options.layers:
            fixed = 1 if layout is not None and layout.first_differs else 0
            count = taken(options.layers, len(network.stack))
            rounds = drop_layers(
                network, _possible(count, len(network.stack) - max(fixed, 1), "layers"), features, fixed=fixed
            )
            removed["layers"], importance["layers"] = [each["removed"] for each in rounds], rounds
        for name, work in (("heads", self._heads), ("ffn", self._channels)):
            if getattr(options, name):
                assert layout is not None  # refused otherwise
                of[name], removed[name], scores, kept = work(network, layout, features)
                importance[f"{name}_kept"] = _share(scores, kept)
                if name == "heads":
                    importance[name] = [each.tolist() for each in scores]
                    removed["which_heads"] = [sorted(set(range(of[name])) - set(each.tolist())) for each in kept]
        return removed, of, importance

    def _heads(
        self, network: Network, layout: Layout, features: Sequence[Feature]
    ) -> tuple[int, int, list[Tensor], list[Tensor]]:
        heads, config = layout.heads, network.backbone.config.get_text_config()
        assert heads is not None  # refused otherwise
        groups = int(getattr(config, heads.groups or heads.key))
        modules = [layer.get_submodule(f"{heads.attention}.{heads.output}") for layer in network.stack.layers]
        scores = by_gradient(network, modules, groups, features)
        if heads.bias:
            scores = [torch.stack(scores).sum(0)] * len(scores)
        count = _possible(taken(self.options.heads, groups), groups - 1, "heads")
        kept = [_best(each, groups - count) for each in scores]
        keep_heads(network, heads, kept)
        return groups, count, scores, kept

    def _channels(
        self, network: Network, layout: Layout, features: Sequence[Feature]
    ) -> tuple[int, int, list[Tensor], list[Tensor]]:
        modules: list[Any] = [layer.get_submodule(layout.outer) for layer in network.stack.layers]
        width = int(modules[0].weight.shape[0] if layout.key == "n_inner" else modules[0].in_features)
        scores = by_gradient(network, modules, width, features)
        count = _possible(taken(self.options.ffn, width), width - 1, "ffn")
        kept = [_best(each, width - count) for each in scores]
        keep_channels(network, layout, kept)
        return width, count, scores, kept

    def _recover(self, source: Source, target: Path) -> dict[str, Any]:
        network = load(target)
        result = refit(
            source, network, epochs=self.options.recover, learning_rate=self.options.learning_rate, beside=target
        )
        save_model(network, calibrated(source, network), target, base=source.folder, tokenizer=source.tokenizer)
        return {"epochs": result.epochs, "seconds": result.seconds, "history": list(result.history)}


def _possible(count: int, most: int, name: str) -> int:
    if 0 < count <= most:
        return count
    message = _("`{name}` asks for {count} to be taken out; expected from 1 to {most}")
    raise Refused(message.format(name=name, count=count, most=most))


def _best(scores: Tensor, count: int) -> Tensor:
    """Places of the `count` highest scores, in order, [K]."""
    return scores.topk(count).indices.sort().values


def _share(scores: Sequence[Tensor], kept: Sequence[Tensor]) -> float:
    """How much of the importance stays."""
    whole = sum(float(each.sum()) for each in scores)
    return sum(float(each[places].sum()) for each, places in zip(scores, kept, strict=True)) / whole if whole else 0.0
