"""Few labels: the body learns to tell pairs of texts apart, then the head is solved on what it makes of them.

SetFit's idea (Tunstall et al. 2022). The first stage is a fit of its own and stands in
verbs/fitting/stages.py; what this file does is the second.
"""

from __future__ import annotations

from weitiao.methods.freeze import LinearProbe


class Contrastive(LinearProbe):
    """First the body learns from pairs made of the labels, then the head alone.

    When to use: eight to a few dozen labels a class, and a model made for embeddings. Needs: full fine-tuning's memory,
    for a few dozen to a few hundred steps. Compares: `benchmarks/few_shot.py` sets it beside head and full.
    """
