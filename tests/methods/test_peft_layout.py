"""`adapter/` in plain PEFT: on the base in plain transformers it gives the same logits."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import transformers
from peft import PeftModel

from tests.methods.test_liveness import logits, method_of, trained
from tests.models.families import LABELS, features, folder, network
from weitiao.methods import adapters
from weitiao.models.batch import collate
from weitiao.models.quiet import quiet


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")  # PEFT's own
@pytest.mark.parametrize("case", ["lora", "rslora", "dora", "pissa", "adalora", "ia3"])
@pytest.mark.parametrize("family", ["bert", "gpt2", "llama"])
def test_the_adapter_loads_in_peft(family: str, case: str, tmp_path: Path) -> None:
    net, method = network(family), method_of(case)
    method.apply(net, 5)
    trained(net, method, family)
    base = adapters.Base.of("starter:tiny", folder(family))
    adapters.save(method.adapter(net), {}, base, tmp_path / "adapter", peft=method.peft_layout(net))
    with quiet():
        torch.manual_seed(7)  # another head, which the adapter replaces
        plain = transformers.AutoModelForSequenceClassification.from_pretrained(
            folder(family), num_labels=len(LABELS), pad_token_id=net.spec.pad_id
        )
        adapted = PeftModel.from_pretrained(plain, tmp_path / "adapter").eval()
    with torch.no_grad():
        got = adapted(**collate(features(family), net.spec.pad_id).inputs).logits
    assert float((got - logits(net, family)).abs().max()) < 1e-5


def test_a_head_of_ours_is_not_written_for_peft() -> None:
    net, method = network("bert", "mean"), method_of("lora")
    method.apply(net, 5)
    assert method.peft_layout(net) is None
