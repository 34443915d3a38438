"""The surveys that can be mocked: which galaxies, seen by which instrument, down to which limit."""

import difflib
from dataclasses import dataclass, replace
from typing import Any, Literal

from nebulium.errors import SurveyError
from nebulium.mock.instruments import Instrument, instrument
from nebulium.mock.survey.selection import MagnitudeLimit, SpectroscopicSample


@dataclass(frozen=True)
class Survey:
    """A survey: its galaxies, its instrument and its limits.

    Parameters
    ----------
    name : str
        By which `find_survey` finds it.
    population : {"candels", "sdss"}
        The galaxies.
    instrument_name : str
        The instrument that sees them.
    limit : MagnitudeLimit
        The band and the magnitude of the limit.
    labels : SpectroscopicSample
        The galaxies that have a spectroscopic redshift.
    neighbours_per_arcmin2 : float
        Surface density of galaxies above the limit, which sets how often one falls into another's stamp.
    about : str
        One line.

    Examples
    --------
    >>> find_survey("sdss").instrument().band_names
    ('g', 'r', 'i')
    """

    name: str
    population: Literal["candels", "sdss"]
    instrument_name: str
    limit: MagnitudeLimit
    labels: SpectroscopicSample
    neighbours_per_arcmin2: float
    about: str

    def instrument(self) -> Instrument:
        """The instrument.

        Returns
        -------
        Instrument
        """
        return instrument(self.instrument_name)

    def largest_arcsec(self) -> float:
        """Half-light radius from which on a galaxy is left out: half the side of the usual stamp.

        Half of the light of a larger one lies outside its image, and the pipelines of surveys tear such
        galaxies apart.

        Returns
        -------
        float
        """
        instrument = self.instrument()
        return 0.5 * instrument.stamp_pixels * instrument.pixel_scale_arcsec

    def neighbours_per_stamp(self, pixels: int) -> float:
        """Mean number of other galaxies in a stamp, at the surface density of the survey.

        Parameters
        ----------
        pixels : int
            Side of the stamp.

        Returns
        -------
        float
        """
        side_arcmin = pixels * self.instrument().pixel_scale_arcsec / 60.0
        return self.neighbours_per_arcmin2 * side_arcmin**2


_CANDELS = Survey(
    "candels",
    "candels",
    "candels",
    MagnitudeLimit("F160W", 26.0),
    SpectroscopicSample(most=0.8, midpoint_mag_ab=23.3, width_mag=0.7, favour=0.6, error=1e-3),
    150.0,
    "galaxies to redshift 3 and beyond as Hubble sees them, F160W < 26",
)
# The main galaxy sample: Petrosian r < 17.77, 92 targets a square degree, six per cent lost where fibres
# collide (Strauss et al. 2002, AJ 124, 1810).
_SDSS = Survey(
    "sdss",
    "sdss",
    "sdss",
    MagnitudeLimit("r", 17.77),
    SpectroscopicSample(most=0.94, midpoint_mag_ab=30.0, width_mag=1.0, favour=0.0, error=1e-4),
    92.0 / 3600.0,
    "the SDSS main galaxy sample, r < 17.77",
)


def _through(instrument: str, survey: Survey, images: str, **others: Any) -> Survey:
    """The galaxies of a survey in the images of another instrument."""
    about = f"the galaxies of `{survey.name}` in the images of {images}"
    return replace(survey, name=instrument, instrument_name=instrument, about=about, **others)


SURVEYS: dict[str, Survey] = {
    survey.name: survey
    for survey in (
        _CANDELS,
        _SDSS,
        _through("legacy", _SDSS, "the Legacy Surveys"),
        _through("ps1", _SDSS, "Pan-STARRS"),
        _through("roman", _CANDELS, "Roman, F158 < 26", limit=MagnitudeLimit("F158", 26.0)),
    )
}


def find_survey(name: str) -> Survey:
    """Survey by name.

    Parameters
    ----------
    name : str
        One of `SURVEYS`.

    Returns
    -------
    Survey

    Raises
    ------
    SurveyError
        The name is not known.

    Examples
    --------
    >>> find_survey("candles")
    Traceback (most recent call last):
    nebulium.errors.SurveyError: survey candles: is not known (did you mean candels?); those known
    are candels, sdss, legacy, ps1, roman. To mend: take one of these
    """
    if name not in SURVEYS:
        near = difflib.get_close_matches(name, SURVEYS, n=1)
        guess = f" (did you mean {near[0]}?)" if near else ""
        problem = f"is not known{guess}; those known are {', '.join(SURVEYS)}"
        raise SurveyError(f"survey {name}", problem, "take one of these")
    return SURVEYS[name]
