"""``tgap list`` and ``tgap help``: what there is, a line each."""

import click


@click.command(name="list")
@click.argument("group", required=False)
@click.pass_context
def everything(context: click.Context, group: str | None) -> int:
    """List all commands, and what may stand behind each group=.

    A line each; with GROUP (selector, dataset, ...) that group alone, and whole.
    """
    from tgap.cli import overview

    text = context.make_formatter()
    if group is None and context.parent is not None:
        with text.section("Commands (tgap help COMMAND says more)"):
            text.write_dl(summaries(context.parent))
    overview.write_components(text, group)
    click.echo(text.getvalue().lstrip("\n"), nl=False)
    return 0


@click.command(name="help")
@click.argument("command", required=False)
@click.pass_context
def show_help(context: click.Context, command: str | None) -> int:
    """Show a command's help, or all commands."""
    above = context.parent
    if above is None or not isinstance(above.command, click.Group):
        raise click.UsageError("help is a command of tgap", context)
    if command is None:
        click.echo(above.get_help())
        return 0
    asked = above.command.get_command(above, command)
    if asked is None:
        from tgap.core import nearest

        names = above.command.list_commands(above)
        raise click.UsageError(f"no such command '{command}'{nearest(command, names)}", context)
    with asked.make_context(command, ["--help"], parent=above):
        return 0  # the flag has shown it and ended


def summaries(context: click.Context) -> list[tuple[str, str]]:
    """Each command with a line on what it does."""
    group = context.command
    if not isinstance(group, click.Group):
        return []
    named = ((name, group.get_command(context, name)) for name in group.list_commands(context))
    return [(name, one.get_short_help_str(limit=100)) for name, one in named if one is not None]
