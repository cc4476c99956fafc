"""What a fit learnt, written down: `model/`, which stands by itself, and `adapter/`, which goes on a fresh base.

Each is loaded again and compared with the network it was saved from before the fit counts as finished.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from weitiao import __version__
from weitiao.artifact import RunFolder
from weitiao.errors import Failed
from weitiao.messages import _
from weitiao.methods import adapters
from weitiao.methods.base import Method
from weitiao.models.inference import infer
from weitiao.models.network import Network, load
from weitiao.models.saving import save_model
from weitiao.records import Feature, Outputs, Record
from weitiao.serving.predictor import filled_fields
from weitiao.tasks import Settings
from weitiao.verbs.preparing.frame import method_of
from weitiao.verbs.preparing.preflight import Preflight

FOLDED = 1e-4  # the same between what was trained and the base it was folded into; above 1 by the largest output
SAME = 1e-5  # largest difference of an output between a network and what was saved of it
COMPARED = 32  # texts that both are asked


def keep(
    found: Preflight,
    network: Network,
    method: Method,
    train: Sequence[Record],
    features: Sequence[Feature],
    calibrate: Callable[[], Settings],
    folder: RunFolder,
) -> None:
    """Save and verify; the method's part is folded into the base on the way, where that is possible.

    Args:
        features: some of these are asked to compare.
        calibrate: called on the network as it is served.

    Raises:
        Failed: what was saved answers differently.
    """
    some = features[:COMPARED]
    network.eval()
    tensors = dict(method.adapter(network)) if method_of(found.recipe).portable else {}
    peft = method.peft_layout(network) if tensors else None
    before = infer(network, some)
    method.finish(network)
    if method.folds:
        largest = max(float(np.abs(each).max()) for outputs in before for each in outputs.values())
        verify(before, infer(network, some), folder.model, within=FOLDED * max(1.0, largest))
    card = _card(found, network, train, calibrate())
    base_folder = None if found.folder is None else found.folder.path
    save_model(network, card, folder.model, base=base_folder, tokenizer=found.tokenizer)
    again = load(folder.model, trust_remote_code=network.spec.trust_remote_code)
    verify(infer(network, some), infer(again, some), folder.model)
    if tensors and found.folder is not None:
        options = method_of(found.recipe).model_dump(mode="json")
        base = adapters.Base.of(found.recipe.model.name or "", found.folder.path)
        named = {**card, "method": {"name": found.recipe.method.name, **options}}
        adapters.save(tensors, named, base, folder.adapter, peft=peft)
        verify(before, infer(adapters.load(folder.adapter, found.folder.path), some), folder.adapter)


def _card(found: Preflight, network: Network, train: Sequence[Record], settings: Settings) -> dict[str, Any]:
    """task.json: what is needed to ask the network, beside its weights."""
    saved = asdict(replace(network.spec, reinit_layers=0, class_weights=None, label_smoothing=0.0))
    del saved["trust_remote_code"]  # a run never says of itself that it may be trusted
    return {
        "weitiao": __version__,
        "task": found.task.name,
        "options": found.recipe.task.options.model_dump(mode="json"),
        "labels": list(found.labels),
        "settings": dict(settings),
        "network": saved,
        "max_length": found.max_length,
        "fields": sorted(filled_fields(found.task, train[0])),
        "name": Path(found.recipe.output).name,
    }


def verify(expected: Sequence[Outputs], got: Sequence[Outputs], folder: Path, *, within: float = SAME) -> None:
    """Promise 5: what was saved answers as what it was saved from.

    Args:
        within: largest difference of an output.

    Raises:
        Failed: it does not, or what it was saved from gives no numbers.
    """
    if any(np.isnan(each).any() for outputs in expected for each in outputs.values()):
        message = _(
            "{path}: the model's answers are not numbers (NaN), so nothing can be compared: its weights have grown too "
            "large; lower training.learning_rate, or set training.clip"
        )
        raise Failed(message.format(path=folder))
    pairs = zip(expected, got, strict=True)
    worst = float(np.max([np.abs(a[name] - b[name]).max() for a, b in pairs for name in a], initial=0.0))
    if not worst <= within:
        raise Failed(
            _("{path}: the saved model answers differently (by {worst:.2g}); this is a bug in weitiao").format(
                path=folder, worst=worst
            )
        )
