"""What the folder of a model of properties says of it."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nebulium.data.embeddings.source import EmbeddingSource
from nebulium.properties.model import PropertyModel
from nebulium.training import FitResult
from nebulium.verbs import Card, TrainedModel
from nebulium.verbs.card import markdown_table

#: What is told of the model whose networks a training started from.
OF_START = ("hyperparameters", "split", "metrics", "training", "citation")
CITATION = "the data set that the model was trained on; the method follows Wu & Boada 2019, MNRAS 484, 4683"
DOMAIN = "{} no further from those of training galaxies than 99.7 % of the validation galaxies are"


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
    embeddings: EmbeddingSource | None = None,
    citation: str = CITATION,
) -> TrainedModel:
    """A trained model with what its folder says of it."""
    seen = " and ".join(
        kind for kind, part in {"images": model.form, "embeddings": embeddings}.items() if part is not None
    )
    measured = zip(model.targets, model.target_mean, model.target_scale, strict=True)
    labels = {target: {"mean": float(mean), "scatter": float(scale)} for target, mean, scale in measured}
    units = {target: units.get(target, "") for target in (*model.targets, *counts)}
    rows = [(name, units[name], f"{of['mean']:.4g}", f"{of['scatter']:.3g}") for name, of in labels.items()]
    tables = [markdown_table(("label", "unit", "mean", "scatter"), rows)] if rows else []
    of_classes = [(target, name, f"{count:,}") for target, of in counts.items() for name, count in of.items()]
    tables += [markdown_table(("label", "class", "training galaxies"), of_classes)] if of_classes else []
    about, facts = _of_images(model)
    in_domain = ["radial profiles"] if facts else []
    if embeddings is not None:
        form = embeddings.form
        about["embedding"] = {"file": embeddings.path.name, **form.as_dict()}
        facts["Embeddings"] = (
            f"{form.width:,} numbers, {form.asked} of {embeddings.path.name}. Which version of which network "
            "made them the table does not say: give predictions those of the same."
        )
        in_domain.append("embeddings")
        citation += "; and the network that made the embeddings"
    return TrainedModel(
        model,
        hyperparameters=hyperparameters,
        preprocessing=about,
        units=units,
        training_domain={
            "in_domain": DOMAIN.format(" and ".join(in_domain)),
            "labels": labels,
            "classes": counts,
        },
        split=split,
        settings={name: value for name, value in dataclasses.asdict(config).items() if name != "init"},
        citation=citation,
        card=Card(
            title=f"{', '.join((*model.targets, *counts))} from {seen} of galaxies",
            summary=_summary(model, start),
            facts=facts,
            details="Labels of the training galaxies:\n\n" + "\n".join(tables),
        ),
        results=results,
        further={
            "interval_factor": np.asarray(model.interval_factor).tolist(),
            **({} if model.temperature is None else {"temperature": np.asarray(model.temperature).tolist()}),
            "started_from": None if start is None else {name: start[name] for name in OF_START},
        },
    )


def _of_images(model: PropertyModel) -> tuple[dict[str, Any], dict[str, str]]:
    """How images are prepared, for the configuration and for the card; nothing without images."""
    form = model.form
    if form is None:
        return {}, {}
    size, stretch = form.preparation.size, form.preparation.stretch.kind
    return form.preprocessing(), {
        "Images": f"{' '.join(form.bands)}, {size} pixels a side, stretch {stretch}."
    }


def _summary(model: PropertyModel, start: Mapping[str, Any] | None) -> str:
    members = len(model.networks)
    encoder = "" if model.form is None else f" {model.encoder}"
    beside = " on embeddings" if model.form is None else " beside embeddings" if model.sight else ""
    networks = f"{members} network{'s' * (members > 1)}{encoder}"
    kind = f"{networks}{beside} with the head {model.head}." if model.targets else f"{networks}{beside}."
    if model.on_features:
        laws = {"Gaussian process": model.process, "kernel logistic regression": model.kernel_classes}
        law = " and a ".join(name for name, law in laws.items() if law is not None)
        frozen = f" and on what {networks} with frozen weights predict" if members else ""
        of_image = [f"{', '.join(model.features)} of the image"] if model.features else []
        seen = " and ".join([*of_image, *(["the embedding"] if model.sight else [])])
        kind = f"A {law} on {seen}{frozen}."
    if start is None:
        return kind
    galaxies, targets = start["split"]["galaxies"]["train"], start["hyperparameters"]["targets"]
    return f"{kind} The networks had learned {', '.join(targets)} from {galaxies:,} other images."
