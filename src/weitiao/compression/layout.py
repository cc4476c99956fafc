"""Where the families keep their attention heads and feed-forward channels, and what their configs can say of fewer.

A family that is not in the table can still lose layers. Heads can go only where the config knows the width of a head
by itself; the others compute it from the model's width and the number of heads, so that one head less would make all
others wider. Torch-free.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from weitiao.models.shape import DEPTH


@dataclass(frozen=True, slots=True)
class Heads:
    """Modules of attention, by their names in a layer, and the config's keys.

    Args:
        attention: the module whose children the others are.
        queries, keys, values, output: linear layers.
        key: number of heads.
        groups: number of heads that keys and values have, where it is another; else empty.
        width: width of a head.
        bias: a table with a column a head that all layers share, so that all must lose the same heads; else empty.
    """

    attention: str
    queries: str
    keys: str
    values: str
    output: str
    key: str
    width: str
    groups: str = ""
    bias: str = ""


@dataclass(frozen=True, slots=True)
class Layout:
    """One family.

    Args:
        inner: names in a layer of the linear layers that make the channels.
        outer: the one that reads them.
        key: of the config, their number.
        halves: how many times a layer of `inner` makes them, one behind the other.
        heads: None where the config cannot say that there are fewer.
        first_differs: whether the first layer holds what the others lack, so that it must stay.
        fused: whether one linear layer makes queries, keys and values.
    """

    inner: tuple[str, ...]
    outer: str
    key: str = "intermediate_size"
    halves: int = 1
    heads: Heads | None = None
    first_differs: bool = False
    fused: bool = False


BERT = Layout(("intermediate.dense",), "output.dense")
LLAMA = Layout(
    ("mlp.gate_proj", "mlp.up_proj"),
    "mlp.down_proj",
    heads=Heads(
        "self_attn", "q_proj", "k_proj", "v_proj", "o_proj", "num_attention_heads", "head_dim", "num_key_value_heads"
    ),
)
T5 = Layout(
    ("layer.1.DenseReluDense.wi",),
    "layer.1.DenseReluDense.wo",
    "d_ff",
    heads=Heads("layer.0.SelfAttention", "q", "k", "v", "o", "num_heads", "d_kv", bias="relative_attention_bias"),
    first_differs=True,
)
LAYOUTS: Mapping[str, Layout] = {
    **dict.fromkeys(("bert", "camembert", "deberta-v2", "electra", "ernie", "roberta", "xlm-roberta"), BERT),
    **dict.fromkeys(("llama", "mistral", "qwen2", "qwen3"), LLAMA),
    "albert": Layout(("albert_layers.0.ffn",), "albert_layers.0.ffn_output"),
    "bart": Layout(("fc1",), "fc2", "encoder_ffn_dim"),
    "distilbert": Layout(("ffn.lin1",), "ffn.lin2", "hidden_dim"),
    "gpt2": Layout(("mlp.c_fc",), "mlp.c_proj", "n_inner", fused=True),
    "modernbert": Layout(("mlp.Wi",), "mlp.Wo", halves=2, first_differs=True, fused=True),
    "t5": T5,
    "xlnet": Layout(("ff.layer_1",), "ff.layer_2", "d_inner"),
}
SHARING = ("albert",)  # families whose layers are one layer, gone through again and again


def layout_of(config: Mapping[str, Any]) -> Layout | None:
    """That of the family of a config.json, if it is known."""
    found = LAYOUTS.get(str(config.get("model_type")))
    if config.get("model_type") == "t5" and str(config.get("feed_forward_proj", "")).startswith("gated"):
        return replace(T5, inner=("layer.1.DenseReluDense.wi_0", "layer.1.DenseReluDense.wi_1"))
    return found


def depth_keys(config: Mapping[str, Any]) -> list[str]:
    """Keys of a config that count the layers of the stack that reads the text."""
    return [key for key in DEPTH if isinstance(config.get(key), int)]


def taken(asked: float, of: int) -> int:
    """How many of `of` a share below 1, or a count, means."""
    return round(asked * of) if asked < 1 else int(asked)
