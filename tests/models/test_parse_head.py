"""The parsing head: its loss by loops, its outputs, and that neither depends on a row's neighbours."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from weitiao.models.batch import IGNORED, Batch
from weitiao.models.heads import HEADS, HeadSpec
from weitiao.models.heads.parse import Biaffine, ParseHead

CLASSES = ["deprel:amod", "deprel:obj", "deprel:root", "upos:NOUN", "upos:VERB"]
HIDDEN = 6


def head(classes: list[str] = CLASSES, dropout: float = 0.0) -> ParseHead:
    """A head with noise on every weight, as if trained."""
    torch.manual_seed(3)
    made = ParseHead.of(HeadSpec(classes, HIDDEN, {"arc_size": 5, "label_size": 4}, dropout=dropout))
    with torch.no_grad():
        for parameter in made.parameters():
            parameter += torch.randn_like(parameter) * 0.5
    return made


def batch(tokens: list[list[int]], **targets: list[list[int]]) -> Batch:
    known = {name: torch.tensor(values) for name, values in targets.items()}
    lengths = torch.tensor([max(row) + 2 for row in tokens])
    weight = torch.ones(len(tokens))
    return Batch({}, known, weight, lengths, range(len(tokens)), places={"tokens": torch.tensor(tokens)})


TOKENS = [[1, 3, 4], [2, 3, -1]]
GOLD = {
    "heads": [[2, 0, IGNORED], [0, 1, IGNORED]],
    "deprels": [[1, 2, 0], [2, 0, IGNORED]],
    "upos": [[0, 1, 1], [1, 0, IGNORED]],
}


@pytest.fixture
def hidden() -> Tensor:
    torch.manual_seed(1)
    return torch.randn(2, 6, HIDDEN)


def mlp(layer: torch.nn.Module, vector: Tensor) -> Tensor:
    linear = layer[0]  # type: ignore[index]
    value: Tensor = linear.weight @ vector + linear.bias
    return torch.where(value > 0, value, 0.1 * value)


def score(biaffine: Biaffine, output: int, word: Tensor, top: Tensor) -> float:
    one = torch.ones(1)
    return float((torch.cat([word, one]) @ biaffine.weight[output] @ torch.cat([top, one])).detach())


def log_share(scores: dict[int, float], chosen: int) -> float:
    return scores[chosen] - math.log(sum(math.exp(each) for each in scores.values()))


def test_the_loss_by_loops(hidden: Tensor) -> None:
    """Arc, relation to the gold head and part of speech of every word, each the log of a softmax written out."""
    made, expected, words_with_target = head(), 0.0, 0
    for row, tokens in enumerate(TOKENS):
        words = [hidden[row, token] for token in tokens if token >= 0]
        tops = [made.root, *words]
        for place, word in enumerate(words):
            gold, relation, part = (GOLD[name][row][place] for name in ("heads", "deprels", "upos"))
            words_with_target += 1
            parts = dict(enumerate((made.upos.weight @ word + made.upos.bias).tolist()))
            expected -= log_share(parts, part)
            if gold == IGNORED:
                continue
            arcs = {
                top: score(made.arcs, 0, mlp(made.arc_word, word), mlp(made.arc_head, vector))
                for top, vector in enumerate(tops)
                if top != place + 1
            }
            labels = {
                each: score(made.labels, each, mlp(made.label_word, word), mlp(made.label_head, tops[gold]))
                for each in range(3)
            }
            expected -= log_share(arcs, gold) + log_share(labels, relation)
    loss = made.loss(hidden, batch(TOKENS, **GOLD))
    assert float(loss.total.detach()) == pytest.approx(expected, rel=1e-5)
    assert float(loss.weight) == words_with_target == 5


def test_the_outputs_by_loops(hidden: Tensor) -> None:
    made = head()
    out = made.outputs(hidden, batch(TOKENS))
    assert {name: tuple(value.shape) for name, value in out.items()} == {
        "arcs": (2, 3, 4), "deprels": (2, 3, 4), "upos": (2, 3),
    }  # fmt: skip
    words = [hidden[0, token] for token in TOKENS[0]]
    for place, word in enumerate(words):
        assert int(out["upos"][0, place]) == int((made.upos.weight @ word + made.upos.bias).argmax())
        for top, vector in enumerate([made.root, *words]):
            arc = score(made.arcs, 0, mlp(made.arc_word, word), mlp(made.arc_head, vector))
            assert float(out["arcs"][0, place, top].detach()) == pytest.approx(arc, abs=1e-5)
            scores = [
                score(made.labels, each, mlp(made.label_word, word), mlp(made.label_head, vector)) for each in range(3)
            ]
            best = 2 if top == 0 else max((0, 1), key=lambda each: scores[each])
            assert int(out["deprels"][0, place, top]) == best, "the relation root is that of the root and of no other"


def test_other_names_of_the_root_are_not_known(hidden: Tensor) -> None:
    out = head(["deprel:HED", "upos:n"]).outputs(hidden, batch(TOKENS))
    assert out["deprels"].unique().tolist() == [0]


def test_a_row_alone_is_as_among_others(hidden: Tensor) -> None:
    made = head()
    together, out = made.loss(hidden, batch(TOKENS, **GOLD)), made.outputs(hidden, batch(TOKENS))
    total, weight = 0.0, 0.0
    for row, words in ((0, 3), (1, 2)):
        gold = {name: [values[row][:words]] for name, values in GOLD.items()}
        alone = batch([TOKENS[row][:words]], **gold)
        loss = made.loss(hidden[row : row + 1], alone)
        total, weight = total + float(loss.total.detach()), weight + float(loss.weight)
        own = made.outputs(hidden[row : row + 1], alone)
        torch.testing.assert_close(out["arcs"][row, :words, : words + 1], own["arcs"][0])
        torch.testing.assert_close(out["deprels"][row, :words, : words + 1], own["deprels"][0])
    assert float(together.total.detach()) == pytest.approx(total, rel=1e-6)
    assert float(together.weight) == weight


def test_rows_without_a_target_or_words(hidden: Tensor) -> None:
    made = head()
    loss = made.loss(hidden, batch(TOKENS))
    assert (float(loss.total.detach()), float(loss.weight)) == (0.0, 0.0)
    gold = {name: [values[0], [IGNORED] * 3] for name, values in GOLD.items()}
    assert float(made.loss(hidden, batch(TOKENS, **gold)).weight) == 3.0
    none = Batch({}, {}, torch.ones(2), torch.tensor([6, 6]), range(2), places={"tokens": torch.zeros(2, 0).long()})
    assert made.outputs(hidden, none)["arcs"].shape == (2, 0, 1)


def test_every_weight_learns(hidden: Tensor) -> None:
    made = head()
    made.loss(hidden, batch(TOKENS, **GOLD)).total.backward()  # type: ignore[no-untyped-call]
    for name, parameter in made.named_parameters():
        assert parameter.grad is not None and float(parameter.grad.abs().max()) > 0, name
        assert bool(parameter.grad.isfinite().all()), name


def test_it_is_in_the_table_and_stock_nowhere() -> None:
    assert HEADS["parse"] is ParseHead
    assert ParseHead.stock == "" and ParseHead.problem_type({}) is None
