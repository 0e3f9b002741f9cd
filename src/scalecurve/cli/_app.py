"""The application every command module adds to."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules
from typing import Annotated

import typer

from scalecurve._version import __version__

app = typer.Typer(
    name="scalecurve",
    help="Which abilities does a family of language models gain or lose as it scales, and is the jump real?",
    no_args_is_help=True,
    rich_markup_mode=None,  # plain help: rich would take half of the 0.2 s that --help may take
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def group(name: str, help: str) -> typer.Typer:
    """A command that has commands of its own, such as ``tasks list``."""
    sub = typer.Typer(help=help, no_args_is_help=True, rich_markup_mode=None)
    app.add_typer(sub, name=name)
    return sub


def load_commands() -> None:
    """Import every command module of this package."""
    package = __name__.rpartition(".")[0]
    for module in iter_modules(import_module(package).__path__):
        if not module.name.startswith("_"):
            import_module(f"{package}.{module.name}")


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"scalecurve {__version__}")
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    pass
