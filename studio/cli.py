"""The command line: the same calls as the screen, for terminals and scripts. A stable contract.

Every command knows `--json` (one JSON document on stdout) and `--home DIR`; the exit code is 0 only on success and
errors are one line on stderr.
"""

from __future__ import annotations

import functools
import logging
import os
import sys
from collections.abc import Callable, Sequence
from inspect import Parameter, Signature, signature
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer

from studio import commands
from studio.errors import UserError
from studio.terminal import Terminal, language
from studio.wishes import Wish
from studio.words import say
from studio.workspace import Workspace

terminal = Terminal()


def _help(name: str) -> str:
    return say(f"cli.{name}", language())


app = typer.Typer(add_completion=False, no_args_is_help=True, help=_help("app"), rich_markup_mode=None)
Run = Annotated[str, typer.Argument(help=_help("run"))]


def _command(name: str) -> Callable[[Callable[..., bool]], None]:
    """Register a function as a command, with the two options that all have; False from it is exit code 1."""
    everywhere = {
        "home": (Annotated[Path | None, typer.Option(metavar="DIR", help=_help("home"))], None),
        "json": (Annotated[bool, typer.Option("--json", help=_help("json"))], False),
    }

    def register(function: Callable[..., bool]) -> None:
        @functools.wraps(function)
        def command(home: Path | None, json: bool, **named: Any) -> None:
            terminal.home, terminal.json = home, json
            if not function(**named):
                raise typer.Exit(1)

        hints = get_type_hints(function, include_extras=True)
        own = [item.replace(annotation=hints[item.name]) for item in signature(function).parameters.values()]
        added = [
            Parameter(option, Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
            for option, (annotation, default) in everywhere.items()
        ]
        command.__signature__ = Signature([*own, *added])  # type: ignore[attr-defined]
        command.__annotations__ = {item.name: item.annotation for item in [*own, *added]}
        app.command(name, help=_help(name))(command)

    return register


@_command("serve")
def serve(
    host: Annotated[str, typer.Option(help=_help("host"))] = "127.0.0.1",
    port: Annotated[int, typer.Option(help=_help("port"))] = 7860,
    name: Annotated[list[str] | None, typer.Option(metavar="HOST", help=_help("name"))] = None,
) -> bool:
    from studio.web.starting import uncollected

    with uncollected():
        from studio.web.server import serve as serve_web

    def announce(address: str) -> None:
        terminal.result({"address": address}, [terminal.say("cli.serving", address=address)])

    serve_web(host, port, terminal.home, announce, name or ())
    return True


@_command("check")
def check(files: Annotated[list[Path], typer.Argument(help=_help("file"))]) -> bool:
    return commands.check(terminal, files)


@_command("train")
def train(
    spec: Annotated[Path | None, typer.Argument(help=_help("spec"))] = None,
    data: Annotated[list[Path] | None, typer.Option(help=_help("data"))] = None,
    task: Annotated[str, typer.Option(help=_help("task"))] = "",
    model: Annotated[str, typer.Option(help=_help("model"))] = "",
    method: Annotated[str, typer.Option(help=_help("method"))] = "",
    preset: Annotated[str, typer.Option(help=_help("preset"))] = "",
    settings: Annotated[list[str] | None, typer.Option("--set", help=_help("set"))] = None,
) -> bool:
    wish = Wish(spec, tuple(data or ()), task, model, method, preset, tuple(settings or ()))
    return commands.train(terminal, wish)


@_command("runs")
def runs() -> bool:
    return commands.runs(terminal)


@_command("show")
def show(run: Run) -> bool:
    return commands.show(terminal, run)


@_command("resume")
def resume(run: Run) -> bool:
    return commands.resume(terminal, run)


@_command("stop")
def stop(run: Run, keep: Annotated[str, typer.Option(help=_help("keep"), metavar="last|best")] = "last") -> bool:
    return commands.stop(terminal, run, keep)


@_command("predict")
def predict(
    run: Run,
    data: Annotated[Path, typer.Option(help=_help("predict_data"))],
    out: Annotated[Path, typer.Option(help=_help("out"))],
    which: Annotated[str, typer.Option("--with", help=_help("with"))] = "tuned",
) -> bool:
    return commands.predict(terminal, run, data, out, which)


@_command("models")
def models() -> bool:
    return commands.models(terminal)


@_command("tasks")
def tasks() -> bool:
    return commands.all_tasks(terminal)


@_command("methods")
def methods() -> bool:
    return commands.all_methods(terminal)


@_command("doctor")
def doctor() -> bool:
    return commands.doctor(terminal)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command and leave the process with its exit code."""
    # Nothing asked is a question for what there is, not a mistake.
    words = list(sys.argv[1:] if arguments is None else arguments) or ["--help"]
    os.umask(0o077)
    terminal.__dict__.update(Terminal(json="--json" in words).__dict__)
    try:
        code = app(args=words, standalone_mode=False)
    except UserError as error:
        terminal.trouble(error)
        code = 1
    except (KeyboardInterrupt, typer.Abort):
        code = 130
    except Exception as error:
        code = _complain(error)
    sys.exit(code or 0)


def _complain(error: Exception) -> int:
    """A mistyped command, or a fault of ours whose traceback goes to a file."""
    formatted = getattr(error, "format_message", None)
    if formatted is not None:
        terminal.trouble(UserError("cli_usage", reason=formatted()))
        return 2
    log = Workspace.open(terminal.home).home / "cli.log"
    logging.basicConfig(filename=log, format="%(asctime)s %(message)s", force=True)
    logging.getLogger(__name__).error("unexpected", exc_info=error)
    terminal.trouble(UserError("cli_bug", kind=type(error).__name__, log=str(log)))
    return 1


if __name__ == "__main__":
    main()
