"""A pretrained model looked at for given rows: what it is, how it reads these texts, what training it would take.

Nothing here opens weights or imports torch. A model that cannot be used keeps its place in the list, with the reason.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from weitiao.errors import WeitiaoError
from weitiao.models.reference import ModelFolder, resolve
from weitiao.models.starters import STARTERS, state
from weitiao.recipe import Recipe
from weitiao.text import CHINESE, Tokenizer, han_share, load_tokenizer
from weitiao.verbs.planning.plan import Plan, make_plan, shape_for
from weitiao.verbs.preparing.encoding import encode_splits, length_limit
from weitiao.verbs.preparing.frame import method_of
from weitiao.verbs.preparing.method_choice import is_open, settle
from weitiao.verbs.preparing.model_checks import model_misfits
from weitiao.verbs.preparing.preflight import Preflight

UNREADABLE = ("\U00012000", "\U00013001")  # cuneiform and hieroglyphs; byte by byte they end differently


@dataclass(frozen=True, slots=True)
class Coverage:
    """How a tokenizer reads texts.

    Args:
        unknown: share of pieces that stand for what the vocabulary does not have.
        per_character: pieces a character, blanks not counted.
        per_word: pieces a word; None of Chinese, whose words are not told by blanks.
    """

    unknown: float
    per_character: float
    per_word: float | None


@dataclass(frozen=True, slots=True)
class Looked:
    """What is known of a model before its weights are opened.

    Args:
        name: as a recipe would name it.
        reason: why it cannot be used; empty where it can, and only then is the rest there.
        recipe: with this model, and a method of its own.
        folder, tokenizer: the model's.
        max_length: tokens a text is cut to.
        coverage: how it reads a sample of the texts.
        cut: share of the texts that lose their end.
        plan: what training would take.
    """

    name: str
    reason: str = ""
    recipe: Recipe | None = None
    folder: ModelFolder | None = None
    tokenizer: Tokenizer | None = None
    max_length: int = 0
    coverage: Coverage | None = None
    cut: float = 0.0
    plan: Plan | None = None


def installed_starters() -> list[str]:
    """References of the starters whose packages are here."""
    return [f"starter:{name}" for name in STARTERS if state(name) != "absent"]


def look(found: Preflight, name: str, sample: Sequence[str]) -> Looked:
    """Look at one model for the rows of `found`; what refuses it becomes its reason.

    Args:
        found: rows, labels and task; of a recipe without a model.
        name: the model.
        sample: texts by which coverage is told.
    """
    spec = found.recipe.model.model_copy(update={"name": name, "revision": _revision(found.recipe, name)})
    recipe = found.recipe.model_copy(update={"model": spec})
    try:
        folder = resolve(name, revision=spec.revision, code=spec.trust_remote_code)
        tokenizer = load_tokenizer(folder.path)
    except WeitiaoError as error:
        return Looked(name, reason=str(error))
    amiss = [finding.message for finding in model_misfits(recipe, found.task, folder, tokenizer)]
    if amiss:
        return Looked(name, reason="; ".join(amiss), folder=folder)
    return _measured(Looked(name, recipe=recipe, folder=folder, tokenizer=tokenizer), found, sample)


def _revision(recipe: Recipe, name: str) -> str | None:
    """The recipe's revision is that of its own model."""
    return recipe.model.revision if name == recipe.model.name else None


def _measured(looked: Looked, found: Preflight, sample: Sequence[str]) -> Looked:
    recipe, folder, tokenizer = looked.recipe, looked.folder, looked.tokenizer
    if recipe is None or folder is None or tokenizer is None or found.dataset is None:
        return looked
    limit = length_limit(recipe.training.max_length, tokenizer, method_of(recipe).positions)
    records = found.dataset.records
    encoded = encode_splits(found.task, records, tokenizer, found.labels, max_length=limit, full=False)
    if is_open(recipe):
        recipe = settle(recipe, found.task, found.dataset, found.labels, folder, encoded.measured).recipe
    shape = shape_for(recipe, found.task, folder)
    plan = make_plan(recipe, shape, folder.family, encoded.measured, len(found.labels))
    return replace(
        looked,
        recipe=recipe,
        max_length=limit,
        coverage=coverage(tokenizer, sample),
        cut=sum(plan.truncated.values()) / max(sum(plan.rows.values()), 1),
        plan=plan,
    )


def coverage(tokenizer: Tokenizer, texts: Sequence[str]) -> Coverage:
    """How the tokenizer reads `texts`."""
    ids = [each.ids for each in tokenizer.backend.encode_batch(list(texts), add_special_tokens=False)]
    pieces, strange = sum(map(len, ids)), unknown_id(tokenizer)
    unknown = 0 if strange is None else sum(each.count(strange) for each in ids)
    words = [text.split() for text in texts]
    characters = sum(len(word) for each in words for word in each)
    spaced = han_share("".join(texts)) <= CHINESE
    return Coverage(
        unknown=unknown / max(pieces, 1),
        per_character=pieces / max(characters, 1),
        per_word=pieces / max(sum(map(len, words)), 1) if spaced else None,
    )


def unknown_id(tokenizer: Tokenizer) -> int | None:
    """The id of what the vocabulary does not have, told by asking; None of one that reads any byte."""
    one, other = (tokenizer.backend.encode(each, add_special_tokens=False).ids for each in UNREADABLE)
    return one[-1] if one and one[-1:] == other[-1:] else None
