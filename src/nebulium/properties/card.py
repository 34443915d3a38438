"""What a model of properties says of itself: the entries of its config.json and its model card."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nebulium.properties.model import PropertyModel
from nebulium.training import FitResult

#: What is told of the model whose networks a training started from.
OF_START = ("hyperparameters", "split", "metrics", "training", "citation")
CITATION = "the data set that the model was trained on; the method follows Wu & Boada 2019, MNRAS 484, 4683"


def model_config(
    model: PropertyModel,
    config: Any,
    *,
    hyperparameters: Mapping[str, Any],
    split: Mapping[str, Any],
    results: Sequence[FitResult[Any]],
    units: Mapping[str, str],
    start: Mapping[str, Any] | None = None,
    citation: str = CITATION,
) -> dict[str, Any]:
    """Entries of config.json; see `nebulium.modelfile.save_model`."""
    preparation = model.form.preparation
    labels = {
        target: {"mean": float(mean), "scatter": float(scale)}
        for target, mean, scale in zip(model.targets, model.target_mean, model.target_scale, strict=True)
    }
    return {
        "hyperparameters": dict(hyperparameters),
        "preprocessing": {
            "bands": list(model.form.bands),
            "unit": model.form.unit,
            "size_px": preparation.size,
            "binning": preparation.binning,
            "stretch": preparation.stretch.as_dict(),
        },
        "units": {target: units.get(target, "") for target in model.targets},
        "training_domain": {
            "labels": labels,
            "images": "radial profiles no further from those of training galaxies than those of 99.7 % of "
            "the validation galaxies",
        },
        "split": dict(split),
        "metrics": {"networks": [_result(result) for result in results]},
        "interval_factor": np.asarray(model.interval_factor).tolist(),
        "training": {name: value for name, value in dataclasses.asdict(config).items() if name != "init"},
        "started_from": None if start is None else {name: start[name] for name in OF_START},
        "citation": citation,
    }


def model_card(document: Mapping[str, Any]) -> str:
    """The model card, Markdown."""
    shape, images, split = document["hyperparameters"], document["preprocessing"], document["split"]
    networks = f"{shape['members']} network{'s' * (shape['members'] > 1)} {shape['encoder']}"
    kind = (
        f"a Gaussian process on radial profiles and on what {networks} with frozen weights said"
        if shape["references"]
        else f"{networks} with the head {shape['head']}"
    )
    units = document["units"]
    labels = "\n".join(
        f"- `{name}`{_unit(units[name])}: mean {about['mean']:.4g}, scatter {about['scatter']:.3g}"
        for name, about in document["training_domain"]["labels"].items()
    )
    return f"""# {", ".join(shape["targets"])} from images of galaxies

{kind[0].upper() + kind[1:]}.{_start(document["started_from"])}

Images: {" ".join(images["bands"])}, {images["size_px"]} pixels a side, stretch {images["stretch"]["kind"]}.

Labels of the training galaxies:

{labels}

Trained on {split["galaxies"]["train"]:,} galaxies; {split["galaxies"]["validation"]:,} were used to
validate, and {split["galaxies"]["test"]:,} left aside.

Where `in_domain` is false, the image is unlike those of the training galaxies: do not rely on the prediction.

Cite: {document["citation"]}.
"""


def _result(result: FitResult[Any]) -> dict[str, Any]:
    best = result.history[result.best_epoch - 1]
    return {
        "best_epoch": result.best_epoch,
        "training_loss": best.loss,
        "validation_loss": best.validation_loss,
    }


def _start(start: Mapping[str, Any] | None) -> str:
    if start is None:
        return ""
    galaxies, targets = start["split"]["galaxies"]["train"], start["hyperparameters"]["targets"]
    return f" The networks had learned {', '.join(targets)} from {galaxies:,} other images."


def _unit(unit: str) -> str:
    return f" ({unit})" if unit else ""
