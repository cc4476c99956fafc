"""`bits`: rounded weights stand for what they were to within half a step, and a saved model loads again the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from tests.compression import sources
from tests.models import families
from weitiao.artifact import read_json
from weitiao.compression.base import Source, form_of
from weitiao.compression.bits import Bits
from weitiao.compression.bits_options import BitsOptions
from weitiao.compression.refitting import rows_of
from weitiao.errors import Refused
from weitiao.models.inference import infer
from weitiao.models.network import load
from weitiao.models.rounded import ROUNDED_WEIGHTS, RoundedLinear, round_module, rounded_modules
from weitiao.records import Record


@pytest.mark.parametrize("bits", [8, 4])
@pytest.mark.parametrize(("rows", "columns", "group"), [(6, 64, 16), (3, 50, 16), (2, 7, 64)])
def test_no_weight_moves_by_more_than_half_a_step(bits: int, rows: int, columns: int, group: int) -> None:
    torch.manual_seed(2)
    layer = nn.Linear(columns, rows)
    made = round_module(layer, bits, group)
    reach = max(float(part.max() - part.min()) for part in layer.weight.detach().split(group, dim=1))
    assert float((made.weight - layer.weight).detach().abs().max()) <= 0.52 * reach / (2**bits - 1) + 1e-3 * reach
    hidden = torch.randn(5, columns)
    torch.testing.assert_close(made(hidden), nn.functional.linear(hidden, made.weight, layer.bias))
    assert made.codes.numel() == rows * -(-columns // group) * group * bits // 8


def test_equal_weights_stay_equal() -> None:
    layer = nn.Linear(16, 2)
    nn.init.constant_(layer.weight, 0.5)
    assert torch.equal(round_module(layer, 4, 8).weight, layer.weight)


@pytest.mark.parametrize("bits", [8, 4])
@pytest.mark.parametrize("family", [*families.FAMILIES, *families.MEAN_ONLY])
def test_what_was_saved_answers_as_what_was_rounded(family: str, bits: int, tmp_path: Path) -> None:
    source = sources.source(sources.saved(family, tmp_path / "model", kind="mean"), sources.rows(8))
    facts = Bits(BitsOptions(bits=bits, group=16, embeddings=True)).run(source, tmp_path / "out")
    assert facts["bytes"] < facts["bytes_before"] and form_of(tmp_path / "out") == "rounded"
    network, whole = load(tmp_path / "out"), source.network()
    assert len(list(rounded_modules(network))) == facts["layers"]
    for name, made in rounded_modules(network):
        module = whole.get_submodule(name)
        again = round_module(module, bits, 16)
        assert torch.equal(made.weight, again.weight)
        whole.set_submodule(name, again)
    rows = rows_of(source, "dev")
    assert rows is not None
    for got, expected in zip(infer(network, rows.features), infer(whole, rows.features), strict=True):
        assert abs(got["logits"] - expected["logits"]).max() <= 1e-6
    (tmp_path / "again").mkdir()
    network.save(tmp_path / "again")  # as a later step would
    assert (tmp_path / "again" / ROUNDED_WEIGHTS).read_bytes() == (tmp_path / "out" / ROUNDED_WEIGHTS).read_bytes()


def test_eight_bits_are_nearer_than_four(tmp_path: Path) -> None:
    source = sources.source(sources.saved("gpt2", tmp_path / "model"), sources.rows(8))
    facts = {bits: Bits(BitsOptions(bits=bits)).run(source, tmp_path / f"{bits}") for bits in (8, 4)}
    assert 0 < facts[8]["error"] < 0.01 < facts[4]["error"] < 0.2
    assert facts[4]["bytes"] < facts[8]["bytes"]
    size, speed = BitsOptions().told(facts[4])
    assert size.startswith("8 layers are kept in 4 bits") and "made floats again at every batch" in speed


def test_a_file_that_lacks_weights_is_refused(tmp_path: Path) -> None:
    source = sources.source(sources.saved("bert", tmp_path / "model"), sources.rows(4))
    Bits(BitsOptions()).run(source, tmp_path / "out")
    (tmp_path / "out" / ROUNDED_WEIGHTS).unlink()
    with pytest.raises(Refused, match=r"the saved weights lack 'backbone\..*\.weight'"):
        load(tmp_path / "out")


def test_other_steps_do_not_take_rounded_weights(tmp_path: Path) -> None:
    source = sources.source(sources.saved("bert", tmp_path / "model"), sources.rows(4))
    Bits(BitsOptions()).run(source, tmp_path / "out")
    with pytest.raises(Refused, match=r"holds no torch weights \(rounded\)"):
        sources.source(tmp_path / "out").network()


@pytest.mark.parametrize(
    ("family", "card", "options", "sentence"),
    [
        ("bert", {"additions": [{"name": "prefix"}]}, {}, "the run's method put parts of its own behind layers"),
        ("bert", {"head": "cloze"}, {"embeddings": True}, "are those of the lookup table; leave it whole"),
        ("t5", {"kind": "stock"}, {"embeddings": True}, "encoder and decoder share their lookup table; leave it whole"),
    ],
)
def test_what_cannot_be_done_is_said_before(
    family: str, card: dict[str, Any], options: dict[str, Any], sentence: str, tmp_path: Path
) -> None:
    folder = sources.saved(family, tmp_path / "model", kind="mean")
    saved = read_json(folder / "task.json")
    saved["network"].update(card)
    (finding,) = BitsOptions(**options).misfits(saved, folder)
    assert sentence in finding.message


@pytest.mark.parametrize(("options", "sentence"), [({"bits": 3}, "expected 8 or 4"), ({"group": 9}, "an even number")])
def test_other_numbers_are_refused(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        BitsOptions(**options)


def test_of_gpt2_the_weight_is_turned() -> None:
    network = families.network("gpt2")
    layer: Any = network.stack.layers[0].mlp.c_fc  # type: ignore[union-attr]
    made = round_module(layer, 8, 16)
    assert isinstance(made, RoundedLinear) and made.weight.shape == (layer.nf, layer.nx)
    hidden = torch.randn(3, layer.nx)
    torch.testing.assert_close(made(hidden), layer(hidden), atol=0.02, rtol=0)


def test_without_rows_nothing_is_timed(tmp_path: Path) -> None:
    def gone(_split: str) -> list[Record]:
        raise Refused("the files are gone")

    folder = sources.saved("bert", tmp_path / "model")
    facts = Bits(BitsOptions()).run(Source(folder, read_json(folder / "task.json"), gone), tmp_path / "out")
    (size,) = BitsOptions().told(facts)
    assert facts["milliseconds"] is None and size.startswith("12 layers are kept in 8 bits")
