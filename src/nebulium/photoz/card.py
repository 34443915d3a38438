"""What a model of redshifts says of itself: the entries of its config.json and its model card."""

from collections.abc import Mapping
from typing import Any

from nebulium.photoz.methods import Method
from nebulium.photoz.training_result import TrainingResult
from nebulium.training import FitResult


def model_config(name: str, method: Method, trained: TrainingResult) -> dict[str, Any]:
    """Entries of config.json; see `nebulium.modelfile.save_model`."""
    return {
        "method": name,
        "summary": method.summary,
        "hyperparameters": dict(trained.hyperparameters),
        "preprocessing": dict(trained.preprocessing),
        "units": {"redshift": "", "flux_njy": "nJy"},
        "training_domain": {"in_domain": trained.domain},
        "split": dict(trained.split),
        "metrics": {"networks": [_result(result) for result in trained.results]},
        "training": dict(trained.settings),
        "citation": method.citation,
    }


def model_card(document: Mapping[str, Any]) -> str:
    """The model card, Markdown."""
    preprocessing, training = document["preprocessing"], document["training"]
    recalibrated = (
        "\nThe densities were recalibrated on the validation galaxies, and hold for galaxies like these.\n"
        if training.get("recalibrate")
        else ""
    )
    return f"""# Redshifts by the method {document["method"]}

{document["summary"]}.

Bands: {" ".join(preprocessing["bands"])}. {_dust(preprocessing.get("dereddened"))}

{_galaxies(document["split"])}
{recalibrated}
`in_domain`: {document["training_domain"]["in_domain"]}. Where it is false, do not rely on the prediction.

Cite: {document["citation"]}.
"""


def _galaxies(split: Mapping[str, Any]) -> str:
    galaxies, fraction = split["galaxies"], split.get("label_fraction", 1.0)
    if not galaxies["train"]:
        return "Nothing was learned from redshifts."
    share = f" ({100 * fraction:g} % of the labels there were)" if fraction < 1 else ""
    return (
        f"Trained on {galaxies['train']:,} galaxies with redshifts{share}; {galaxies['validation']:,} were "
        f"used to validate, and {galaxies['test']:,} left aside."
    )


def _dust(dereddened: bool | None) -> str:
    if dereddened is None:
        return "Whether the fluxes were corrected for Galactic extinction was not told."
    return f"The fluxes were {'' if dereddened else 'not '}corrected for Galactic extinction."


def _result(result: FitResult[Any]) -> dict[str, Any]:
    best = result.history[result.best_epoch - 1]
    return {
        "best_epoch": result.best_epoch,
        "training_loss": best.loss,
        "validation_loss": best.validation_loss,
    }
