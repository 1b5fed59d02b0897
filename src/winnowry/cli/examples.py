"""Examples at the end of a command's ``--help``, and what a group of commands answers when none is named."""

from __future__ import annotations

import click


def examples(*lines: str) -> str:
    """The epilog of a command: its examples, each a command line with a comment, the comments below each other.

    Args:
        lines: e.g. ``winnowry run support  # every partition``.

    >>> examples("winnowry init lake", "winnowry demo --versions 3  # quick").splitlines()[2:]
    ['  winnowry init lake', '  winnowry demo --versions 3   # quick']
    """
    split = [tuple(part.strip() for part in line.partition("  # ")) for line in lines]
    width = max(len(command) for command, _, comment in split if comment) if any(c for _, _, c in split) else 0
    shown = [f"  {command:<{width}}   # {comment}" if comment else f"  {command}" for command, _, comment in split]
    return "\n".join(["\b", "Examples:", *shown])


class CommandGroup(click.Group):
    """Commands below a name; the name alone prints the help, as ``--help`` does, and is no mistake."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse what follows the name."""
        return super().parse_args(ctx, args if args or ctx.resilient_parsing else ["--help"])
