"""Help pages: typer's command and group with our layout, translated when shown.

Plain text without boxes, so that it is instant, can be piped and wraps Chinese by columns instead of characters.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from typer.core import TyperCommand, TyperGroup

from weitiao.cli.layout import GAP, columns, page_width, wrap
from weitiao.errors import Refused
from weitiao.messages import _
from weitiao.tables import did_you_mean

MARGIN = 2


class Command(TyperCommand):
    """A verb."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        formatter.write(_page(self, ctx, []))


class Group(TyperGroup):
    """The program, or a verb of verbs such as `models`."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        rows = []
        for name in self.list_commands(ctx):
            command = self.get_command(ctx, name)
            if command is not None and not command.hidden:
                rows.append((name, shown(command.help)))
        formatter.write(_page(self, ctx, rows))

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """As typer does, but an unknown name is refused in our words."""
        name = args[0]
        if not name.startswith("-") and self.get_command(ctx, name) is None:
            hint = did_you_mean(name, list(self.commands))
            expected = "" if hint else _("; expected one of: {names}").format(names=", ".join(self.commands))
            raise Refused(_("unknown command '{name}'{hint}").format(name=name, hint=hint + expected))
        return super().resolve_command(ctx, args)

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - typer's signature
        """In the order in which they were added: the order of work."""
        return list(self.commands)


def _page(command: Any, ctx: Any, verbs: Sequence[tuple[str, str]]) -> str:
    width = page_width()
    usage = _("Usage: {command} {pieces}").format(
        command=ctx.command_path, pieces=" ".join(_usage(command, bool(verbs)))
    )
    lines = [*wrap(usage, width, indent=7), ""]
    for paragraph in shown(command.help).split("\n"):
        lines += wrap(paragraph, width) if paragraph else [""]
    lines.append("")
    arguments = [(_name(each), _about(each)) for each in command.params if _is_argument(each)]
    options = [(_flags(each), _about(each)) for each in command.get_params(ctx) if not _is_argument(each)]
    for title, rows in ((_("Arguments"), arguments), (_("Commands"), verbs), (_("Options"), options)):
        if rows:
            lines += [_("{title}:").format(title=title), *_columns(rows, width), ""]
    return "\n".join(lines).rstrip() + "\n"


def shown(text: str | None) -> str:
    """A marked text in the user's language; nothing stays nothing (gettext keeps its header under the empty text)."""
    return _(text) if text else ""


def _usage(command: Any, is_group: bool) -> list[str]:
    pieces = [_("[OPTIONS]")]
    for each in command.params:
        if _is_argument(each):
            name = _name(each)
            pieces.append(name if each.required else f"[{name}]")
    if is_group:
        pieces.append(_("COMMAND ..."))
    return pieces


def _is_argument(parameter: Any) -> bool:
    return bool(parameter.param_type_name == "argument")


def _name(parameter: Any) -> str:
    name = str(parameter.metavar or parameter.name.upper())
    return name + "..." if parameter.nargs == -1 else name


def _flags(parameter: Any) -> str:
    flags = ", ".join([*sorted(parameter.opts, key=len), *parameter.secondary_opts])
    takes_value = not getattr(parameter, "is_flag", False)
    return f"{flags} {_name(parameter)}" if takes_value else flags


def _about(parameter: Any) -> str:
    if "--help" in parameter.opts:
        return _("Show this page and exit.")
    about = shown(parameter.help)
    if parameter.show_default and parameter.default not in (None, False, (), "") and not callable(parameter.default):
        value = parameter.opts[0] if parameter.secondary_opts else parameter.default
        about += " " + _("[default: {value}]").format(value=value)
    return about


def _columns(rows: Sequence[tuple[str, str]], width: int) -> Iterable[str]:
    """Names in a left column, their texts wrapped in a right one; a name too wide stands on its own line."""
    left = min(max(columns(name) for name, _text in rows), width // 3)
    for name, text in rows:
        body = wrap(text, width - MARGIN - left - GAP)
        pad = " " * (MARGIN + left + GAP)
        if columns(name) > left:
            yield " " * MARGIN + name
            first = pad
        else:
            first = " " * MARGIN + name + " " * (left - columns(name) + GAP)
        yield (first + body[0]).rstrip()
        yield from (pad + line for line in body[1:])
