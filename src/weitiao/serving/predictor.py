"""A fitted model that answers: Records in, Predictions out, in the same order.

Loaded from a run folder, from its `model/` folder alone, by what `task.json` says, or from its `adapter/` folder and
the pretrained model that it was trained on. What is in `model/` says which engine answers: `model.onnx` runs in ONNX
Runtime, and torch is then never imported; anything else runs in torch, which is imported when the predictor is loaded.
An answer does not depend on what else is asked in the same call.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from weitiao.data.fields import GROUP, word
from weitiao.errors import Problem, Refused, refuse_if_errors
from weitiao.messages import _
from weitiao.models.onnx import ONNX_FILE
from weitiao.records import Feature, Outputs, Prediction, Record
from weitiao.serving.cards import TASK_FILE, AdapterCard, TaskCard, model_folder
from weitiao.serving.engines import Engine
from weitiao.tasks import RowFault, Settings, by_record, decode_all
from weitiao.text import Tokenizer, load_tokenizer

if TYPE_CHECKING:
    from weitiao.models.network import Network

Input = str | tuple[str, ...] | list[str] | Mapping[str, object] | Record


@dataclass(frozen=True, slots=True)
class Answers:
    """What a predictor says of several inputs.

    Args:
        predictions: one an input, in order.
        truncated: places, from 0, of the inputs that are longer than the model reads, which saw only their beginning.
        max_length: tokens that it reads.
        lost: of labelled inputs, how many gold answers, spans and pairs no window of the model holds whole.
    """

    predictions: list[Prediction]
    truncated: list[int]
    max_length: int
    lost: int = 0


@dataclass(frozen=True, slots=True)
class Predictor:
    """A fitted model with all it needs to answer.

    Args:
        engine: what computes the outputs.
        tokenizer: the model's own.
        task: the task, with the options it was trained with.
        labels: the label space.
        settings: what was calibrated on dev, such as thresholds.
        name: the run's name, as it is served.
        max_length: tokens a text.
        folder: what it was loaded from.
    """

    engine: Engine = field(repr=False)
    tokenizer: Tokenizer = field(repr=False)
    task: Any = field(repr=False)
    labels: Sequence[str]
    settings: Settings = field(repr=False)
    name: str
    max_length: int
    fields: frozenset[str] | None = None
    folder: Path | None = None

    @classmethod
    def load(cls, run: Path | str, *, base: Path | str | None = None, trust_remote_code: bool = False) -> Predictor:
        """The predictor of a run folder, of a `model/` folder, or of an `adapter/` folder and its base.

        Args:
            run: the folder.
            base: the pretrained model of an adapter, in place of the one that it names.
            trust_remote_code: run Python code that comes with the model; without it such a model is refused.

        Raises:
            Refused: the folder is missing, unfinished, not whole, or of a task that is not known here; or the base is
                not there, or another one.
        """
        if adapter := AdapterCard.of(Path(run)):
            from weitiao.methods.adapters import open_adapter
            from weitiao.serving.engines.torch_engine import TorchEngine

            source = adapter.base_folder(base, trust_remote_code=trust_remote_code)
            opened = open_adapter(adapter.folder, source, trust_remote_code=trust_remote_code)
            fitted = cls.of(adapter.task, TorchEngine(opened.network), load_tokenizer(source))
            return replace(fitted, folder=Path(run))
        folder = model_folder(Path(run))
        card = TaskCard.read(folder / TASK_FILE)
        engine = open_engine(folder, trust_remote_code=trust_remote_code)
        return replace(cls.of(card, engine, load_tokenizer(folder)), folder=Path(run))

    @classmethod
    def of(cls, card: TaskCard, engine: Engine, tokenizer: Tokenizer) -> Predictor:
        """The predictor of an engine, by what its card says."""
        return cls(
            engine=engine,
            tokenizer=tokenizer,
            task=card.task(),
            labels=card.labels,
            settings=card.settings,
            name=card.name,
            max_length=card.max_length,
            fields=card.fields,
        )

    @property
    def network(self) -> Network:
        """The torch network.

        Raises:
            Refused: another engine answers.
        """
        network: Network | None = getattr(self.engine, "network", None)
        if network is None:
            message = _("{name}: this needs torch, but the model is an export to {engine}; take the run it was made of")
            raise Refused(message.format(name=self.name, engine=self.engine.name))
        return network

    def predict(self, inputs: Iterable[Input]) -> list[Prediction]:
        """An answer for each input, in order; what an input may be, and what is refused, says `records`."""
        return self.answer(inputs).predictions

    def answer(self, inputs: Iterable[Input]) -> Answers:
        """As `predict`, and which of the inputs the model could not read to their end."""
        records = self.records(inputs)
        features = self._features(records)
        predictions = decode_all(self.task, records, features, self._run(features), self.labels, self.settings)
        truncated = sorted({feature.group for feature in features if feature.cut})
        return Answers(predictions, truncated, self.max_length, sum(feature.lost for feature in features))

    def outputs(self, records: Sequence[Record]) -> list[list[Outputs]]:
        """What the head puts out for each record: one entry a feature, in the order of the record's features."""
        features = self._features(records)
        return by_record(len(records), features, self._run(features))[1]

    def _features(self, records: Sequence[Record]) -> list[Feature]:
        features: list[Feature] = self.task.encode(records, self.tokenizer, self.labels, self.max_length)
        return features

    def _run(self, features: Sequence[Feature]) -> list[Outputs]:
        """The engine's outputs, in order."""
        return self.engine.infer(features)

    def records(self, inputs: Iterable[Input]) -> list[Record]:
        """Records of texts, of tuples (text, second text) or of mappings of the task's fields; Records stay.

        Raises:
            ProblemsFound: inputs cannot be used; of each it says which, from 1, and why.
            Refused: there is no list of them.
        """
        if isinstance(inputs, str | Mapping):
            raise Refused(_("expected a list of texts; got a single one: put it in a list"))
        found: list[Record] = []
        problems: list[Problem] = []
        for number, each in enumerate(inputs, start=1):
            try:
                found.append(self.record(each))
            except RowFault as fault:
                problems.append(_unusable(each, number, fault))
        refuse_if_errors(problems)
        return found

    def record(self, value: Input, *, file: str = "", line: int = 0, group: str = "") -> Record:
        """One Record, under the same rules as the rows of a file; a Record stays.

        Args:
            value: what to answer.
            file: where it stands, if it is a row of a file.
            line: its line there.
            group: its document; of a mapping, its own `group` goes before.

        Raises:
            RowFault: it cannot be used.
        """
        record = value if isinstance(value, Record) else self._read(value, file, line, group)
        self._check_fields(record)
        return record

    def _read(self, value: Any, file: str, line: int, group: str) -> Record:
        fields = dict(self._fields(value))
        group = word(fields.pop(GROUP, None)) or group
        record: Record = self.task.read(fields, file=file, line=line, group=group, labelled=False)
        return record

    def _check_fields(self, record: Record) -> None:
        """Refuse what the model never learnt to read: a text alone where it knows pairs, or the other way round.

        Raises:
            RowFault: the record's fields are others than those of the training rows.
        """
        given = filled_fields(self.task, record)
        if self.fields is not None and given != self.fields:
            raise RowFault(
                _("got {given}, but the model was trained on {fields}; give exactly these fields").format(
                    given=" + ".join(sorted(given)), fields=" + ".join(sorted(self.fields))
                )
            )

    def _fields(self, value: Input) -> Mapping[str, object]:
        names = [spec.name for spec in self.task.fields if not spec.only_labelled]
        if isinstance(value, Mapping):
            beside = [GROUP] if self.task.neighbours else []
            known = {*(spec.name for spec in self.task.fields), *beside}
            unknown = [str(key) for key in value if key not in known]
            if unknown:
                raise RowFault(
                    _("unknown field '{name}'; expected: {names}").format(
                        name=unknown[0], names=", ".join([*names, *beside])
                    )
                )
            return value
        parts = [value] if isinstance(value, str) else value
        if not isinstance(parts, list | tuple) or not 1 <= len(parts) <= len(names):
            raise RowFault(_("expected a text, or a tuple of: {names}").format(names=", ".join(names)))
        needed = [spec.name for spec in self.task.fields if spec.required and not spec.only_labelled]
        if not set(needed) <= set(names[: len(parts)]):
            raise RowFault(
                _(
                    "the task {task} needs {needed}; got only {given}. In Python give a tuple or a mapping of them, on "
                    "the command line --input FILE with rows such as {example}"
                ).format(
                    task=self.task.name,
                    needed=" + ".join(needed),
                    given=" + ".join(names[: len(parts)]),
                    example=json.dumps(dict.fromkeys(needed, "...")),
                )
            )
        return dict(zip(names, parts, strict=False))


def open_engine(folder: Path, *, trust_remote_code: bool = False) -> Engine:
    """The engine of a `model/` folder: ONNX Runtime where it holds `model.onnx`, else torch."""
    if (folder / ONNX_FILE).is_file():
        from weitiao.serving.engines.onnx_engine import OnnxEngine

        return OnnxEngine.open(folder)
    from weitiao.models.network import load as load_network
    from weitiao.serving.engines.torch_engine import TorchEngine

    return TorchEngine(load_network(folder, trust_remote_code=trust_remote_code))


def _unusable(value: Input, number: int, fault: RowFault) -> Problem:
    """Which input cannot be used, and why: by its file and line where it has them, else by its number."""
    if isinstance(value, Record) and value.file:
        return Problem("unusable-row", str(fault), file=value.file, line=value.line)
    return Problem("unusable-input", _("input {number}: {reason}").format(number=number, reason=fault))


def filled_fields(task: Any, record: Record) -> frozenset[str]:
    """The fields that a record fills, of those that an answer needs."""
    names = [spec.name for spec in task.fields if spec.asked and not spec.only_labelled]
    return frozenset(name for name in names if getattr(record, name, None) is not None)


def load(run: Path | str, *, base: Path | str | None = None, trust_remote_code: bool = False) -> Predictor:
    """`weitiao.load(run)`: the predictor of a run folder, or of its `model/` or `adapter/` folder."""
    return Predictor.load(run, base=base, trust_remote_code=trust_remote_code)
