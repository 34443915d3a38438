"""What the folder of a model of properties says of it."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nebulium.properties.model import PropertyModel
from nebulium.training import FitResult
from nebulium.verbs import Card, TrainedModel
from nebulium.verbs.card import markdown_table

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
    counts: Mapping[str, Mapping[str, int]],
    start: Mapping[str, Any] | None = None,
    citation: str = CITATION,
) -> TrainedModel:
    """A trained model with what its folder says of it."""
    form = model.form
    measured = zip(model.targets, model.target_mean, model.target_scale, strict=True)
    labels = {target: {"mean": float(mean), "scatter": float(scale)} for target, mean, scale in measured}
    units = {target: units.get(target, "") for target in (*model.targets, *counts)}
    rows = [(name, units[name], f"{of['mean']:.4g}", f"{of['scatter']:.3g}") for name, of in labels.items()]
    tables = [markdown_table(("label", "unit", "mean", "scatter"), rows)] if rows else []
    of_classes = [(target, name, f"{count:,}") for target, of in counts.items() for name, count in of.items()]
    tables += [markdown_table(("label", "class", "training galaxies"), of_classes)] if of_classes else []
    size, stretch = form.preparation.size, form.preparation.stretch.as_dict()
    return TrainedModel(
        model,
        hyperparameters=hyperparameters,
        preprocessing={
            "bands": list(form.bands),
            "unit": form.unit,
            "size_px": size,
            "binning": form.preparation.binning,
            "stretch": stretch,
        },
        units=units,
        training_domain={"in_domain": DOMAIN, "labels": labels, "classes": counts},
        split=split,
        settings={name: value for name, value in dataclasses.asdict(config).items() if name != "init"},
        citation=citation,
        card=Card(
            title=f"{', '.join((*model.targets, *counts))} from images of galaxies",
            summary=_summary(model, start),
            facts={"Images": f"{' '.join(form.bands)}, {size} pixels a side, stretch {stretch['kind']}."},
            details="Labels of the training galaxies:\n\n" + "\n".join(tables),
        ),
        results=results,
        further={
            "interval_factor": np.asarray(model.interval_factor).tolist(),
            **({} if model.temperature is None else {"temperature": np.asarray(model.temperature).tolist()}),
            "started_from": None if start is None else {name: start[name] for name in OF_START},
        },
    )


def _summary(model: PropertyModel, start: Mapping[str, Any] | None) -> str:
    members = len(model.networks)
    networks = f"{members} network{'s' * (members > 1)} {model.encoder}"
    kind = f"{networks} with the head {model.head}." if model.targets else f"{networks}."
    if model.on_features:
        laws = {"Gaussian process": model.process, "kernel logistic regression": model.kernel_classes}
        law = " and a ".join(name for name, law in laws.items() if law is not None)
        frozen = f" and on what {networks} with frozen weights predict" if members else ""
        kind = f"A {law} on {', '.join(model.features)} of the image{frozen}."
    if start is None:
        return kind
    galaxies, targets = start["split"]["galaxies"]["train"], start["hyperparameters"]["targets"]
    return f"{kind} The networks had learned {', '.join(targets)} from {galaxies:,} other images."
