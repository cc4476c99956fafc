"""`weitiao data select`: of many unlabelled texts those whose labels would help most, with the model's answers beside.

One pass scores every row and keeps the best candidates, many times as many as are wanted; then these are looked at
together. So memory grows with the number that is wanted, not with the file.

- `uncertainty`: of which the model is least sure;
- `disagreement`: about which several models disagree most;
- `density`: that stand for many others and for none that is labelled or chosen already;
- `mixed`: both the first and the third, as information density (Settles & Craven 2008).
"""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from weitiao.artifact import RunFolder, open_run
from weitiao.compression.base import form_of
from weitiao.data.dedup import fold
from weitiao.data.fields import FieldMap, word
from weitiao.data.writing import WRITERS
from weitiao.errors import Refused
from weitiao.messages import _
from weitiao.records import Feature, FloatArray, Prediction, Record, Row
from weitiao.serving import promotion
from weitiao.tasks import RowFault
from weitiao.verbs.evaluate import own_data
from weitiao.verbs.predicting.asked import Asked
from weitiao.verbs.selecting.scores import disagreement, several_labels, uncertainty_of
from weitiao.verbs.selecting.spread import DIGITS, density, distinct, k_center

if TYPE_CHECKING:
    from weitiao.serving.predictor import Predictor

By = Literal["uncertainty", "disagreement", "density", "mixed"]
WAYS: tuple[By, ...] = ("uncertainty", "disagreement", "density", "mixed")
FORMATS = {
    "doccano": "doccano", "labelstudio": "label_studio", "label_studio": "label_studio", "jsonl": "jsonl", "csv": "csv",
}  # fmt: skip
POOL, LEAST = 20, 1000  # candidates that are kept: so many times the number wanted, and at least so many
LABELLED = 1000  # training rows whose vectors candidates are to be far from
SCORE = "score"


@dataclass(frozen=True, slots=True)
class Selection:
    """What came of it.

    Args:
        output: the file written.
        written_as: its format.
        by: how texts were chosen.
        read: rows of the input.
        faulty: of them, rows that the task cannot read.
        known: candidates that are near-duplicates of training rows or of better candidates.
        chosen: rows in the output, most useful first.
        note: what could not be looked at; empty where nothing.
    """

    output: str
    written_as: str
    by: str
    read: int
    faulty: int
    known: int
    chosen: int
    note: str = ""

    def as_json(self) -> dict[str, Any]:
        """For `--json`."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A row that may be chosen.

    Args:
        score: what the pass over all rows made of it, to `DIGITS` decimals.
        order: what decides between equals, of its text alone.
        row: the row as it stands in the file.
        record: as the task read it.
        prediction: the first model's answer.
    """

    score: float
    order: bytes
    row: Row
    record: Any
    prediction: Prediction

    def __lt__(self, other: Candidate) -> bool:
        return (self.score, self.order) < (other.score, other.order)


def select(
    runs: Any,
    source: Path | str,
    output: Path | str,
    *,
    number: int,
    by: str = "mixed",
    write_as: str | None = None,
    force: bool = False,
    on_rows: Callable[[int], None] | None = None,
) -> Selection:
    """Write the most useful rows to label next, most useful first, each with the model's answer to start from.

    Args:
        runs: a run, or several of one task, of which the first answers; of each the one that is served in its place.
        source: unlabelled rows in any format that training reads, with the columns of the run's own.
        output: the file to write.
        number: of rows wanted.
        by: uncertainty, disagreement (of two runs or more), density or mixed.
        write_as: doccano, labelstudio, csv or jsonl; told by the output's ending when None.
        force: overwrite the output.
        on_rows: told the number of rows scored so far.

    Raises:
        Refused: runs, rows or output cannot be used; nothing is written.
    """
    output, format_name = Path(output), _format(Path(output), write_as)
    asked: Sequence[Any] = runs if isinstance(runs, list | tuple) else [runs]
    folders = [Path(getattr(run, "path", run)) for run in asked]
    _check(folders, output, number, by, force=force)
    pool = _Pool([promotion.current(folder) for folder in folders], str(source), by, max(POOL * number, LEAST), on_rows)
    candidates = pool.filled()
    labelled, note = _labelled(pool.asked[0].folder)
    texts = fold([pool.surface(each) for each in candidates])
    places = distinct(texts, fold([pool.surface_of(record) for record in labelled]))
    kept = [candidates[place] for place in places]
    chosen = _chosen(pool, kept, labelled, number, by)
    _write(pool, chosen, output, format_name)
    return Selection(
        str(output), format_name, by, pool.read, pool.faulty, len(candidates) - len(kept), len(chosen), note
    )


def _check(folders: Sequence[Path], output: Path, number: int, by: str, *, force: bool) -> None:
    if by not in WAYS:
        raise Refused(_("'{by}' is no way to choose; expected one of: {names}").format(by=by, names=", ".join(WAYS)))
    if number < 1:
        raise Refused(_("number is {got}; expected at least 1").format(got=number))
    if by == "disagreement" and len(folders) < 2:
        raise Refused(_("disagreement needs two runs or more, for one does not disagree with itself; name several"))
    if by != "disagreement" and len(folders) > 1:
        raise Refused(_("several runs are compared by disagreement only; set by=disagreement, or name one run"))
    if output.is_dir():
        raise Refused(_("{path}: is a folder; name a file in it").format(path=output))
    if output.exists() and not force:
        raise Refused(_("{path}: already there; name another file, or overwrite it with --force").format(path=output))


def _format(output: Path, write_as: str | None) -> str:
    name = write_as or {".csv": "csv", ".jsonl": "jsonl", ".json": "labelstudio"}.get(output.suffix.lower(), "")
    if name not in FORMATS:
        message = _("'{got}' is no format to write; expected one of: {names}")
        raise Refused(message.format(got=name or output.suffix, names="doccano, labelstudio, csv, jsonl"))
    return FORMATS[name]


class _Pool:
    """The pass over all rows, and what it kept.

    Attributes:
        read, faulty: rows so far.
    """

    def __init__(
        self, folders: Sequence[Path], source: str, by: str, size: int, on_rows: Callable[[int], None] | None
    ) -> None:
        from weitiao.serving.predictor import Predictor

        self.asked = [Asked(folder, source) for folder in folders]
        self.by, self.size, self.on_rows = by, size, on_rows
        self.columns: FieldMap = self.asked[0].read()[1]
        if by in ("density", "mixed") and form_of(open_run(folders[0]).model) != "torch":
            message = _("{path}: density needs torch weights; choose by uncertainty, or name the run it was made from")
            raise Refused(message.format(path=folders[0]))
        self.predictors = [Predictor.load(folder) for folder in folders]
        self.task = self.predictors[0].task
        self.read, self.faulty = 0, 0
        if len({each.task.name for each in self.predictors}) > 1:
            names = ", ".join(each.task.name for each in self.predictors)
            raise Refused(_("the runs are of different tasks ({names})").format(names=names))
        self.uncertainty = uncertainty_of(self.task)
        if by in ("uncertainty", "mixed") and self.uncertainty is None:
            message = _("a model of the task {task} does not say how sure it is; choose by density, or by disagreement")
            raise Refused(message.format(task=self.task.name))

    def filled(self) -> list[Candidate]:
        """The best candidates of all rows, best first.

        Raises:
            Refused: no row can be read.
        """
        heap: list[Candidate] = []
        for rows in self.asked[0].chunks():
            for candidate in self._scored(rows):
                if len(heap) < self.size:
                    heapq.heappush(heap, candidate)
                elif heap[0] < candidate:
                    heapq.heapreplace(heap, candidate)
            if self.on_rows is not None:
                self.on_rows(self.read)
        if not heap:
            raise Refused(_("{path}: no row that can be read").format(path=self.asked[0].source))
        return sorted(heap, reverse=True)

    def surface(self, candidate: Candidate) -> str:
        """The text by which duplicates are told."""
        return self.surface_of(candidate.record)

    def surface_of(self, record: Record) -> str:
        return str(self.task.surface(record))

    def _scored(self, rows: Sequence[Row]) -> Iterator[Candidate]:
        self.read += len(rows)
        read = [(row, record) for row in rows if (record := self._record(row)) is not None]
        self.faulty += len(rows) - len(read)
        records = [record for _row, record in read]
        predictions, scores = self._answers(records)
        for (row, record), prediction, score in zip(read, predictions, scores, strict=True):
            text = self.surface_of(record).encode("utf-8", "surrogatepass")
            yield Candidate(
                round(score, DIGITS), hashlib.blake2b(text, digest_size=8).digest(), row, record, prediction
            )

    def _answers(self, records: Sequence[Record]) -> tuple[Sequence[Prediction], Sequence[float]]:
        """The first model's answers, and the score of each record; by density all are alike, and the order decides."""
        if self.by == "disagreement":
            said = [each.predict(records) for each in self.predictors]
            several = several_labels(self.task)
            return said[0], [disagreement(answers, several=several) for answers in zip(*said, strict=True)]
        predictor = self.predictors[0]
        pairs = list(zip(_features(predictor, records), predictor.outputs(records), strict=True))
        predictions = [
            self.task.decode(record, own, said, predictor.labels, predictor.settings)
            for record, (own, said) in zip(records, pairs, strict=True)
        ]
        if self.uncertainty is None or self.by == "density":
            return predictions, [0.0] * len(records)
        return predictions, [self.uncertainty(own, said) for own, said in pairs]

    def _record(self, row: Row) -> Record | None:
        if row.problem:
            return None
        known = {spec.name for spec in self.task.fields if not spec.only_labelled}
        values = self.columns.apply(row.fields)
        fields = {name: value for name, value in values.items() if name in known}
        try:
            return self.predictors[0].record(fields, file=row.file, line=row.line, group=word(values.get("group")))
        except RowFault:
            return None


def _features(predictor: Predictor, records: Sequence[Record]) -> list[list[Feature]]:
    """The features of each record."""
    grouped: list[list[Feature]] = [[] for _record in records]
    for feature in predictor.task.encode(records, predictor.tokenizer, predictor.labels, predictor.max_length):
        grouped[feature.group].append(feature)
    return grouped


def _labelled(folder: Path) -> tuple[list[Record], str]:
    """The run's training rows, or a note that they are not to be had."""
    from weitiao.recipe import load_recipe
    from weitiao.verbs.preparing.frame import frame

    run = RunFolder(folder)
    try:
        return own_data(run, load_recipe(run.recipe, frame())).records.get("train", []), ""
    except Refused:
        return [], _("the run's training rows are gone or changed; rows like them are not left out")


def _chosen(
    pool: _Pool, candidates: Sequence[Candidate], labelled: Sequence[Record], number: int, by: str
) -> list[Candidate]:
    """The rows to label, most useful first."""
    if by not in ("density", "mixed"):
        return list(candidates[:number])
    predictor = pool.predictors[0]
    vectors = mean_vectors(pool.asked[0].folder, predictor, [each.record for each in candidates])
    some = [labelled[place] for place in np.linspace(0, len(labelled) - 1, min(LABELLED, len(labelled))).astype(int)]
    worth = density(vectors)
    if by == "mixed":
        worth = worth * np.array([each.score for each in candidates])
    places = k_center(vectors, worth, number, mean_vectors(pool.asked[0].folder, predictor, some) if some else None)
    return [candidates[place] for place in places]


def mean_vectors(folder: Path, predictor: Predictor, records: Sequence[Record]) -> FloatArray:
    """The mean over the tokens of each text in the fitted model, of length 1, [N, H].

    Raises:
        Refused: the run has no weights that torch reads.
    """
    from weitiao.models.network import NetworkSpec, build
    from weitiao.verbs.choosing.probing import mean_vector, read_vectors

    model = RunFolder(folder).model
    if not any(model.glob("*.safetensors")):
        message = _("{path}: density reads the vectors of a torch model, and there is none; choose by uncertainty")
        raise Refused(message.format(path=folder))
    network = build(model, NetworkSpec("embed", "mean", ["similarity"], pad_id=predictor.tokenizer.pad_id)).eval()
    features = [feature for own in _features(predictor, records) for feature in own]
    each = read_vectors(network, features, mean_vector)
    found = np.zeros((len(records), each[0].shape[-1]))
    for feature, vector in zip(features, each, strict=True):
        found[feature.group] += vector[0]
    return found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-12)  # type: ignore[no-any-return]


def _write(pool: _Pool, chosen: Sequence[Candidate], output: Path, format_name: str) -> None:
    """The rows in one of the formats, in order."""
    read = {path[0] for path in pool.columns.paths.values() if path}
    if format_name in ("doccano", "label_studio"):
        WRITERS[format_name]().write([_for_annotators(each, read, format_name) for each in chosen], output)
        return
    own = pool.asked[0].recipe().data.fields
    rows = [{**each.row.fields, **_answer(each.prediction, own), SCORE: each.score} for each in chosen]
    WRITERS[format_name]().write(rows, output)


def _answer(prediction: Any, own: Mapping[str, str | int]) -> dict[str, Any]:
    """The model's answer as a training row has it, under the columns of the run's own rows."""
    values: dict[str, Any] = {}
    for name, column in (("labels", "label"), ("intents", "intent")):
        labels = getattr(prediction, name, None)
        if labels is not None:
            values[column] = labels[0] if len(labels) == 1 else list(labels)
    if hasattr(prediction, "spans"):
        values["spans"] = _spans(prediction)
    if hasattr(prediction, "score"):
        values["score"] = prediction.score
    return {str(own.get(name, name)): value for name, value in values.items()}


def _for_annotators(candidate: Candidate, read: set[str], format_name: str) -> dict[str, Any]:
    """The inner form: the text, the answer to start from, and the other columns."""
    beside = {name: value for name, value in candidate.row.fields.items() if name not in read}
    row: dict[str, Any] = {**beside, "text": candidate.record.text, SCORE: candidate.score}
    prediction: Any = candidate.prediction
    labels = getattr(prediction, "labels", getattr(prediction, "intents", None))
    if format_name == "label_studio":
        said = prediction.model_dump(mode="json")
        return {**row, "prediction": {**said, **({} if labels is None else {"labels": list(labels)})}}
    if labels is not None:
        row["label"] = list(labels)
    if hasattr(prediction, "spans"):
        row["spans"] = _spans(prediction)
    return row


def _spans(prediction: Any) -> list[dict[str, Any]]:
    return [{"start": each.start, "end": each.end, "label": each.label, "text": each.text} for each in prediction.spans]
