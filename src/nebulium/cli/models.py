"""``nebulium models``: what is in the package."""

import json
from typing import Annotated

import typer

from nebulium.cli.verb import say, verb

app = typer.Typer(help="The models inside the package.", no_args_is_help=True)


@verb(app, "list")
def list_() -> None:
    """Name the models inside the package.

    Example: `nebulium models list`
    """
    from nebulium.modelfile import describe_model, list_models

    for name in list_models():
        say(f"{name}: {_first_paragraph(describe_model(name).card)}")


@verb(app, "show")
def show(
    name: Annotated[str, typer.Argument(metavar="NAME_OR_DIR", help="A packaged model or a model folder.")],
    config: Annotated[bool, typer.Option("--config", help="Its config.json in place of its card.")] = False,
) -> None:
    """Show the card of a model: what it predicts, from what, how well.

    Example: `nebulium models show desi-lines`
    """
    from nebulium.modelfile import describe_model

    model = describe_model(name)
    say(json.dumps(model.config, indent=2) if config else f"{model.card.rstrip()}\n\nFolder: {model.path}")


def _first_paragraph(card: str) -> str:
    """What the card says below its heading, on one line."""
    paragraphs = [" ".join(part.split()) for part in card.split("\n\n")]
    return next((part for part in paragraphs if part and not part.startswith("#")), "")
