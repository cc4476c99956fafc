"""The step `distil`: a smaller student learns to answer as the model does.

When to use: where there is time for a fit, and best with unlabelled texts of the same kind (`--texts`), which the
teacher labels. Needs: the run's training rows. Compares: `prune` with recovery ends at the same sizes, and learns from
the gold labels alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import nn

from weitiao.compression.base import Facts, Source, Step
from weitiao.compression.refitting import Rows, calibrated, encoded, refit, rows_of, some_of
from weitiao.compression.students import student_of
from weitiao.errors import Refused
from weitiao.messages import _
from weitiao.models.batch import collate
from weitiao.models.network import Network
from weitiao.models.saving import save_model
from weitiao.models.weights import weight_files
from weitiao.records import Feature
from weitiao.tasks import RowFault
from weitiao.training.distillation import PROJECTIONS, Distillation

MEASURED = 512  # rows on which the distance from the teacher is told
TEXTS = "--texts"


class Distil(Step):
    """See the module; options are `DistilOptions`."""

    def run(self, source: Source, target: Path) -> Facts:
        options = self.options
        torch.manual_seed(options.seed)
        teacher = source.network()
        student, matched = student_of(source, options.layers, options.width, new=options.start == "new")
        objective = Distillation(
            teacher, list(enumerate(matched)), temperature=options.temperature, soft=options.soft,
            hidden=options.hidden, gold=options.gold,
        )  # fmt: skip
        width, wide = (int(each.backbone.config.get_text_config().hidden_size) for each in (student, teacher))
        if width != wide:
            student.add_module(PROJECTIONS, nn.ModuleList(nn.Linear(width, wide, bias=False) for _layer in matched))
        texts = _unlabelled(source)
        train = rows_of(source, "train")
        assert train is not None  # refused otherwise
        shown = some_of(rows_of(source, "dev") or train, MEASURED)
        before = distance(objective, student, shown)
        result = refit(
            source, student, epochs=options.epochs, learning_rate=options.learning_rate, objective=objective,
            unlabelled=texts.features, batch_size=options.batch_size, seed=options.seed, beside=target,
        )  # fmt: skip
        after = distance(objective, student, shown)
        student._modules.pop(PROJECTIONS, None)
        save_model(student, calibrated(source, student), target, base=source.folder, tokenizer=source.tokenizer)
        return {
            "layers": matched,
            "depth": len(teacher.stack),
            "width": width,
            "teacher_width": wide,
            "before": before,
            "after": after,
            "measured": len(shown),
            "rows": len(train.records),
            "texts": len(texts.records),
            "epochs": result.epochs,
            "seconds": result.seconds,
            "history": list(result.history),
            "parameters": sum(each.numel() for each in student.parameters()),
            "parameters_before": sum(each.numel() for each in teacher.parameters()),
            "bytes": sum(path.stat().st_size for path in weight_files(target)),
            "bytes_before": sum(path.stat().st_size for path in weight_files(source.folder)),
        }


def distance(objective: Distillation, student: Network, features: Sequence[Feature]) -> Mapping[str, float]:
    """How far the student's answers ("soft") and hidden states are from the teacher's, the mean over rows."""
    training, step = student.training, 32
    sums: dict[str, float] = {}
    student.eval()
    with torch.inference_mode():
        for start in range(0, len(features), step):
            batch = collate(features[start : start + step], student.spec.pad_id)
            for name, each in objective.apart(student, batch).items():
                sums[name] = sums.get(name, 0.0) + float(each.sum())
    student.train(training)
    return {name: value / max(len(features), 1) for name, value in sums.items()}


def _unlabelled(source: Source) -> Rows:
    """The user's texts as rows without a label.

    Raises:
        Refused: the task reads more than a text.
    """
    task, texts = source.task, source.texts or ()
    name = next(spec.name for spec in task.fields if not spec.only_labelled)
    records = []
    for line, text in enumerate(texts, start=1):
        try:
            records.append(task.read({name: text}, file=TEXTS, line=line, group="", labelled=False))
        except RowFault as fault:
            message = _("{place}: a text alone is no row of the task {task} ({reason}); leave out {option}")
            raise Refused(
                message.format(place=f"{TEXTS}:{line}", task=task.name, reason=fault, option=TEXTS)
            ) from fault
    return encoded(source, records)
