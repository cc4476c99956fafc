"""From what a recipe calls a model to a folder with that model in it; torch-free.

`starter:NAME`, `./folder`, `hf:owner/name` or `ms:owner/name` goes in; a `ModelFolder` comes out, its config read and
its weight files looked over by their headers, so that everything that is wrong with it is said before weights are
opened. Folders and starters never touch the network; hubs are asked only for the files that fine-tuning needs.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from weitiao.artifact import read_json
from weitiao.errors import MissingExtra, Refused
from weitiao.messages import _
from weitiao.models import families, starters, weights
from weitiao.tables import closest, did_you_mean
from weitiao.telemetry import silence

PREFIXES = ("starter", "hf", "ms")
NEEDED = ("*.json", "*.safetensors", "*.txt", "*.model", "README.md")  # what is fetched from a hub
NOT_NEEDED = ("*/*", "consolidated*")  # folders hold other formats (onnx/, openvino/, original/)
OLD = ("pytorch_model*.bin",)
CODE = ("*.py",)


@dataclass(frozen=True, slots=True)
class ModelFolder:
    """A pretrained model on disk.

    Args:
        path: an ordinary transformers folder.
        name: the reference, as the user wrote it.
        config: its config.json.
        parameters: tensor name -> shape, from the headers of its weight files.
        license: what the model says of its licence; empty where it says nothing.
    """

    path: Path
    name: str
    config: Mapping[str, Any]
    parameters: Mapping[str, weights.Shape]
    license: str

    @property
    def family(self) -> str:
        """transformers' `model_type`."""
        return str(self.config["model_type"])

    @property
    def size(self) -> int:
        """Number of stored parameters."""
        return sum(math.prod(shape) for shape in self.parameters.values())

    def has_class(self, auto: str) -> bool:
        """Whether transformers has a class of the family under this Auto class, which a stock head needs."""
        return families.known(self.family, families.STOCK[auto])


def resolve(
    name: str,
    *,
    revision: str | None = None,
    base: Path = Path(),
    download: bool = True,
    code: bool = False,
    convert: bool = True,
) -> ModelFolder:
    """Find the model that a recipe names.

    Args:
        name: `starter:NAME`, a folder, `hf:owner/name` or `ms:owner/name`.
        revision: branch, tag or commit of a hub model.
        base: what a relative folder is relative to.
        download: whether a hub may be asked; otherwise only what was fetched before is looked at.
        code: whether Python files of a hub model are fetched too (`model.trust_remote_code`).
        convert: whether a starter is converted when it is not yet; otherwise its folder may lack the weights.

    Raises:
        Refused: there is no such model, or its folder cannot be used; the message says what to do.
        MissingExtra: the hub's client is not installed.
    """
    starter = name.removeprefix("starter:")
    described = starter != name and not convert
    if described:
        path = starters.describe(starter)
    else:
        path = locate(name, revision=revision, base=base, download=download, code=code)
    config = _config(path, custom=code)
    shapes = (starters.shapes(path) if described else None) or weights.parameters(path)
    return ModelFolder(path, name, config, shapes, _license(name, path))


def describable(name: str) -> bool:
    """Whether `resolve(..., convert=False)` can say what the model is; false for some starters before first use."""
    prefix, _colon, rest = name.partition(":")
    return prefix != "starter" or rest not in starters.STARTERS or starters.describable(rest)


def locate(
    name: str,
    *,
    revision: str | None = None,
    base: Path = Path(),
    download: bool = True,
    code: bool = False,
    old: bool = False,
) -> Path:
    """The folder of a reference, not looked into; `old` fetches `.bin` weights instead of safetensors.

    Raises:
        Refused: there is no such folder, starter or hub model.
    """
    prefix, colon, rest = name.partition(":")
    if prefix == "starter" and colon:
        return starters.prepare(rest)
    if prefix in ("hf", "ms") and colon:
        wanted = [*(each for each in NEEDED if not (old and each == "*.safetensors"))]
        wanted += [*(OLD if old else ()), *(CODE if code else ())]
        fetch = _from_hugging_face if prefix == "hf" else _from_modelscope
        return fetch(_hub_id(name, rest), revision, wanted, download)
    return _folder(name, base)


def _folder(name: str, base: Path) -> Path:
    path = base / Path(name).expanduser()
    if path.is_dir():
        return path
    if path.is_file():
        raise Refused(_("model '{name}' is a file; expected the folder it is in").format(name=name))
    raise Refused(
        _(
            "model '{name}': no such folder; expected ./folder, starter:NAME, hf:owner/name or ms:owner/name{hint}"
        ).format(name=name, hint=_hint(name, path))
    )


def _hint(name: str, path: Path) -> str:
    """What the user may have meant by a name that is no folder."""
    prefix, colon, rest = name.partition(":")
    if colon and (guess := closest(prefix, PREFIXES)):
        return did_you_mean(f"{guess}:{rest}", [f"{guess}:{rest}"])
    if name in starters.STARTERS:
        return _("; did you mean '{guess}'?").format(guess=f"starter:{name}")
    siblings = sorted(each.name for each in path.parent.iterdir() if each.is_dir()) if path.parent.is_dir() else []
    if sibling := closest(path.name, siblings):
        return _("; did you mean '{guess}'?").format(guess=name.rstrip("/").removesuffix(path.name) + sibling)
    if re.fullmatch(r"[\w][\w.-]*(/[\w.-]+)?", name):
        return _("; did you mean '{guess}'?").format(guess=f"hf:{name}")
    return ""


def _hub_id(name: str, rest: str) -> str:
    if not re.fullmatch(r"[\w][\w.-]*(/[\w][\w.-]*)?", rest):
        raise Refused(
            _("model '{name}': '{got}' is not the id of a hub model; expected owner/name").format(name=name, got=rest)
        )
    return rest


def _from_hugging_face(name: str, revision: str | None, wanted: list[str], download: bool) -> Path:
    """Fetch from the Hugging Face hub (or the mirror in HF_ENDPOINT) into its own cache."""
    silence()
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError, RevisionNotFoundError

    try:
        found = snapshot_download(
            name,
            revision=revision,
            allow_patterns=wanted,
            ignore_patterns=list(NOT_NEEDED),
            local_files_only=not download,
        )
    except GatedRepoError as error:
        message = _(
            "hf:{name}: its owner asks for consent first; accept the terms on its page and log in with: hf auth login"
        )
        raise Refused(message.format(name=name)) from error
    except RepositoryNotFoundError as error:
        message = _(
            "hf:{name}: the hub has no such model, or it is private; check the name, or log in with: hf auth login"
        )
        raise Refused(message.format(name=name)) from error
    except RevisionNotFoundError as error:
        message = _("hf:{name}: no revision '{revision}'; expected a branch, tag or commit of the model")
        raise Refused(message.format(name=name, revision=revision)) from error
    except Exception as error:  # a hub fails in the words of its HTTP client, of which there are several
        raise Refused(_unreachable("hf", name, error, download)) from error
    return Path(str(found))


def _from_modelscope(name: str, revision: str | None, wanted: list[str], download: bool) -> Path:
    """Fetch from the ModelScope hub into its own cache."""
    silence()
    try:
        from modelscope.hub.snapshot_download import snapshot_download  # type: ignore[import-not-found]
    except ImportError as error:
        raise MissingExtra("modelscope", "modelscope") from error
    try:
        found = snapshot_download(
            name,
            revision=revision,
            allow_patterns=wanted,
            ignore_patterns=list(NOT_NEEDED),
            local_files_only=not download,
        )
    except Exception as error:  # as above
        raise Refused(_unreachable("ms", name, error, download)) from error
    return Path(str(found))


def _unreachable(hub: str, name: str, error: Exception, download: bool) -> str:
    if not download:
        return _("{hub}:{name}: has not been fetched before, and fetching is off here").format(hub=hub, name=name)
    reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
    return _(
        "{hub}:{name}: cannot be fetched ({reason}); check the connection and HF_ENDPOINT, "
        "or give a folder with the model in it: model: ./folder"
    ).format(hub=hub, name=name, reason=reason)


def _config(path: Path, *, custom: bool) -> dict[str, Any]:
    """The folder's config.json, its family checked against transformers' table."""
    if not (path / "config.json").is_file():
        raise Refused(_("{path}: not a model folder: no config.json in it{hint}").format(path=path, hint=_inside(path)))
    config = read_json(path / "config.json")
    family = config.get("model_type")
    if not isinstance(family, str) or not family:
        raise Refused(
            _("{path}: no `model_type` in it; expected a transformers config").format(path=path / "config.json")
        )
    if not families.known(family) and not (custom and "auto_map" in config):
        hint = did_you_mean(family, set(families.families()))
        raise Refused(
            _("{path}: transformers does not know the model family '{family}'{hint}").format(
                path=path / "config.json", family=family, hint=hint
            )
        )
    return config


def _inside(path: Path) -> str:
    """A hint to the model folders inside a folder, such as a run's `model`."""
    found = sorted(str(path / each.parent.name) for each in path.glob("*/config.json"))
    return _("; did you mean '{guess}'?").format(guess=found[0]) if found else ""


def _license(name: str, path: Path) -> str:
    """Of a starter: what we know; else the `license:` line of the model card's front matter."""
    prefix, _colon, rest = name.partition(":")
    if prefix == "starter":
        return starters.lookup(rest).license
    for line in _front_matter(path / "README.md"):
        if found := re.fullmatch(r"license:\s*[\"']?([\w.+-]+)[\"']?\s*", line):
            return found.group(1)
    return ""


def _front_matter(card: Path) -> Iterator[str]:
    """Lines between the two `---` that open a model card."""
    if not card.is_file():
        return
    first, *rest = card.read_text("utf-8", errors="replace").splitlines() or [""]
    if first.strip() == "---":
        for line in rest:
            if line.strip() == "---":
                return
            yield line
