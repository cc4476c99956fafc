"""BitFit: biases learn, and nothing else of the pretrained model."""

from __future__ import annotations

from weitiao.errors import Refused
from weitiao.messages import _
from weitiao.methods.base import Method
from weitiao.models.network import Network


class BitFit(Method):
    """The biases and the new head learn (Ben Zaken et al. 2022, section 3).

    When to use: a few hundred to a few thousand labels, and many models of one base to be kept. Needs: gradients
    through all layers, and next to nothing for the optimiser. Compares: with full fine-tuning on a few thousand rows or
    fewer, below it on many (Ben Zaken et al. 2022, sections 4 and 5).
    """

    def apply(self, network: Network, total_steps: int) -> None:  # noqa: ARG002
        new = network.head_parameters()
        for name, parameter in network.named_parameters():
            parameter.requires_grad_(name in new or _is_bias(name))
        stacks = tuple(stack.prefix + "." for stack in network.stacks)
        if not any(_is_bias(name) and name.startswith(stacks) for name, _parameter in network.named_parameters()):
            message = _("the layers of the family '{family}' have no biases, and `method: bitfit` trains nothing else")
            raise Refused(message.format(family=network.backbone.config.model_type))


def _is_bias(name: str) -> bool:
    return name.rpartition(".")[2] == "bias"
