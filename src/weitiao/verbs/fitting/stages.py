"""What a method wants done around its fit: a stage before it, and the rows that it settles on.

`contrastive` begins with a fit of the same body under the head `embed`, on pairs made from the labels:

    RUN/embed/
      log.jsonl          of its steps
      checkpoints/       only of a stage that was interrupted, or where `training.checkpoint_every` asks
      body.safetensors   the body as the stage left it, so that it is not run again; gone once model/ has it
      fit.json           what the stage took

Stopped in either stage and resumed, a run ends in the same bytes.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file

from weitiao.artifact import RunFolder, read_json, replacing, write_json
from weitiao.messages import _
from weitiao.methods.few_labels import ContrastiveOptions, ZeroShotOptions
from weitiao.methods.full import Full
from weitiao.methods.options import FullOptions
from weitiao.models.batch import Batch
from weitiao.models.heads import HEADS, HeadSpec, Loss
from weitiao.models.network import Network
from weitiao.records import Feature
from weitiao.tasks.embed import ANCHOR, PAIR
from weitiao.tasks.label_pairs import label_pairs
from weitiao.training.loop import fit
from weitiao.training.processes import Processes
from weitiao.training.terms import FitResult, Hooks, LoopSettings
from weitiao.verbs.preparing.frame import method_of
from weitiao.verbs.preparing.preflight import Preflight

EMBED, BODY, STAGE = "embed", "body.safetensors", "fit.json"
OFTEN = 200  # steps between checkpoints of the first stage, some minutes apart


def embed_first(
    network: Network,
    options: Any,
    features: Sequence[Feature],
    settings: LoopSettings,
    hooks: Hooks,
    folder: RunFolder,
) -> None:
    """Run the first stage of `contrastive` on the body of `network`; nothing for other methods.

    Args:
        options: of the method.
        features: rows of one label each.
        settings: of the recipe's `training`, which speaks of this stage; its length and rate are the method's own.
        hooks: for its notes and signals.
        folder: of the fit.
    """
    if not isinstance(options, ContrastiveOptions):
        return
    own = RunFolder(folder.path / EMBED)
    if (own.path / STAGE).is_file():
        _put_back(network, own.path / BODY)
        return
    hooks.on_event({"kind": "phase", "text": _("training the body on pairs of texts")})
    _keep_body(network, _fit_body(network, options, features, settings, hooks, own), own)


def _fit_body(
    network: Network,
    options: ContrastiveOptions,
    features: Sequence[Feature],
    settings: LoopSettings,
    hooks: Hooks,
    own: RunFolder,
) -> FitResult:
    size = network.backbone.config.get_text_config().hidden_size
    head = HEADS[EMBED].of(HeadSpec(["similarity"], size=size, options={"loss": options.loss}))
    body = Network(network.backbone, head, replace(network.spec, head=EMBED, options={"loss": options.loss}))
    Full(FullOptions()).apply(body, 1)
    pairs = paired(features, options, settings.seed)
    stage = replace(
        settings,
        epochs=options.body_epochs,
        optimiser=replace(settings.optimiser, learning_rate=options.body_learning_rate),
        patience=None,
        stop_at=None,
        evaluate_every=None,
        checkpoint_every=settings.checkpoint_every or OFTEN,
        checkpoint_epochs=False,
    )
    quiet = replace(hooks, evaluate=None, frozen=None, describe=str, objective=read_once)
    if Processes.current().is_main:
        own.path.mkdir(parents=True, exist_ok=True)
    return fit(body, Full(FullOptions()), pairs, stage, quiet, folder=own.checkpoints, log=own.log)


def paired(features: Sequence[Feature], options: ContrastiveOptions, seed: int) -> list[Feature]:
    """The pairs as Features of the head `embed`: two of each, one behind the other, that share a step."""
    labelled = [feature for feature in features if feature.targets]
    answers = [int(feature.targets["labels"]) for feature in labelled]
    places, same = label_pairs(answers, each=options.pairs_per_text, most=options.max_pairs, seed=seed)
    roles = {role: {"role": np.array([role], dtype=np.int64)} for role in (ANCHOR, PAIR)}
    found = []
    for group, (two, score) in enumerate(zip(places.tolist(), same.tolist(), strict=True)):
        target = {"score": np.asarray(score, dtype=np.float32)}
        for role, place in zip((ANCHOR, PAIR), two, strict=True):
            found.append(replace(labelled[place], targets=target, group=group, places=roles[role]))
    return found


def read_once(network: Network, batch: Batch) -> Loss:
    """The loss of a step in which a text that stands in several pairs goes through the body once."""
    _texts, place = torch.unique(batch.inputs["input_ids"], dim=0, return_inverse=True)  # [B]
    firsts = [int(torch.nonzero(place == text)[0, 0]) for text in range(int(place.max()) + 1)]
    hidden = network.hidden(batch.taken(firsts))  # [U, T, H]
    return network.head.loss(hidden[place], batch)


def _keep_body(network: Network, result: FitResult, own: RunFolder) -> None:
    """Write what the stage left, then that it is done; its checkpoints are of no more use."""
    if Processes.current().is_main:
        weights = {name: value.contiguous() for name, value in network.backbone.named_parameters()}
        with replacing(own.path / BODY) as beside:
            save_file(weights, beside)
        about = {name: value for name, value in asdict(result).items() if name in ("steps", "seconds", "tokens")}
        write_json(own.path / STAGE, about)
        shutil.rmtree(own.checkpoints, ignore_errors=True)
    Processes.current().wait()


@torch.no_grad()
def _put_back(network: Network, path: Path) -> None:
    for name, value in load_file(path).items():
        network.backbone.get_parameter(name).copy_(value)


def stage_facts(folder: RunFolder) -> dict[str, Any]:
    """What the first stage took, for the report; nothing of a fit without one."""
    path = folder.path / EMBED / STAGE
    return {"first_stage": read_json(path)} if path.is_file() else {}


def discard_body(folder: RunFolder) -> None:
    """Remove what only a fit that is not finished needs: model/ has the body now."""
    (folder.path / EMBED / BODY).unlink(missing_ok=True)


def settled_on(found: Preflight, features: Sequence[Feature]) -> Sequence[Feature]:
    """The rows that a method without steps settles on: those of training, or the descriptions of the labels."""
    options = method_of(found.recipe)
    if not isinstance(options, ZeroShotOptions):
        return features
    if found.task.head != "classify" or found.tokenizer is None:
        return []
    records = [
        found.task.read({"text": options.text(label)}, file="", line=0, labelled=False) for label in found.labels
    ]
    described: Sequence[Feature] = found.task.encode(records, found.tokenizer, found.labels, found.max_length)
    return described
