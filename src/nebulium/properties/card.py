"""What the folder of a model of properties says of it."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nebulium.properties.model import PropertyModel
from nebulium.training import FitResult
from nebulium.verbs import Card, TrainedModel

#: What is told of the model whose networks a training started from.
OF_START = ("hyperparameters", "split", "metrics", "training", "citation")
CITATION = "the data set that the model was trained on; the method follows Wu & Boada 2019, MNRAS 484, 4683"
DOMAIN = (
    "radial profiles no further from those of training galaxies than 99.7 % of the validation galaxies are"
)


def described(
    model: PropertyModel,
    config: Any,
    results: Sequence[FitResult[Any]],
    *,
    hyperparameters: Mapping[str, Any],
    split: Mapping[str, Any],
    units: Mapping[str, str],
    start: Mapping[str, Any] | None = None,
    citation: str = CITATION,
) -> TrainedModel:
    """A trained model with what its folder says of it."""
    form = model.form
    measured = zip(model.targets, model.target_mean, model.target_scale, strict=True)
    labels = {target: {"mean": float(mean), "scatter": float(scale)} for target, mean, scale in measured}
    units = {target: units.get(target, "") for target in model.targets}
    return TrainedModel(
        model,
        hyperparameters=hyperparameters,
        preprocessing={
            "bands": list(form.bands),
            "unit": form.unit,
            "size_px": form.preparation.size,
            "binning": form.preparation.binning,
            "stretch": form.preparation.stretch.as_dict(),
        },
        units=units,
        training_domain={"in_domain": DOMAIN, "labels": labels},
        split=split,
        settings={name: value for name, value in dataclasses.asdict(config).items() if name != "init"},
        citation=citation,
        card=_card(model, labels, units, start),
        results=results,
        further={
            "interval_factor": np.asarray(model.interval_factor).tolist(),
            "started_from": None if start is None else {name: start[name] for name in OF_START},
        },
    )


def _card(
    model: PropertyModel,
    labels: Mapping[str, Mapping[str, float]],
    units: Mapping[str, str],
    start: Mapping[str, Any] | None,
) -> Card:
    members = len(model.networks)
    networks = f"{members} network{'s' * (members > 1)} {model.encoder}"
    if model.process is None:
        kind = f"{networks} with the head {model.head}"
    else:
        kind = f"A Gaussian process on radial profiles and on what {networks} with frozen weights predict"
    rows = "\n".join(
        f"| {name} | {units[name]} | {of['mean']:.4g} | {of['scatter']:.3g} |" for name, of in labels.items()
    )
    size, stretch = model.form.preparation.size, model.form.preparation.stretch.as_dict()["kind"]
    return Card(
        title=f"{', '.join(model.targets)} from images of galaxies",
        summary=f"{kind}.{_start(start)}",
        facts={"Images": f"{' '.join(model.form.bands)}, {size} pixels a side, stretch {stretch}."},
        details="Labels of the training galaxies:\n\n"
        f"| label | unit | mean | scatter |\n|---|---|---|---|\n{rows}",
    )


def _start(start: Mapping[str, Any] | None) -> str:
    if start is None:
        return ""
    galaxies, targets = start["split"]["galaxies"]["train"], start["hyperparameters"]["targets"]
    return f" The networks had learned {', '.join(targets)} from {galaxies:,} other images."
