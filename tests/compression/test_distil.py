"""`distil`: the student is what was asked for, starts from the teacher, and comes nearer to it than it started."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModel

from tests.compression import sources
from weitiao.artifact import read_json
from weitiao.compression.base import Source
from weitiao.compression.distil import Distil
from weitiao.compression.distil_options import DistilOptions
from weitiao.compression.students import chosen_layers, student_of
from weitiao.errors import Refused
from weitiao.models.network import Network, load

FAST = {"epochs": 12, "learning_rate": 3e-3, "batch_size": 8, "gold": 0.0}
NARROW = ("bert", "distilbert", "roberta", "gpt2", "llama", "t5", "xlnet", "modernbert", "deberta-v2", "electra")


def untested(source: Source) -> Source:
    """Without dev rows, so that the last weights are kept: the labels of these rows say nothing of the teacher."""
    return Source(source.folder, source.card, lambda split: sources.rows(16) if split == "train" else [], source.texts)


def distilled(
    family: str, folder: Path, *, kind: str = "mean", texts: list[str] | None = None, **options: Any
) -> tuple[Source, dict[str, Any], Network]:
    source = untested(sources.source(sources.saved(family, folder / "model", kind=kind), texts=texts))
    facts = Distil(DistilOptions(**{**FAST, **options})).run(source, folder / "out")
    return source, dict(facts), load(folder / "out")


@pytest.mark.parametrize(("family", "kind"), [("bert", "mean"), ("bert", "stock"), ("xlnet", "mean")])
def test_fewer_layers_come_nearer_to_the_teacher(family: str, kind: str, tmp_path: Path) -> None:
    _source, facts, student = distilled(family, tmp_path, kind=kind, layers=1)
    assert len(student.stack) == 1 and facts["layers"] == [1] and facts["depth"] == 2
    assert facts["after"]["soft"] < 0.7 * facts["before"]["soft"]
    assert facts["after"]["hidden"] < facts["before"]["hidden"]
    assert facts["bytes"] < facts["bytes_before"] and facts["parameters"] < facts["parameters_before"]


def test_a_narrower_student_comes_nearer_too_and_opens_in_plain_transformers(tmp_path: Path) -> None:
    source, facts, student = distilled("bert", tmp_path, width=16, layers=1)
    assert (facts["width"], facts["teacher_width"]) == (16, 32)
    assert facts["after"]["soft"] < 0.7 * facts["before"]["soft"]
    assert facts["after"]["hidden"] < facts["before"]["hidden"]
    assert not any("projections" in name for name, _each in student.named_parameters())
    model = AutoModel.from_pretrained(tmp_path / "out", add_pooling_layer=False).eval()
    assert (model.config.hidden_size, model.config.num_attention_heads, model.config.intermediate_size) == (16, 2, 32)
    assert read_json(tmp_path / "out" / "task.json")["labels"] == source.labels


@pytest.mark.parametrize("family", NARROW)
def test_a_narrower_student_starts_as_the_teacher_s_first_entries(family: str, tmp_path: Path) -> None:
    source = sources.source(sources.saved(family, tmp_path / "model", kind="mean"))
    teacher = source.network()
    student, matched = student_of(source, None, 16, new=False)
    assert matched == [0, 1] and len(student.stack) == 2
    theirs = teacher.state_dict()
    seen = 0
    for name, tensor in student.state_dict().items():
        if tensor.ndim == 2 and "c_attn" not in name and "Wqkv" not in name and "Wi" not in name:
            assert torch.equal(tensor, theirs[name][: tensor.shape[0], : tensor.shape[1]]), name
            seen += tensor.numel() < theirs[name].numel()
    assert seen >= 4
    fused = {"gpt2": ("h.0.attn.c_attn.weight", 1), "modernbert": ("layers.0.attn.Wqkv.weight", 0)}.get(family)
    if fused:  # queries, keys and values are each cut, not the three as one
        own, whole = (each.backbone.state_dict()[fused[0]].chunk(3, fused[1]) for each in (student, teacher))
        for part, other in zip(own, whole, strict=True):
            assert torch.equal(part, other[: part.shape[0], : part.shape[1]])


def test_new_weights_are_no_teacher_s(tmp_path: Path) -> None:
    source = sources.source(sources.saved("bert", tmp_path / "model", kind="mean"))
    torch.manual_seed(3)
    student, _matched = student_of(source, None, 16, new=True)
    own, theirs = (each.backbone.get_input_embeddings().weight for each in (student, source.network()))
    assert not torch.equal(own, theirs[:, :16])


def test_layers_are_taken_at_even_steps_from_the_top() -> None:
    assert chosen_layers(12, 6) == [1, 3, 5, 7, 9, 11]
    assert chosen_layers(12, 4) == [2, 5, 8, 11]
    assert chosen_layers(6, 4) == [0, 2, 3, 5]
    assert chosen_layers(6, 2, first=True) == [0, 5]
    assert chosen_layers(5, 5) == [0, 1, 2, 3, 4]


def test_unlabelled_texts_are_learnt_from(tmp_path: Path) -> None:
    texts = ["good food 好", "bad service", "房间 film"]
    source, facts, _student = distilled("bert", tmp_path, texts=texts, layers=1, epochs=2)
    assert (facts["rows"], facts["texts"]) == (16, 3)
    told = list(DistilOptions().told(facts))
    assert told[0] == "The student has 1 of 2 layers and width 32 (teacher: 32)."
    assert told[1].startswith("It learnt from 16 rows and 3 unlabelled texts") and "parameters are left" in told[2]
    with pytest.raises(Refused, match=r"--texts:2: a text alone is no row of the task classify"):
        Distil(DistilOptions(**FAST)).run(
            Source(source.folder, source.card, source.records, ["good", " "]), tmp_path / "other"
        )
    assert not (tmp_path / "other").exists()


REFUSED = [
    ("bert", "mean", {"layers": 3}, "`layers` is 3, but the model has 2 layers"),
    ("bert", "mean", {"layers": 2}, "a student with all 2 layers and the same width is the model itself"),
    ("bert", "mean", {"width": 12}, "`width` is 12; expected less than 32, and a multiple of the width of a head, 8"),
    ("bert", "mean", {"width": 32}, "`width` is 32; expected less than 32"),
    ("bert", "mean", {"soft": 0.0, "hidden": 0.0, "gold": 0.0}, "nothing is left to learn from"),
    ("albert", "mean", {"layers": 1}, "are one layer, gone through again; a student has no fewer"),
    ("t5", "stock", {"width": 16}, "an encoder-decoder is made narrower without its decoder only"),
]


@pytest.mark.parametrize(("family", "kind", "options", "sentence"), REFUSED)
def test_what_cannot_be_done_is_said_before(
    family: str, kind: Any, options: dict[str, Any], sentence: str, tmp_path: Path
) -> None:
    folder = sources.saved(family, tmp_path / "model", kind=kind)
    found = list(DistilOptions(**options).misfits(read_json(folder / "task.json"), folder))
    assert any(sentence in finding.message for finding in found)


def test_vectors_keep_their_length_and_parts_of_a_method_stay(tmp_path: Path) -> None:
    folder = sources.saved("bert", tmp_path / "model")
    card = read_json(folder / "task.json")
    (finding,) = DistilOptions(width=16).misfits({**card, "task": "embed"}, folder)
    assert finding.message.startswith("a narrower student gives shorter vectors")
    (finding,) = DistilOptions().misfits(
        {**card, "network": {**card["network"], "additions": [{"name": "prefix"}]}}, folder
    )
    assert "which a student cannot take over" in finding.message
