"""The README of a mock survey: the contents of the folder, and the limits of the mock."""

from pathlib import Path

import pyarrow.parquet

from nebulium.data.glossary import lookup
from nebulium.data.output import replace_on_success
from nebulium.mock.instruments import Instrument
from nebulium.mock.survey.columns import MOST_NEIGHBOURS
from nebulium.mock.survey.run_file import read_run
from nebulium.mock.survey.shards import CATALOGUE
from nebulium.mock.survey.survey_list import find_survey

README = "README.md"
TEXT = """# {n:,} mock galaxies: {survey}

Made by `nebulium mock make --survey {survey} --n {n} --seed {seed}` ({options}) with {versions}.
Survey: {about}. {own}

**These galaxies are invented.** They follow published relations and hold no information beyond these.

| file | what |
|---|---|
| `catalogue.parquet` | a row a galaxy: the truth, and what was measured |
| `data/*.parquet` | the same with images, in the layout of the Multimodal Universe |
| `figures/*.png` | pictures of both; `nebulium mock show` draws them anew |
| `run.json` | what was asked for, and the versions that made it |

## Read it

```python
from nebulium.data import iter_images, read_table

truth = read_table("catalogue.parquet")
for images in iter_images("data/{first_shard}"):
    print(images.flux.shape, images.bands, images.table["redshift"][:3])  # (galaxy, height, width, band)
```

Other programs read `image` as a struct of lists with an entry a band: `band`, `flux` (height, width), `ivar`,
`mask` (true is bad), `psf_fwhm` and `scale` in arcsec. Galaxy i of a seed is the same in every run.

## Images

{pixels} x {pixels} pixels of {scale:g} arcsec. `ivar` is that of the sky; the noise of the galaxy's own
photons is in the images too. On average {neighbours:.3g} other galaxies of the survey lie in an image
(at most {most}; `n_neighbours`); a neighbour whose id is not in the catalogue is one of a longer run.

| band | filter | zero point / mag AB | PSF FWHM / arcsec | depth (5 sigma, point source) / mag AB |
|---|---|---|---|---|
{bands}

A pixel of value 1 has the AB magnitude of the zero point.

## Columns

Measured are `mag_ab_obs_*`, `flux_njy_obs_*` with their errors, and `redshift_spec`; all the others are the
truth. Missing is NaN.

| column | unit | meaning |
|---|---|---|
{columns}

## What is not in it

- Galaxies are drawn one by one: no clustering, no groups, no mergers; neighbours are at other redshifts.
- No stars, no cosmic rays, no artefacts, no correlated noise; the PSF is round and the same everywhere.
- No active nuclei beyond what the line model has learnt of narrow lines, and no dust emission.
- Lines are those of DESI galaxies (0.06 < z < 0.3) with such continua; where `in_domain` is false, as it
  is at all higher redshifts, they are an extrapolation.
- Sizes, bulges, arms and clumps follow mean trends with scatter, not dynamics.

A model that does well here has learnt these relations. It has not been shown to do well on the sky.
The sources of all relations are in the documentation, page "Relations".
"""


def write_readme(folder: Path) -> None:
    """Write ``README.md`` into the folder of a survey."""
    run = read_run(folder)
    settings, survey = run.settings, find_survey(run.settings.survey)
    instrument = survey.instrument()
    schema = pyarrow.parquet.read_schema(folder / CATALOGUE)
    text = TEXT.format(
        n=settings.n,
        survey=settings.survey,
        seed=settings.seed,
        options=f"{settings.pixels} pixels, {settings.neighbours:.3g} neighbours",
        versions=", ".join(f"{package} {text}" for package, text in run.versions.items() if text),
        about=survey.about,
        own="Their properties are those of a user's table." if settings.table else "",
        first_shard=f"mock-00000-of-{settings.shards:05d}.parquet",
        pixels=settings.pixels,
        scale=instrument.pixel_scale_arcsec,
        neighbours=settings.neighbours,
        most=MOST_NEIGHBOURS,
        bands=_band_rows(instrument),
        columns="\n".join(_column_row(name) for name in schema.names),
    )
    with replace_on_success(folder / README) as partial:
        partial.write_text(text, encoding="utf-8")


def _band_rows(instrument: Instrument) -> str:
    rows = (
        f"| {band.name} | `{band.filter}` | {band.zero_point_ab:g} | {band.psf_fwhm_arcsec:g} "
        f"| {band.depth_5sigma_ab:g} |"
        for band in instrument.bands
    )
    return "\n".join(rows)


def _column_row(name: str) -> str:
    entry = lookup(name)
    unit, meaning = ("", "") if entry is None else (entry.unit, entry.meaning)
    return f"| `{name}` | {unit} | {meaning} |"
