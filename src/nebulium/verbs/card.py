"""The model card: what a model predicts, from what it learned, and where it holds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Card:
    """What a card says besides what all cards tell: the split, the losses, the domain, the citation.

    Attributes
    ----------
    title : str
    summary : str
        A sentence or two: what is predicted, from what.
    facts : mapping of str to str
        More about it, a line each, by what it is about.
    details : str
        Tables and the like, Markdown.
    learned_from : str
        What a galaxy had to have for the model to learn from it: "galaxies with redshifts".
    """

    title: str
    summary: str
    facts: Mapping[str, str] = field(default_factory=dict)
    details: str = ""
    learned_from: str = "galaxies"


def model_card(card: Card, config: Mapping[str, Any]) -> str:
    """The whole card, Markdown, from what the subject says and the entries of config.json."""
    facts = {
        **card.facts,
        "Trained on": _galaxies(card.learned_from, config["split"]),
        "Training": "; ".join(map(_losses, config["metrics"]["networks"])),
        "`in_domain`": f"{config['training_domain']['in_domain']}. Where it is false, do not rely on the "
        "prediction.",
    }
    lines = "\n".join(f"- **{name}**: {text}" for name, text in facts.items() if text)
    parts = (f"# {card.title}", card.summary, lines, card.details, f"Cite: {config['citation']}.")
    return "\n\n".join(part.strip() for part in parts if part) + "\n"


def markdown_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table to read."""
    lines = [headings, ["---"] * len(headings), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _galaxies(learned_from: str, split: Mapping[str, Any]) -> str:
    galaxies, fraction = split["galaxies"], split["label_fraction"]
    if not galaxies["train"]:
        return f"Nothing was learned from {learned_from}."
    share = f" ({100 * fraction:g} % of the labels there were)" if fraction < 1 else ""
    return (
        f"{galaxies['train']:,} {learned_from}{share}; {galaxies['validation']:,} were used to validate, and "
        f"{galaxies['test']:,} left aside, by a hash of `{split['id_column']}` (seed `{split['seed']}`)."
    )


def _losses(network: Mapping[str, Any]) -> str:
    losses = {"training": network["training_loss"], "validation": network["validation_loss"]}
    known = ", ".join(f"{loss:.3f} ({kind})" for kind, loss in losses.items() if loss is not None)
    return f"best epoch {network['best_epoch']}, loss {known}"
