"""From the names of bands to a trained posterior of galaxies seen in them."""

from pathlib import Path

import numpy as np

from nebulium.data.splits import ALL_HELD_OUT, Split
from nebulium.errors import NebuliumError
from nebulium.infer.parameters import PARAMETERS, RANGES
from nebulium.infer.predict import LEAST_EFFECTIVE, MOST_K_HAT, UNITS
from nebulium.infer.recipe import InferConfig, trained_posterior
from nebulium.verbs import Card, TrainedModel, TrainingRun, save_trained, training_run

CITATION = (
    "the templates of the SSP grid, DSPS (Hearin et al. 2023, MNRAS 521, 1741), and the data set that the "
    "model of lines was trained on"
)


def train_file(
    output: str | Path, *, config: InferConfig, resume: bool = False, progress: bool = False
) -> TrainingRun:
    """Train a posterior of the properties of galaxies for any photometry in some bands.

    It learns from galaxies simulated under the interim prior, with noise of any strength and bands missing:
    no data are needed.

    Parameters
    ----------
    output : str or Path
        Folder of the model.
    config : InferConfig
        The bands, and settings.
    resume : bool
        Take up an interrupted training.
    progress : bool
        Show a bar of progress.

    Returns
    -------
    TrainingRun

    Raises
    ------
    NebuliumError
        A filter is unknown, the redshifts are no range, or the output is at fault.

    Examples
    --------
    >>> train_file("mine", config=InferConfig(bands=("sdss_g0", "sdss_r0")))  # doctest: +SKIP
    """
    check_config(config)
    with training_run(output, resume=resume, progress=progress) as run:
        model, results = trained_posterior(config, run)
        low, high = config.redshifts
        split = Split("nebulium", ALL_HELD_OUT)
        trained = TrainedModel(
            model,
            hyperparameters=config.hyperparameters,
            preprocessing={"bands": list(config.bands)},
            units={"flux_njy": "nJy", **UNITS},
            training_domain={
                "in_domain": "a galaxy of the interim prior fits no worse than noise would make it in all "
                "but 0.1 % of galaxies"
            },
            split=split.as_dict(split.rows(np.zeros(0, np.int64))),
            settings={name: getattr(config, name) for name in config.__dataclass_fields__},
            citation=CITATION,
            card=Card(
                f"Properties of galaxies from {', '.join(config.bands)}",
                "Posteriors of mass, star-formation rate, age, dust and metals at a known redshift.",
                facts={
                    "Redshifts": f"{low:g} to {high:g}",
                    "Interim prior": "; ".join(
                        f"{name} even from {least:g} to {most:g}"
                        for name, (least, most) in zip(PARAMETERS, RANGES, strict=True)
                    ),
                    "Do not believe": f"what is not `reliable`: fewer than {LEAST_EFFECTIVE:g} effective "
                    f"draws, or weights with a tail heavier than k = {MOST_K_HAT:g}",
                },
                learned_from=f"galaxies of catalogues; it learned from {config.simulated:,} simulated ones",
            ),
            results=results,
        )
        return save_trained(run, trained)


def check_config(config: InferConfig) -> None:
    """Refuse settings that cannot be trained."""
    twice = [band for band in config.bands if config.bands.count(band) > 1]
    low, high = config.redshifts
    if not config.bands:
        raise NebuliumError("bands", "none is given", "give names of filters, as sdss_g0,sdss_r0")
    if twice:
        raise NebuliumError("bands", f"{twice[0]} is given twice", "give each band once")
    if not 0.0 < low < high:
        problem = f"expected the least and the largest, above 0; found {low:g} and {high:g}"
        raise NebuliumError("redshifts", problem, "write 0.005,0.35, say")
    if not 0.0 <= config.model_error < 1.0:
        problem = f"expected a fraction of the flux, found {config.model_error:g}"
        raise NebuliumError("model error", problem, "write 0.03, say")
