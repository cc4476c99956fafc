"""`weitiao adapters`: what is in adapters, and an ordinary `model/` folder from one and its base."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from weitiao.artifact import ADAPTER_CARD, ADAPTER_WEIGHTS, RunFolder, read_json
from weitiao.errors import Refused
from weitiao.messages import _
from weitiao.recipe import load_recipe
from weitiao.records import Feature, Outputs
from weitiao.serving.cards import AdapterCard, adapter_folder
from weitiao.text import Tokenizer, load_tokenizer
from weitiao.verbs.preparing.frame import frame, method_of

if TYPE_CHECKING:
    from weitiao.models.network import Network

APART = ("method", "base")  # what adapter.json says beyond task.json
PROBES = ("微调 weitiao", "One adapter, one base. " * 8, "很好")  # short, long, and in two scripts


@dataclass(frozen=True, slots=True)
class Entry:
    """One adapter.

    Args:
        name: its run's name.
        path: its folder.
        task, method, base: by name.
        bytes: of its weights.
        labels: how many there are.
    """

    name: str
    path: str
    task: str
    method: str
    base: str
    bytes: int
    labels: int

    def as_json(self) -> dict[str, Any]:
        """For `--json`."""
        return asdict(self)


def entries(folders: Path | str | Iterable[Path | str]) -> list[Entry]:
    """The adapters in a folder or several: each an adapter, a run, or a folder with runs in it.

    Raises:
        Refused: there is none in one of them.
    """
    given = [folders] if isinstance(folders, str | Path) else folders
    found = dict.fromkeys(each for folder in given for each in _within(Path(folder)))
    return [_entry(AdapterCard.read(each)) for each in found]


def _within(folder: Path) -> Iterator[Path]:
    own = [each for each in (folder, RunFolder(folder).adapter) if (each / ADAPTER_CARD).is_file()]
    below = sorted(path.parent for path in folder.glob(f"*/{RunFolder(Path()).adapter.name}/{ADAPTER_CARD}"))
    if not own and not below:
        raise Refused(
            _("{folder}: no adapter in it; expected an adapter, a run, or a folder of runs").format(folder=folder)
        )
    yield from own[:1] or below


def _entry(card: AdapterCard) -> Entry:
    size = (card.folder / ADAPTER_WEIGHTS).stat().st_size
    labels = len(card.task.labels)
    return Entry(card.task.name, str(card.folder), card.task.task_name, card.method, card.base, size, labels)


def merge(adapter: Path | str, output: Path | str, *, base: str | None = None) -> Path:
    """Write the model of an adapter on its base to `output`, as a run's `model/`; return `output`.

    What the method can fold into the base's weights is folded; what it cannot stands beside them.

    Args:
        adapter: an `adapter/` folder, or its run.
        output: a new folder.
        base: the pretrained model, in place of the one that the adapter names.

    Raises:
        Refused: it is no adapter, its run learnt nothing, its base is not there, or `output` is.
        Failed: what was written answers differently.
    """
    _refuse_unlearnt(RunFolder(Path(adapter)))
    folder, output = adapter_folder(Path(adapter)), Path(output)
    if output.exists():
        raise Refused(_("{path}: is already there and is never overwritten; name a new folder").format(path=output))
    source = AdapterCard.read(folder).base_folder(base)
    from weitiao.methods.adapters import open_adapter
    from weitiao.models.network import load
    from weitiao.models.saving import save_model
    from weitiao.verbs.fitting.keeping import verify

    card = read_json(folder / ADAPTER_CARD)
    opened, tokenizer = open_adapter(folder, source), load_tokenizer(source)
    before = _hidden(opened.network, tokenizer)
    opened.method.finish(opened.network)
    told = {key: value for key, value in card.items() if key not in APART}
    told["network"] = {**told["network"], "additions": list(opened.network.spec.additions)}
    save_model(opened.network.eval(), told, output, base=source, tokenizer=tokenizer)
    verify(before, _hidden(load(output), tokenizer), output)
    return output


def _refuse_unlearnt(run: RunFolder) -> None:
    """A run whose method learns nothing has no adapter, and is finished all the same."""
    if not run.recipe.is_file():
        return
    recipe = load_recipe(run.recipe, frame())
    if not method_of(recipe).learns:
        message = _(
            "{folder}: the run has no adapter, for `method: {method}` learns nothing; its whole model is {model}"
        )
        raise Refused(message.format(folder=run.path, method=recipe.method.name, model=run.model))


def _hidden(network: Network, tokenizer: Tokenizer) -> list[Outputs]:
    """What the network's head is given of a few texts, one at a time; heads themselves are saved as they are."""
    import torch

    from weitiao.models.batch import collate

    made: list[Outputs] = []
    with torch.inference_mode():
        for text in PROBES:
            (tokens,) = tokenizer.encode([text], max_length=64)
            batch = collate([Feature(tokens.ids, tokens.types, cut=tokens.cut)], network.spec.pad_id)
            made.append({"hidden": network.hidden(batch).numpy()})
    return made
