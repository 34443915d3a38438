"""What files call the parts of spectra."""

from collections.abc import Iterable, Mapping

from nebulium.data.flags import FLAGS
from nebulium.data.glossary import found_names
from nebulium.data.tables.table import nearest
from nebulium.errors import SpectrumError

#: Names of columns, lists and extensions, in lower case, by what they hold; the first that is there is taken.
NAMES: Mapping[str, tuple[str, ...]] = {
    "wave": ("wave", "wavelength", "wave_aa", "lambda", "lam", "wl", "obs_wave", "wave_vac", "vacuum_wave"),
    "air": ("wave_air", "air_wave", "lambda_air", "wavelength_air", "airwave"),
    "log": ("loglam", "log_lam", "log_wave", "logwave", "log_lambda", "loglambda", "log10_wave"),
    "ln": ("ln_lam", "lnlam", "ln_wave", "lnwave", "ln_lambda", "lnlambda", "ln_wavelength"),
    "flux": (
        "flux", "flux_lambda", "f_lambda", "flam", "flux_density", "fluxdensity", "spectrum",
        "spec", "sci", "data",
    ),
    "ivar": (
        "ivar", "invvar", "inv_var", "inverse_variance", "flux_ivar", "ivar_flux", "flux_invvar", "weight",
    ),
    "error": (
        "err", "error", "sigma", "sig", "uncertainty", "flux_err", "flux_error", "fluxerr", "noise",
        "std", "e_flux",
    ),
    "variance": ("var", "variance", "stat"),
    "mask": ("mask", "dq", "and_mask", "quality"),
    "lsf": ("lsf_sigma_aa", "lsf_sigma"),
    "id": (
        "target_id", "targetid", "object_id", "objid", "specobjid", "specid", "sparcl_id", "stackid", "id",
    ),
    "redshift": ("redshift", "z"),
    "ebv": ("ebv",),
    **FLAGS,
    "primary": ("zcat_primary",),
    "ra": ("ra",),
    "dec": ("dec",),
    "objtype": ("objtype",),
    "dispersion": ("wdisp",),
}  # fmt: skip
#: What ids are called where a file has no name for them.
ID = "target_id"
#: Any of these tells the wavelengths.
WAVES = ("wave", "air", "log", "ln")
#: What there is of each pixel beside its wavelength and flux.
PIXELWISE = ("ivar", "error", "variance", "mask", "lsf")
#: What belongs to a spectrum as a whole.
WHOLE = ("id", "redshift", "ebv", "zwarn", "spectype")


def told_by(argument: str, value: str) -> str:
    """An option of the command line with its value, and the same in Python."""
    return f"--{argument.replace('_', '-')} {value!r} ({argument}={value!r} in Python)"


def no_such_ids(where: str, told: str, there: Iterable[str]) -> SpectrumError:
    """The error for a column of ids that the user names and that is not there."""
    names = list(there)
    near = nearest(told, names)
    problem = f"has no column {told!r} of ids" + (f" (the nearest is {near!r})" if near else "")
    return SpectrumError(
        where, f"{problem}; it has {', '.join(names[:24])}", "check the name given with --id"
    )


def id_name(there: Iterable[str], told: str | None) -> str | None:
    """Which column holds the ids: the one that the user names, else one by its usual name."""
    names = list(there)
    if told is not None:
        return told if told in names else found_names(names, {"id": (told.lower(),)}).get("id")
    return found_names(names, {"id": NAMES["id"]}).get("id")
