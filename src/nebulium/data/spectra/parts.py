"""What files call the parts of spectra."""

from collections.abc import Mapping

#: Names of columns, lists and extensions, in lower case, by what they hold; the first that is there is taken.
NAMES: Mapping[str, tuple[str, ...]] = {
    "wave": ("wave", "wavelength", "wave_aa", "lambda", "lam", "wl", "obs_wave", "wave_vac", "vacuum_wave"),
    "air": ("wave_air", "air_wave", "lambda_air", "wavelength_air", "airwave"),
    "log": ("loglam", "log_wave", "logwave", "log_lambda", "loglambda"),
    "flux": (
        "flux", "flux_lambda", "f_lambda", "flam", "flux_density", "fluxdensity", "spectrum",
        "spec", "sci", "data",
    ),
    "ivar": ("ivar", "invvar", "inverse_variance", "flux_ivar", "weight"),
    "error": (
        "err", "error", "sigma", "sig", "uncertainty", "flux_err", "flux_error", "fluxerr", "noise",
        "std", "e_flux",
    ),
    "variance": ("var", "variance", "stat"),
    "mask": ("mask", "dq", "and_mask", "quality"),
    "lsf": ("lsf_sigma_aa", "lsf_sigma"),
    "id": ("target_id", "targetid", "object_id", "objid", "specobjid", "stackid", "id"),
    "redshift": ("redshift", "z"),
    "ebv": ("ebv",),
    "zwarn": ("zwarn", "zwarning"),
    "ra": ("ra",),
    "dec": ("dec",),
    "objtype": ("objtype",),
    "dispersion": ("wdisp",),
}  # fmt: skip
#: Any of these tells the wavelengths.
WAVES = ("wave", "air", "log")
