"""What the folder of a model of images says of it."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from nebulium.generate.image_model import ImageModel
from nebulium.training import FitResult
from nebulium.verbs import Card, TrainedModel
from nebulium.verbs.card import markdown_table

CITATION = (
    "the data set that the model was trained on; diffusion follows Karras et al. 2022, arXiv:2206.00364"
)
DOMAIN = (
    "a combination of properties no further from those of training galaxies than 99.7 % of the validation "
    "galaxies are"
)
TEXTURE = (
    "what components leave out of pictures is drawn as noise, correlated between pixels and bands, as strong "
    "in each octave and at each brightness as coefficients say; it lies anywhere"
)


def described(
    model: ImageModel,
    config: Any,
    results: Sequence[FitResult[Any]],
    *,
    hyperparameters: Mapping[str, Any],
    split: Mapping[str, Any],
    units: Mapping[str, str],
    counts: Mapping[str, Mapping[str, int]],
) -> TrainedModel:
    """A trained model with what its folder says of it; `counts` are training galaxies of each class."""
    form, names = model.form, model.conditions
    units = {name: units.get(name, "") for name in names}
    measured = zip(model.kinds.numbers, model.condition_mean, model.condition_scale, strict=True)
    learned = {name: {"mean": float(mean), "scatter": float(scale)} for name, mean, scale in measured}
    rows = [(name, units[name], f"{of['mean']:.4g}", f"{of['scatter']:.3g}") for name, of in learned.items()]
    tables = [markdown_table(("property", "unit", "mean", "scatter"), rows)] if rows else []
    of_classes = [(name, one, f"{count:,}") for name, of in counts.items() for one, count in of.items()]
    tables += [markdown_table(("property", "class", "training galaxies"), of_classes)] if of_classes else []
    noise = {
        "sky_variance": model.noise.sky_variance.tolist(),
        "photon_variance": model.noise.photon_variance.tolist(),
    }
    preparation = form.preparation
    return TrainedModel(
        model,
        hyperparameters=hyperparameters,
        preprocessing=form.preprocessing(),
        units=units,
        training_domain={"in_domain": DOMAIN, "conditions": learned, "classes": counts, "noise": noise},
        split=split,
        settings=dataclasses.asdict(config),
        citation=CITATION,
        card=Card(
            title=f"Images of galaxies from {', '.join(names)}",
            summary=f"Draws images in the bands {', '.join(form.bands)} of galaxies with given properties, "
            "any of which may be missing, and says how likely an image is given properties.",
            facts={
                "Images": f"{preparation.size} pixels on a side, pixels in {form.unit or 'unknown units'}",
                "Network": f"{model.basis.size} {config.summary}",
            }
            | ({"Texture": TEXTURE} if hyperparameters.get("textured") else {}),
            details="\n".join(tables),
            learned_from="images",
        ),
        results=results,
    )
