"""`vocabulary`: the same answers from a smaller table, in every family, and what is told of texts it does not cover."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from tests.compression import sources
from tests.models import families
from weitiao.artifact import read_json, write_json
from weitiao.compression.base import Source
from weitiao.compression.refitting import rows_of
from weitiao.compression.vocabulary import Vocabulary
from weitiao.compression.vocabulary_options import VocabularyOptions
from weitiao.errors import Refused
from weitiao.models.inference import infer
from weitiao.models.network import NetworkSpec, build, load
from weitiao.models.saving import save_model
from weitiao.models.tiny import tiny
from weitiao.records import Record
from weitiao.tasks import TASKS
from weitiao.text import load_tokenizer

SOME = ["good film", "bad 房间", "好 味道", "film 服务 bad"]


def made(texts: Sequence[str]) -> list[Record]:
    task = TASKS["classify"]()
    return [
        task.read({"text": text, "label": families.LABELS[row % 3]}, file="rows.csv", line=row + 2)
        for row, text in enumerate(texts)
    ]


def trimmed(source: Source, target: Path, **options: object) -> dict[str, object]:
    return dict(Vocabulary(VocabularyOptions(**options)).run(source, target))  # type: ignore[arg-type]


def largest_difference(source: Source, target: Path, split: str = "dev") -> float:
    """Of the logits of the rows, each model reading what its own tokenizer cuts."""
    other = Source(target, read_json(target / "task.json"), source.records)
    pairs = [(rows_of(each, split), each.network()) for each in (source, other)]
    answers = [infer(network, rows.features) for rows, network in pairs if rows is not None]
    return max(float(abs(one["logits"] - two["logits"]).max()) for one, two in zip(*answers, strict=True))


@pytest.mark.parametrize("characters", ["all", "seen"])
@pytest.mark.parametrize("family", [*families.FAMILIES, *families.MEAN_ONLY])
def test_covered_rows_are_answered_as_before(family: str, characters: str, tmp_path: Path) -> None:
    source = sources.source(sources.saved(family, tmp_path / "model", kind="mean"), made(SOME))
    facts = trimmed(source, tmp_path / "out", characters=characters)
    assert facts["pieces"] < facts["pieces_before"] and facts["bytes"] < facts["bytes_before"]  # type: ignore[operator]
    assert largest_difference(source, tmp_path / "out") <= 1e-6
    step, others = Vocabulary(VocabularyOptions()), made([*SOME, "Dull, overlong and badly"])
    assert step.covers(source, tmp_path / "out", others) == [*(True for _row in SOME), False]


@pytest.mark.parametrize("family", ["bert", "roberta", "gpt2", "t5"])
def test_the_result_opens_in_plain_transformers(family: str, tmp_path: Path) -> None:
    source = sources.source(sources.saved(family, tmp_path / "model", kind="stock"), made(SOME))
    trimmed(source, tmp_path / "out", characters="seen")
    logits = []
    for folder in (tmp_path / "model", tmp_path / "out"):
        tokenizer = AutoTokenizer.from_pretrained(folder)
        model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
        with torch.no_grad():
            logits.append(model(**tokenizer(SOME[0], return_tensors="pt")).logits)
    torch.testing.assert_close(logits[0], logits[1], atol=1e-5, rtol=0)
    assert not (tmp_path / "out" / "vocab.txt").exists()


@pytest.mark.parametrize(("family", "head"), [("bert", "cloze"), ("roberta", "cloze"), ("gpt2", "cloze_causal")])
def test_what_a_language_model_says_is_trimmed_too(family: str, head: str, tmp_path: Path) -> None:
    causal = head == "cloze_causal"
    base = tiny(family, tmp_path / "base", speaks="causal" if causal else "masked")
    options = {"kind": "causal" if causal else "masked", "pattern": "{text} {mask}",
               "verbaliser": {"neg": ["bad", "dull"], "pos": ["good"]}}  # fmt: skip
    spec = NetworkSpec(head, "stock", ["neg", "pos"], pad_id=load_tokenizer(base).pad_id)
    network = families.lively(build(base, spec), 0.05).eval()
    card = {
        "task": "cloze", "options": options, "labels": ["neg", "pos"], "settings": {}, "max_length": 64,
        "network": {"head": head, "kind": "stock", "pad_id": spec.pad_id}, "name": "tiny",
    }  # fmt: skip
    save_model(network, card, tmp_path / "model", base=base, tokenizer=None)
    task = TASKS["cloze"](TASKS["cloze"].options_model.model_validate(options))  # type: ignore[attr-defined, call-arg]
    rows = [task.read({"text": text, "label": "pos"}, file="rows.csv", line=2) for text in SOME]
    source = Source(tmp_path / "model", card, lambda _split: rows)
    facts = trimmed(source, tmp_path / "out")
    assert largest_difference(source, tmp_path / "out") <= 1e-5
    tables = [
        value for value in load_file(tmp_path / "out" / "model.safetensors").values()
        if facts["pieces_before"] in value.shape
    ]  # fmt: skip
    assert tables == []


def test_the_unlabelled_texts_stand_in_for_rows_that_are_gone(tmp_path: Path) -> None:
    def gone(_split: str) -> Sequence[Record]:
        raise Refused("the files are gone")

    folder = sources.saved("bert", tmp_path / "model")
    with pytest.raises(Refused, match="the files are gone"):
        trimmed(Source(folder, read_json(folder / "task.json"), gone), tmp_path / "out")
    source = Source(folder, read_json(folder / "task.json"), gone, SOME)
    assert trimmed(source, tmp_path / "out")["fresh"] is None
    known = Source(folder, source.card, lambda _split: made(SOME))
    assert largest_difference(known, tmp_path / "out") <= 1e-6


def test_texts_that_were_not_looked_at_are_told(tmp_path: Path) -> None:
    splits = {"train": made(SOME), "dev": made(["good film", "Dull, overlong", "bad 房间", "bad ♥"])}
    folder = sources.saved("bert", tmp_path / "model")
    source = Source(folder, read_json(folder / "task.json"), lambda split: splits.get(split, []))
    facts = trimmed(source, tmp_path / "out", characters="seen")
    fresh = facts["fresh"]
    assert isinstance(fresh, dict)
    assert (fresh["split"], fresh["texts"], fresh["same"]) == ("dev", 4, 0.75)
    assert fresh["unknown"] > fresh["unknown_before"] > 0
    told = " ".join(VocabularyOptions().told(facts))
    assert "of the 4 texts of dev, which chose no piece, 75.0% are cut as before" in told
    step = Vocabulary(VocabularyOptions())
    assert step.covers(source, tmp_path / "out", splits["dev"]) == [True, False, True, True]


def test_scripts_keep_every_piece_of_the_rows_scripts(tmp_path: Path) -> None:
    source = sources.source(sources.saved("bert", tmp_path / "model"), made(["房间 很好", "味道"]))
    trimmed(source, tmp_path / "out", keep="scripts", characters="seen")
    before, after = (load_tokenizer(tmp_path / each).backend.get_vocab() for each in ("model", "out"))
    gone = before.keys() - after.keys()
    assert {"film", "##g", "dog"} <= gone and not any("\u4e00" <= each[-1] <= "\u9fff" for each in gone)
    assert {".", ","} & before.keys() <= after.keys()


def test_positions_that_are_counted_from_the_padding_keep_its_id(tmp_path: Path) -> None:
    source = sources.source(sources.saved("roberta", tmp_path / "model"), made(SOME))
    trimmed(source, tmp_path / "out")
    network = load(tmp_path / "out")
    assert network.backbone.config.pad_token_id == source.network().backbone.config.pad_token_id
    assert network.spec.pad_id == load_tokenizer(tmp_path / "out").pad_id


def test_a_tokenizer_that_would_cut_a_row_differently_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = sources.source(sources.saved("bert", tmp_path / "model"), made(SOME))
    monkeypatch.setattr("weitiao.compression.vocabulary._same", lambda *_args: False)
    with pytest.raises(Refused, match=r"rows.csv:2: the trimmed tokenizer cuts this row differently"):
        trimmed(source, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_ids_in_the_tokenizer_s_settings_follow(tmp_path: Path) -> None:
    folder = sources.saved("bert", tmp_path / "model")
    settings = read_json(folder / "tokenizer_config.json")
    mask = load_tokenizer(folder).backend.token_to_id("[MASK]")
    write_json(
        folder / "tokenizer_config.json", {**settings, "added_tokens_decoder": {str(mask): {"content": "[MASK]"}}}
    )
    (folder / "vocab.txt").write_text("old", "utf-8")
    trimmed(sources.source(folder, made(SOME)), tmp_path / "out", characters="seen")
    added = read_json(tmp_path / "out" / "tokenizer_config.json")["added_tokens_decoder"]
    assert added == {str(load_tokenizer(tmp_path / "out").backend.token_to_id("[MASK]")): {"content": "[MASK]"}}
    assert not (tmp_path / "out" / "vocab.txt").exists()
