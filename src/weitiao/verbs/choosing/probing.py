"""A frozen probe: the backbone as it was pretrained, a cheap linear model on its vectors, the task's own answers.

The backbone runs once over a sample. What stands for an answer is the mean over a text's tokens, the means over two
marked spans and the text (relations), or each unit's first token (tags). The two texts of a pair are read apart and
compared (Conneau et al. 2017, section 3.1). Embeddings need no probe: the vectors are the answers.

Notation: N texts, T tokens of a text, U units (1 where a text has one answer), H hidden, D numbers of a vector, C
classes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import torch

from weitiao.errors import Refused
from weitiao.evaluation.probe import Probe, probe_classes, probe_labels, probe_numbers
from weitiao.messages import _
from weitiao.models.batch import IGNORED, collate
from weitiao.models.inference import infer
from weitiao.models.network import Network, build
from weitiao.models.padding import BATCH_TOKENS, batches_by_length
from weitiao.recipe import Recipe
from weitiao.records import Feature, FloatArray, Outputs, Prediction, Record
from weitiao.tasks import Task, by_record, decode_all
from weitiao.tasks.pairs import sides_of
from weitiao.text import Tokenizer
from weitiao.verbs.choosing.ranking import Samples
from weitiao.verbs.fitting.fit import network_spec

T = TypeVar("T")

Read = Callable[[Feature, FloatArray], FloatArray]  # a feature and its hidden states [T, H] -> [U, D]

MOST_TOKENS = 6000  # that tags are learnt from
SAMPLING_SEED = 17


@dataclass(frozen=True, slots=True)
class Probed:
    """What a probe answered.

    Args:
        predictions: to each scored record.
        ms_a_text: milliseconds that the backbone took for a record.
    """

    predictions: list[Prediction]
    ms_a_text: float


@dataclass(frozen=True)
class Probing:
    """A probe of one model.

    Args:
        recipe: says how the model is opened.
        folder: of the model.
        tokenizer: its tokenizer.
        max_length: tokens a text is cut to.
        task, labels: what is answered.
    """

    recipe: Recipe
    folder: Path
    tokenizer: Tokenizer
    max_length: int
    task: Task[Any, Any]
    labels: Sequence[str]

    def run(self, samples: Samples) -> Probed:
        """Answer the scored rows of `samples`, each by a probe that did not learn from it.

        Raises:
            Refused: the weights do not load, or a part has no row that can be learnt from.
        """
        network = self._opened()
        if self.task.head == "embed":
            features = self._encoded(samples.scored)
            outputs, ms_a_text = _timed(len(samples.scored), lambda: infer(network, features))
            return Probed(decode_all(self.task, samples.scored, features, outputs, self.labels, {}), ms_a_text)
        features = self._encoded(samples.records)
        vectors, ms_a_text = _timed(len(samples.records), lambda: self._vectors(network, features, samples.records))
        return Probed(self._answers(features, vectors, samples), ms_a_text)

    def _encoded(self, records: Sequence[Record]) -> list[Feature]:
        return self.task.encode(records, self.tokenizer, self.labels, self.max_length)

    def _opened(self) -> Network:
        """The bare backbone: the head of embeddings adds nothing to it."""
        options = self.task.head_options() if self.task.head == "embed" else {}
        spec = network_spec(self.recipe, self.task, self.labels, self.tokenizer.pad_id, {})
        return build(self.folder, replace(spec, head="embed", kind="mean", options=options)).eval()

    def _answers(
        self, features: Sequence[Feature], vectors: Sequence[FloatArray], samples: Samples
    ) -> list[Prediction]:
        classes, found = len(self.task.classes(self.labels)), []
        of_record = list(zip(*by_record(len(samples.records), features, vectors), strict=True))
        for learnt, answered in samples.parts:
            pairs = [pair for place in learnt for pair in zip(*of_record[place], strict=True)]
            probe = fit_probe(self.task.head, pairs, classes)
            for place in answered:
                own, read = of_record[place]
                outputs = [_outputs(feature, probe(rows)) for feature, rows in zip(own, read, strict=True)]
                found.append(self.task.decode(samples.records[place], own, outputs, self.labels, {}))
        return found

    def _vectors(self, network: Network, features: Sequence[Feature], records: Sequence[Record]) -> list[FloatArray]:
        """Of each feature what its answers are read from, [U, D]."""
        sides = [sides_of(record) for record in records]
        if self.task.head not in ("classify", "score") or not any(len(each) == 2 for each in sides):
            return read_vectors(network, features, READS[self.task.head])
        texts = [text for each in sides for text in (*each, *each)[:2]]
        encoded = self.tokenizer.encode(texts, max_length=self.max_length)
        apart = [Feature(each.ids, each.types, group=group) for group, each in enumerate(encoded)]
        each = read_vectors(network, apart, mean_vector)
        return [compared(first, second) for first, second in zip(each[::2], each[1::2], strict=True)]


def _timed(records: int, work: Callable[[], T]) -> tuple[T, float]:
    """What comes out, and the milliseconds it took a record."""
    began = time.perf_counter()
    found = work()
    return found, 1000 * (time.perf_counter() - began) / records


def read_vectors(network: Network, features: Sequence[Feature], read: Read) -> list[FloatArray]:
    """What `read` makes of each feature's hidden states, in order."""
    found: list[FloatArray] = [np.empty(0)] * len(features)
    with torch.inference_mode():
        for rows in batches_by_length([len(feature) for feature in features], BATCH_TOKENS):
            batch = collate([features[row] for row in rows], network.spec.pad_id, rows)
            hidden = network.hidden(batch).float().numpy(force=True)  # [B, T, H]
            for place, row in enumerate(rows):
                found[row] = read(features[row], hidden[place, : len(features[row])])
    return found


def mean_vector(_feature: Feature, hidden: FloatArray) -> FloatArray:
    """The mean over all tokens, of length 1, [1, H]."""
    mean = hidden.mean(0, keepdims=True)
    return mean / max(float(np.linalg.norm(mean)), 1e-12)  # type: ignore[no-any-return]


def relation_vector(feature: Feature, hidden: FloatArray) -> FloatArray:
    """The means over both spans and over the text, [1, 3H]."""
    spans = [hidden[slice(*feature.places[name])].mean(0) for name in ("head", "tail")]
    return np.concatenate([*spans, hidden.mean(0)])[None]


def unit_vectors(feature: Feature, hidden: FloatArray) -> FloatArray:
    """The first token of each unit, [U, H]."""
    return hidden[feature.places["tokens"]].copy()  # so that the batch can go


READS: dict[str, Read] = {  # head -> what its answers are read from
    "classify": mean_vector,
    "relate": relation_vector,
    "score": mean_vector,
    "tag": unit_vectors,
}


def compared(first: FloatArray, second: FloatArray) -> FloatArray:
    """Two texts as one vector: each, how far they are apart, and where they agree, [1, 4H]."""
    return np.concatenate([first, second, np.abs(first - second), first * second], axis=1)


def fit_probe(head: str, read: Sequence[tuple[Feature, FloatArray]], classes: int) -> Probe:
    """The linear model that fits the head's answers.

    Args:
        head: of the task.
        read: features and their vectors, [U, D].
        classes: C.

    Raises:
        Refused: no feature has a target.
    """
    pairs = [(rows, _targets(feature)) for feature, rows in read if feature.targets]
    if not pairs:
        raise Refused(_("none of the sampled training rows can be learnt from"))
    inside = np.concatenate([rows for rows, _gold in pairs]).astype(np.float64)  # [N, D]
    gold = np.concatenate([each for _rows, each in pairs])  # [N] or [N, C]
    known = np.flatnonzero(gold != IGNORED) if gold.ndim == 1 else np.arange(len(gold))
    if len(known) > MOST_TOKENS:
        known = np.random.default_rng(SAMPLING_SEED).choice(known, MOST_TOKENS, replace=False)
    if head == "score":
        return probe_numbers(inside[known], gold[known])
    if gold.ndim == 2:
        return probe_labels(inside[known], gold[known])
    return probe_classes(inside[known], gold[known].astype(np.int64), classes)


def _targets(feature: Feature) -> npt.NDArray[Any]:
    """What each of the feature's vectors is to answer, [U] or [1, C]."""
    (gold,) = feature.targets.values()
    return gold[feature.places["tokens"]] if "tokens" in feature.places else gold[None]


def _outputs(feature: Feature, logits: FloatArray) -> Outputs:
    """As the head would put them out: [C], or of tags [T, C]."""
    if "tokens" not in feature.places:
        return {"logits": logits[0]}
    wide = np.zeros((len(feature), logits.shape[1]))
    wide[feature.places["tokens"]] = logits
    return {"logits": wide}
