"""The step `vocabulary`: word embeddings and tokenizer are trimmed to the pieces that the training data needs.

When to use: a model with a large vocabulary and a small body, such as a multilingual one on texts of one language.
Needs: the run's training rows, or --texts. Compares: exact on every text whose pieces are all kept, which those are;
dev and test choose no piece, so that what they say of the result holds for texts that nobody looked at. What it saves
is memory and disk, not time, for a lookup costs the same in any table.

Abdaoui et al. 2020 ("Load What You Need") trim multilingual models to the pieces of a language's corpus in the same
way. Families that count positions from the padding's id keep all ids up to it, for the id must stay.

Notation: V pieces, K kept ones, E width of a word embedding.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from weitiao.artifact import read_json, write_json
from weitiao.compression.base import Facts, Source, Step
from weitiao.compression.pieces import Pieces, built, scripts_of, words_of
from weitiao.errors import Refused
from weitiao.messages import _
from weitiao.models.network import Network
from weitiao.models.saving import save_model
from weitiao.models.weights import weight_files
from weitiao.records import Feature, Record
from weitiao.tasks.units import UnitTokenizer, units_of
from weitiao.text import Tokenizer, load_tokenizer

UNSEEN = ("test", "dev")  # splits that choose no piece; the first that is there tells what becomes of other texts
STALE = ("vocab.txt", "vocab.json", "merges.txt", "added_tokens.json", "*.model")  # tokenizer.json says the same


class Vocabulary(Step):
    """See the module; options are `VocabularyOptions`."""

    def run(self, source: Source, target: Path) -> Facts:
        needs = Needs(source, self.options.keep, self.options.characters)
        network = source.network()
        fixed = fixed_ids(network) & set(needs.pieces.ids.values())
        kept = sorted(needs.of(needs.records, source.texts or ()) | fixed)
        new = {old: place for place, old in enumerate(kept)}
        tree = needs.pieces.trimmed(new)
        trimmed = replace(source.tokenizer, backend=built(tree), memo={})
        self._check(source, trimmed, new, needs.records)
        trim(network, new)
        save_model(network, _renumbered(source.card, network), target, base=source.folder, tokenizer=None)
        _write_tokenizer(target, tree, new)
        return {
            "pieces": len(kept),
            "pieces_before": len(needs.pieces.ids),
            "bytes": sum(path.stat().st_size for path in weight_files(target)),
            "bytes_before": sum(path.stat().st_size for path in weight_files(source.folder)),
            "fresh": needs.fresh(trimmed, new),
        }

    def covers(self, source: Source, target: Path, records: Sequence[Record]) -> Sequence[bool]:
        """Those whose pieces are all kept, parts of unknown words too."""
        needs, trimmed = Needs(source), load_tokenizer(target).backend.get_vocab()
        kept = {index for piece, index in needs.pieces.ids.items() if piece in trimmed}
        return [needs.seen([record]) <= kept for record in records]

    def _check(self, source: Source, trimmed: Tokenizer, new: Mapping[int, int], records: Sequence[Record]) -> None:
        """Every training row must become the same pieces; the reasons are in `pieces`, this is the proof.

        Raises:
            Refused: one does not.
        """
        cut, again = encoded(source, records), encoded(source, records, trimmed)
        changed = [one.group for one, other in zip(cut, again, strict=False) if not _same(one, other, new)]
        if changed or len(cut) != len(again):
            place = records[changed[0] if changed else -1].place
            message = _("{place}: the trimmed tokenizer cuts this row differently; leave out `vocabulary`")
            raise Refused(message.format(place=place))


class Needs:
    """Which pieces texts need.

    Args:
        source: whose tokenizer it is.
        keep, characters: as in `VocabularyOptions`.
    """

    def __init__(self, source: Source, keep: str = "texts", characters: str = "all") -> None:
        self.source, self.keep, self.characters = source, keep, characters
        self.tokenizer = source.tokenizer
        self.pieces = Pieces.of(self.tokenizer.backend)

    @cached_property
    def records(self) -> Sequence[Record]:
        """The training rows of the run; none where the user's texts stand in for them.

        Raises:
            Refused: there are neither.
        """
        try:
            return self.source.records("train")
        except Refused:
            if not self.source.texts:
                raise
            return ()

    def of(self, records: Sequence[Record], texts: Sequence[str] = ()) -> set[int]:
        """Ids to keep: what the rows and texts are cut into, what belongs to every text, and what those are made of."""
        seen = self.seen(records) | self._of_texts(texts)
        if self.keep == "scripts":
            seen |= self._of_scripts(seen)
        if self.characters == "all":
            seen |= self.pieces.characters()
        return self.pieces.closed(seen | self._letters())

    def _letters(self) -> set[int]:
        """What a tokenizer is asked to find out how it wraps texts and opens words."""
        return {index for each in self.tokenizer.backend.encode_batch(["a", " a"]) for index in each.ids}

    def seen(self, records: Sequence[Record]) -> set[int]:
        """Ids that the rows are cut into, and the parts of their unknown words."""
        features = encoded(self.source, records)
        arrays = [feature.input_ids for feature in features]
        arrays += [each.places["pieces"].ravel() for each in features if "pieces" in each.places]
        found = set(np.unique(np.concatenate(arrays)).tolist()) - {-1} if arrays else set()
        return found | self._unknown(text for record in records for text in _strings(record.model_dump()))

    def fresh(self, trimmed: Tokenizer, new: Mapping[int, int]) -> dict[str, Any] | None:
        """What becomes of texts that chose no piece: those of test, or of dev; None where there are none."""
        found = next(((split, rows) for split in UNSEEN if (rows := self._if_there(split))), None)
        if found is None:
            return None
        split, records = found
        before, after = encoded(self.source, records), encoded(self.source, records, trimmed)
        changed = (
            {one.group for one, other in zip(before, after, strict=True) if not _same(one, other, new)}
            if len(before) == len(after)
            else {feature.group for feature in before}
        )
        unknown = self._unknown_id
        counts = [sum(map(len, each)) for each in (before, after)]
        shares = [
            sum(int((each.input_ids == index).sum()) for each in features) / max(count, 1)
            for features, count, index in ((before, counts[0], unknown), (after, counts[1], new.get(unknown, -1)))
        ]
        return {
            "split": split, "texts": len(records), "same": 1 - len(changed) / len(records),
            "tokens": counts[1] / max(counts[0], 1) - 1, "unknown_before": shares[0], "unknown": shares[1],
        }  # fmt: skip

    def _if_there(self, split: str) -> Sequence[Record]:
        with suppress(Refused):
            return self.source.records(split)
        return ()

    @property
    def _unknown_id(self) -> int:
        model = self.pieces.tree["model"]
        name = model.get("unk_token")
        found = model.get("unk_id") if self.pieces.kind == "Unigram" else self.pieces.ids.get(name) if name else None
        return -1 if found is None else int(found)

    def _unknown(self, texts: Iterator[str]) -> set[int]:
        """Ids of the parts of words that are unknown as a whole, which happens in WordPiece alone."""
        if self.pieces.kind != "WordPiece":
            return set()
        backend, unknown = self.tokenizer.backend, self._unknown_id
        parts = {part for text in texts for part in (text, *(text[start:end] for start, end in units_of(text)))}
        words = words_of(backend, parts)
        whole = {word for word in words if any(token.id == unknown for token in backend.model.tokenize(word))}
        return self.pieces.inside(whole)

    def _of_texts(self, texts: Sequence[str]) -> set[int]:
        """As a task may cut them: whole, and, where it looks at units, unit by unit."""
        found = {index for each in self.tokenizer.backend.encode_batch_fast(list(texts)) for index in each.ids}
        if texts and "units" in self.tokenizer.memo:
            units = UnitTokenizer.of(self.tokenizer)
            for each in units.encode_all((text, units_of(text)) for text in texts):
                found.update(index for ids, _first in each for index in ids)
        return found | self._unknown(iter(texts))

    def _of_scripts(self, seen: set[int]) -> set[int]:
        """Ids of all pieces written in the scripts that the pieces seen are written in, and of signs and digits."""
        texts = {index: self.pieces.text_of(piece) for piece, index in self.pieces.ids.items()}
        written = seen - self.pieces.special  # whose names say nothing of the texts
        scripts = set().union(*(scripts_of(texts.get(index) or "") for index in written))
        return {index for index, text in texts.items() if text is None or scripts_of(text) <= scripts}


def encoded(source: Source, records: Sequence[Record], tokenizer: Tokenizer | None = None) -> list[Feature]:
    """The rows as the task encodes them."""
    features: list[Feature] = source.task.encode(
        records, tokenizer or source.tokenizer, source.labels, source.max_length
    )
    return features


def fixed_ids(network: Network) -> set[int]:
    """Ids that the model itself asks for; where positions are counted from the padding's, all up to that."""
    config = network.backbone.config.get_text_config()
    found = {index for _key, value in _token_ids(config) for index in (value if isinstance(value, list) else [value])}
    found.add(network.spec.pad_id)
    counted = [
        module.padding_idx
        for name, module in network.backbone.named_modules()
        if isinstance(module, nn.Embedding) and "position" in name and module.padding_idx is not None
    ]
    return found | set(range(max(counted, default=-1) + 1))


def trim(network: Network, new: Mapping[int, int]) -> None:
    """Keep the rows of `new`, old id -> new id, in every table of the vocabulary, and renumber what the config names.

    Raises:
        Refused: the words are not looked up in one table.
    """
    backbone = network.backbone
    table = backbone.get_input_embeddings()
    if not isinstance(table, nn.Embedding) or table.num_embeddings <= max(new):
        message = _("the family '{family}' does not look its words up in one table, so that it cannot be trimmed")
        raise Refused(message.format(family=backbone.config.model_type))
    rows = torch.tensor(sorted(new))  # [K]
    size = table.num_embeddings  # V
    for tensor in _of_vocabulary(backbone, size):
        _put(backbone, tensor, tensor.detach()[..., rows] if tensor.shape[-1] == size else tensor.detach()[rows])
    for module in backbone.modules():
        if isinstance(module, nn.Embedding) and module.weight is table.weight:
            module.num_embeddings = len(rows)
            module.padding_idx = None if module.padding_idx is None else new.get(module.padding_idx)
    output: Any = backbone.get_output_embeddings()  # type: ignore[no-untyped-call]
    if isinstance(output, nn.Linear):
        output.out_features = len(rows)
    for config in {id(each): each for each in (backbone.config, backbone.config.get_text_config())}.values():
        config.vocab_size = len(rows)
        _renumber(config, new)
    if getattr(backbone, "generation_config", None) is not None:
        _renumber(backbone.generation_config, new)
    network.spec = replace(network.spec, pad_id=new[network.spec.pad_id])


def _of_vocabulary(backbone: Any, size: int) -> list[torch.Tensor]:
    """The tensors that have an entry a piece: words in, words out, and the biases beside the latter."""
    output: nn.Module | None = backbone.get_output_embeddings()
    found = [backbone.get_input_embeddings().weight]
    if output is not None:
        names = {name for name, module in backbone.named_modules() if module is output}
        beside = [backbone.get_submodule(name.rpartition(".")[0]) for name in names]
        for module in (output, *beside):
            own = [*module.parameters(recurse=False), *module.buffers(recurse=False)]
            found += [each for each in own if each.numel() == size or each is getattr(output, "weight", None)]
    return list({id(each): each for each in found}.values())


def _put(backbone: nn.Module, old: torch.Tensor, value: torch.Tensor) -> None:
    """Put `value` wherever `old` stands; tied tensors stay tied."""
    made = nn.Parameter(value.clone(), old.requires_grad) if isinstance(old, nn.Parameter) else value.clone()
    for module in backbone.modules():
        for own in (module._parameters, module._buffers):
            for name in [name for name, each in own.items() if each is old]:
                own[name] = made  # type: ignore[assignment]


def _token_ids(config: Any) -> Iterator[tuple[str, Any]]:
    """(key, id or ids) of the tokens that a config names."""
    for key, value in config.to_dict().items():
        if key.endswith("_token_id") and (type(value) is int or isinstance(value, list)):
            yield key, value


def _renumber(config: Any, new: Mapping[int, int]) -> None:
    """Ids that the config names by their new numbers; None for what the vocabulary never had."""
    for key, value in list(_token_ids(config)):
        ids = [new.get(index) for index in (value if isinstance(value, list) else [value])]
        setattr(config, key, [index for index in ids if index is not None] if isinstance(value, list) else ids[0])


def _renumbered(card: Mapping[str, Any], network: Network) -> dict[str, Any]:
    return {**card, "network": {**card["network"], "pad_id": network.spec.pad_id}}


def _write_tokenizer(folder: Path, tree: Mapping[str, Any], new: Mapping[int, int]) -> None:
    """tokenizer.json, the ids in tokenizer_config.json, and no file that would say otherwise."""
    write_json(folder / "tokenizer.json", tree)
    for pattern in STALE:
        for path in folder.glob(pattern):
            path.unlink()
    settings = folder / "tokenizer_config.json"
    if settings.is_file():
        tree = read_json(settings)
        if isinstance(added := tree.get("added_tokens_decoder"), dict):
            kept = {str(new[int(index)]): token for index, token in added.items() if int(index) in new}
            write_json(settings, {**tree, "added_tokens_decoder": kept})


def _same(before: Feature, after: Feature, new: Mapping[int, int]) -> bool:
    """Whether two features hold the same pieces, the second by its new ids."""
    if len(before) != len(after) or [new.get(index) for index in before.input_ids.tolist()] != after.input_ids.tolist():
        return False
    pieces = [each.places["pieces"].ravel().tolist() for each in (before, after) if "pieces" in each.places]
    return not pieces or [new.get(index, -1) for index in pieces[0]] == pieces[1]


def _strings(value: Any) -> Iterator[str]:
    """Every text inside a record."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _strings(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _strings(each)
