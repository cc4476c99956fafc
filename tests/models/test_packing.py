"""Promise 3 for one batch: padding, packing, neighbours and row order change nothing but rounding."""

import pytest
import torch

from tests.models.families import FAMILIES, PACKED, assert_gradients_equal, features, gradients_of, network, rows_of
from weitiao.models.batch import Batch, collate
from weitiao.models.network import Network
from weitiao.models.packing import PACKABLE, plan_packing


def loss_and_gradients(net: Network, batches: list[list[int]], family: str) -> tuple[float, dict[str, torch.Tensor]]:
    every = features(family)
    net.zero_grad()
    total = 0.0
    for rows in batches:
        loss = net.loss(collate(rows_of(rows, every), net.spec.pad_id))
        (loss.total / len(every)).backward()
        total += float(loss.total.detach()) / len(every)
    return total, gradients_of(net)


@pytest.mark.parametrize("kind", ["stock", "mean"])
@pytest.mark.parametrize("family", FAMILIES)
def test_a_batch_equals_its_rows_one_at_a_time(family: str, kind: str) -> None:
    net = network(family, kind).train()  # type: ignore[arg-type]
    together, gradients = loss_and_gradients(net, [list(range(12))], family)
    apart, expected = loss_and_gradients(net, [[row] for row in range(12)], family)
    assert together == pytest.approx(apart, rel=1e-6)
    assert_gradients_equal(gradients, expected)


@pytest.mark.parametrize("family", PACKED)
def test_packed_equals_padded(family: str) -> None:
    net = network(family).train()
    rows = list(range(12))
    packed, gradients = loss_and_gradients(net, [rows], family)
    net.checkpointed = True  # turns packing off
    assert not net.packable
    padded, expected = loss_and_gradients(net, [rows], family)
    assert packed == pytest.approx(padded, rel=1e-6)
    assert_gradients_equal(gradients, expected)


@pytest.mark.parametrize("family", ["bert", "gpt2"])
def test_row_order_changes_nothing(family: str) -> None:
    net = network(family).train()
    forward, gradients = loss_and_gradients(net, [list(range(12))], family)
    backward, expected = loss_and_gradients(net, [list(reversed(range(12)))], family)
    assert forward == pytest.approx(backward, rel=1e-6)
    assert_gradients_equal(gradients, expected)


def test_every_family_that_claims_to_pack_is_tested() -> None:
    same_code = {"camembert", "ernie"}  # classes generated from RoBERTa's and BERT's
    assert set(PACKED) == PACKABLE - same_code


@pytest.mark.parametrize("family", ["camembert", "ernie"])
def test_families_generated_from_others_pack_too(family: str) -> None:
    from transformers import AutoConfig, AutoModelForSequenceClassification

    config = AutoConfig.for_model(
        family, vocab_size=50, hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64,
        hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0, pad_token_id=1, max_position_embeddings=64,
    )  # fmt: skip
    torch.manual_seed(0)
    model = AutoModelForSequenceClassification.from_config(config, attn_implementation="weitiao").eval()
    net = Network(model, network("bert").head, network("bert").spec)
    lengths = torch.tensor([3, 30, 11, 1])
    mask = (torch.arange(30)[None, :] < lengths[:, None]).long()
    ids = torch.where(mask.bool(), torch.randint(2, 50, mask.shape), 1)
    batch = Batch({"input_ids": ids, "attention_mask": mask}, {}, torch.ones(4), lengths, range(4))
    assert net.packable
    with torch.inference_mode():
        expected = model(input_ids=ids, attention_mask=mask).logits
        torch.testing.assert_close(net.hidden(batch), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("sizes", [[5], [7, 7, 7], [40, 3, 12, 12, 1], [300, 120, 120, 96, 95, 2], [1, 1, 1]])
def test_groups_cover_the_tokens_in_order(sizes: list[int]) -> None:
    packing = plan_packing(torch.tensor(sizes))
    assert [group.start for group in packing.groups] == [0, *[group.stop for group in packing.groups[:-1]]]
    assert packing.groups[-1].stop == sum(sizes)
    assert sum(group.rows for group in packing.groups) == len(sizes)


def test_packing_and_padding_are_inverse() -> None:
    packing = plan_packing(torch.tensor([3, 1, 2]))
    padded = torch.arange(1.0, 10.0).view(3, 3, 1) * torch.tensor([[1, 1, 1], [1, 0, 0], [1, 1, 0]])[:, :, None]
    assert torch.equal(packing.pad(packing.pack(padded)), padded)


def test_attention_with_dropout_has_the_gradient_of_its_own_formula() -> None:
    from weitiao.models.dropout import keep_mask, random_bits
    from weitiao.models.packing import dropout_attention

    torch.manual_seed(0)
    query, key, value = (torch.randn(2, 3, 5, 4, requires_grad=True) for _ in range(3))
    bias = torch.zeros(2, 1, 1, 5)
    bias[1, ..., 3:] = float("-inf")
    torch.manual_seed(9)
    got = dropout_attention(query, key, value, bias, 0.3, 0.5)
    got.square().sum().backward()
    gradients = [each.grad.clone() for each in (query, key, value) if each.grad is not None]
    torch.manual_seed(9)
    mask = keep_mask(random_bits(torch.Size((2, 3, 5, 5))), 0.3) / 0.7
    for each in (query, key, value):
        each.grad = None
    expected = (torch.softmax(query @ key.transpose(-1, -2) * 0.5 + bias, -1) * mask) @ value
    expected.square().sum().backward()
    torch.testing.assert_close(got, expected)
    for gradient, each in zip(gradients, (query, key, value), strict=True):
        torch.testing.assert_close(gradient, each.grad, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("family", PACKED)
def test_dropout_in_packed_attention_changes_the_answer_and_averages_out(family: str) -> None:
    net = network(family, dropout=0.1).train()
    batch = collate(features(family, 4, longest=12), net.spec.pad_id)
    with torch.no_grad():
        draws = torch.stack([net.outputs(batch)["logits"] for _ in range(200)])
        net.eval()
        calm = net.outputs(batch)["logits"]
    assert draws.std(0).min() > 0
    assert (draws.mean(0) - calm).abs().max() < 6 * draws.std(0).max() / 200**0.5 + 0.02
