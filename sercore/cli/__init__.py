"""The command line: thin commands, each imported when it is called.

Errors that a user can act on are printed as one sentence; anything else keeps its traceback.
"""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from contextvars import ContextVar
from importlib import import_module
from typing import TYPE_CHECKING
from typing import Any

import click

from sercore.__about__ import __version__
from sercore.cli.text import printable
from sercore.devices import wait_passively
from sercore.errors import SercoreError

if TYPE_CHECKING:
    from collections.abc import Iterator

_COMMANDS = {
    "run": ("sercore.cli.run:run", "Evaluate corpora x backbones and draw the matrix."),
    "list": ("sercore.cli.list:list_", "List what is installed."),
    "status": ("sercore.cli.status:status", "Show runs, and what is stored."),
    "doctor": ("sercore.cli.doctor:doctor", "Check plugins, libraries, corpora and backbones."),
    "predict": (
        "sercore.cli.predict:predict",
        "Predict the emotion of new audio with a stored probe.",
    ),
    "report": ("sercore.cli.report:report", "Write tables, figures and an HTML page of a run."),
    "score": ("sercore.cli.score:score", "Recompute the scores of a run from its predictions."),
    "compare": ("sercore.cli.compare:compare", "Say which cells of two runs differ, and why."),
    "export": (
        "sercore.cli.export:export",
        "Write results, manifests and splits for other groups and tools.",
    ),
    "check": ("sercore.cli.check:check", "Check whether a plugin keeps its contract."),
    "new": ("sercore.cli.new:new", "Write a plugin that builds and passes its checks."),
    "cache": ("sercore.cli.cache:cache", "List, verify and trim stored frames."),
    "verify": ("sercore.cli.verify:verify", "Compare all stored files with their digests."),
    "merge": ("sercore.cli.merge:merge", "Copy the results of one workspace into another."),
    "bench": ("sercore.cli.bench:bench", "Estimate what the full benchmark costs."),
    "plan": ("sercore.cli.plan:plan", "List the tasks of a run, for schedulers of your own."),
    "work": ("sercore.cli.work:work", "Do tasks of a run, for executors and schedulers."),
    "fingerprint": (
        "sercore.cli.fingerprint:fingerprint",
        "Write lengths and digests of a corpus, to compare copies.",
    ),
    "fetch": ("sercore.cli.fetch:fetch", "Download corpora whose licence allows it."),
}


_WANTS_JSON = ContextVar("wants_json", default=False)
"""Whether the command line that is parsed asks for JSON, even if the rest of it is wrong."""


class LazyGroup(click.Group):
    """A group whose commands are imported when they are called, and listed without that."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order in which a newcomer needs them."""
        del ctx
        return [*_COMMANDS]  # `list` is a module of this package once it is imported

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return a command."""
        del ctx
        if cmd_name not in _COMMANDS:
            return None
        module, _, name = _COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(import_module(module), name)
        _add_exit_status(command)
        return command

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; a reader that goes away, as `head` does, ends it quietly.

        A run that is cut short this way is not done, so `run` keeps its error.
        """
        try:
            result = self._invoke(ctx)
            sys.stdout.flush()
        except (BrokenPipeError, SystemExit) as error:
            # rich answers a closed pipe with SystemExit(1).
            closed = isinstance(error, BrokenPipeError) or isinstance(
                error.__context__, BrokenPipeError
            )
            if not closed or ctx.invoked_subcommand == "run":
                raise
            # What is still buffered would fail once more when Python ends.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            ctx.exit(0)
        return result

    def _invoke(self, ctx: click.Context) -> Any:
        """Call a command; an error of its arguments is safe for a terminal."""
        with _escaped():
            return super().invoke(ctx)

    def make_context(self, *args: Any, **extra: Any) -> click.Context:
        """Parse the arguments of the group; an error of theirs is safe for a terminal."""
        with _escaped():
            return super().make_context(*args, **extra)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands from the table, importing none of them."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in _COMMANDS.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find a command; a misspelt one is answered with what may have been meant."""
        from difflib import get_close_matches

        if args and args[0] not in _COMMANDS and not args[0].startswith("-"):
            close = get_close_matches(args[0], _COMMANDS, n=1)
            hint = f" Did you mean '{close[0]}'?" if close else ""
            ctx.fail(f"There is no command '{args[0]}'.{hint}")
        return super().resolve_command(ctx, args)


def _add_exit_status(command: click.Command) -> None:
    """Add the usual exit statuses to the help of commands that state no others."""
    if isinstance(command, click.Group):
        for child in command.commands.values():
            _add_exit_status(child)
    elif "Exit status" not in (command.help or ""):
        command.epilog = "Exit status: 0 done, 1 error, 2 usage."


@contextmanager
def _escaped() -> Iterator[None]:
    """Escape what the user typed in the messages of click, which prints them as they are."""
    try:
        yield
    except click.UsageError as error:
        message = error.format_message()
        safe = printable(message, keep="\n")
        if _WANTS_JSON.get():
            from sercore.cli.options import print_error

            print_error(message, None, error.exit_code)
        if safe == message:
            raise
        raise click.UsageError(safe, error.ctx) from error


@click.command(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "auto_envvar_prefix": "SERCORE"},
    epilog="Start with: sercore run --all --demo",
)
@click.version_option(__version__, prog_name="sercore")
def cli() -> None:
    """Which frozen speech backbone hears emotion, in its own domain and out of it?"""


def main(args: list[str] | None = None) -> Any:
    """Run the command line and exit."""
    wait_passively()
    given = sys.argv[1:] if args is None else args
    _WANTS_JSON.set("--json" in given)
    try:
        cli.main(args=args, prog_name="sercore", standalone_mode=True)
    except SercoreError as error:
        if _WANTS_JSON.get():
            from sercore.cli.options import print_error

            print_error(error.message, error.hint, 1)
        click.echo(f"sercore: {printable(error)}", err=True)
        sys.exit(1)
    except BrokenPipeError:  # the reader of a pipe went away, as `head` does
        sys.stderr.close()
        sys.exit(1)
