"""The head that is solved is scikit-learn's logistic regression; that of descriptions ranks by cosine."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from tests.models.families import LABELS, features, lively, network
from weitiao.errors import Interrupted
from weitiao.methods import logistic
from weitiao.methods.contrastive import Contrastive
from weitiao.methods.few_labels import ContrastiveOptions, ZeroShotOptions
from weitiao.methods.freeze import LinearProbe
from weitiao.methods.logistic import linear_of, pooled_rows, solve
from weitiao.methods.options import HeadOptions
from weitiao.methods.zero_shot import ZeroShot
from weitiao.models.batch import Batch, collate
from weitiao.models.inference import infer


@pytest.mark.parametrize("family", ["bert", "gpt2", "modernbert"])
@pytest.mark.parametrize("cost", [0.3, 1.0])
def test_it_is_the_logistic_regression_of_scikit_learn(family: str, cost: float) -> None:
    net = lively(network(family, "mean", dropout=0.3))
    rows = features(family, 40)
    method = LinearProbe(HeadOptions(solver="lbfgs", cost=cost))
    method.apply(net, 1)
    method.settle(net, rows)
    pooled = pooled_rows(net, rows).double().numpy()
    scaled = pooled - pooled.mean(0)
    scaled /= np.linalg.norm(scaled, axis=1).mean()
    gold = [int(row.targets["labels"]) for row in rows]
    oracle = LogisticRegression(C=cost, tol=1e-9, max_iter=5000).fit(scaled, gold)
    expected = oracle.predict_log_proba(scaled)
    got = torch.tensor(np.stack([each["logits"] for each in infer(net, rows)])).log_softmax(-1).numpy()
    np.testing.assert_allclose(got, expected, atol=2e-4)


def test_each_of_several_labels_is_a_logistic_regression_of_its_own() -> None:
    """However many labels there are, the penalty is as strong."""
    net = lively(network("bert", "mean", options={"multi_label": True}))
    rng = np.random.default_rng(3)
    gold = rng.integers(0, 2, (40, len(LABELS)))
    rows = [
        replace(row, targets={"labels": told.astype(np.float32)})
        for row, told in zip(features("bert", 40), gold, strict=True)
    ]
    solve(net, rows, 2.0)
    pooled = pooled_rows(net, rows).double().numpy()
    scaled = pooled - pooled.mean(0)
    scaled /= np.linalg.norm(scaled, axis=1).mean()
    got = torch.tensor(np.stack([each["logits"] for each in infer(net, rows)])).sigmoid().numpy()
    for column, told in enumerate(gold.T):
        oracle = LogisticRegression(C=2.0, tol=1e-9, max_iter=5000).fit(scaled, told)
        np.testing.assert_allclose(got[:, column], oracle.predict_proba(scaled)[:, 1], atol=2e-4)


def test_texts_that_lie_close_together_are_told_apart_as_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """A constant of a hundred times their spread in all vectors changes no answer."""
    rows = features("bert", 40)
    answers = []
    for offset in (0.0, 100.0):
        net = lively(network("bert", "mean"))
        pooled = pooled_rows(net, rows)
        moved = pooled + offset * (pooled - pooled.mean(0)).norm(dim=-1).mean()
        monkeypatch.setattr(logistic, "pooled_rows", lambda *_args, moved=moved: moved)
        solve(net, rows, 2.0)
        linear = linear_of(net)
        answers.append((moved.double() @ linear.weight.double().T + linear.bias.double()).detach())
    assert torch.allclose(*(each.softmax(-1) for each in answers), atol=1e-3)


def test_a_signal_is_heard_while_the_features_are_computed() -> None:
    net = network("bert", "mean")
    with pytest.raises(Interrupted):
        solve(net, features("bert", 4), 2.0, lambda: True)


def test_the_solution_does_not_hang_on_the_start_and_leaves_the_body_alone() -> None:
    solved = []
    rows = features("bert", 40)
    for start in (1, 2):
        net = network("bert", "mean", seed=1)
        torch.manual_seed(start)
        torch.nn.init.normal_(linear_of(net).weight)
        body = {name: value.clone() for name, value in net.backbone.state_dict().items()}
        method = Contrastive(ContrastiveOptions())
        method.apply(net, 1)
        method.settle(net, rows)
        assert all(torch.equal(value, body[name]) for name, value in net.backbone.state_dict().items())
        solved.append(linear_of(net).weight.detach().clone())
    assert torch.equal(*solved)


def test_one_long_row_does_not_make_all_rows_as_wide(monkeypatch: pytest.MonkeyPatch) -> None:
    net, rows = network("bert", "mean"), features("bert", 40)
    widths: list[int] = []

    def collated(*args: Any) -> Batch:
        batch = collate(*args)
        widths.append(batch.inputs["input_ids"].numel())
        return batch

    monkeypatch.setattr(logistic, "BATCH_TOKENS", 64)
    monkeypatch.setattr(logistic, "collate", collated)
    logistic.solve(net, rows, 1.0)
    assert max(widths) < max(map(len, rows)) * len(rows) / 4


def test_class_weights_count() -> None:
    rows = features("bert", 40)
    answers: list[Any] = []
    for weights in ([1.0, 30.0, 30.0], [30.0, 1.0, 1.0]):
        net = network("bert", "mean", class_weights=weights)
        method = LinearProbe(HeadOptions(solver="lbfgs"))
        method.apply(net, 1)
        method.settle(net, rows)
        answers.append(np.mean([each["logits"].argmax() == 0 for each in infer(net, rows)]))
    assert answers[1] > answers[0]


def test_descriptions_rank_texts_by_cosine() -> None:
    net = lively(network("bert", "mean"))
    described = features("bert", 60)
    first = {int(row.targets["labels"]): row for row in described}
    rows = [first[label] for label in range(len(LABELS))]
    method = ZeroShot(ZeroShotOptions())
    method.apply(net, 1)
    method.settle(net, rows)
    assert not any(parameter.requires_grad for parameter in net.parameters())
    own = torch.nn.functional.normalize(pooled_rows(net, rows), dim=-1)
    pooled = pooled_rows(net, described)
    length = pooled_rows(net, rows).norm(dim=-1).mean()
    got = torch.tensor(np.stack([each["logits"] for each in infer(net, described)]))
    torch.testing.assert_close(got, pooled @ own.T * 20.0 / length, atol=1e-4, rtol=1e-4)
