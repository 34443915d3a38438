"""Take the pictures of the explorer page that the documentation shows.

    nebulium explore desi.parquet      # where benchmarks.settings.desi_path() points
    python -m benchmarks.weights.make_explore_pictures http://127.0.0.1:8050/

takes those of the DESI galaxies, and with `--mock` and the address of a mock survey those with images.
"""

import argparse
import io
import shutil
from pathlib import Path

import numpy as np
from PIL import Image
from playwright.sync_api import sync_playwright

from benchmarks.settings import REPOSITORY

FOLDER = REPOSITORY / "docs" / "explore" / "figures"
STAR_FORMING, BURST, PASSIVE = 39627836717270878, 39627788369531838, 39628362666216442
TIP = "map:17.0,8.8;19.3,8.8;19.3,4.6;17.4,4.6;17.6,6.2"
DESI = {
    "map": f"pin={STAR_FORMING}",
    "three": "panels=three",
    "selection": f"pin={BURST}&selection={TIP}",
    "summary": f"pin={BURST}&selection={TIP}&sample_view=selection",
    "residuals": "colour=ew_OIII_5007&quantity=ew_OIII_5007&sample_view=residuals",
    "history": "sample_view=history&history=0.6",
    "dark": f"theme=dark&colour=redshift&pin={PASSIVE}&frame=observed&sample_view=predicted",
}
MOCK = {"images": "galaxy_view=image", "density": "galaxy_view=density&sample_view=predicted"}
DRAWN = "document.querySelector('#map .js-plotly-plot')?._fullData?.length"
#: Of a palette, those taken as they are, and how alike others are taken to be the same.
COLOURS, FREQUENT, BUCKET = 192, 32, 8


def main() -> None:
    """Open each view, and keep what is seen."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("address")
    parser.add_argument("--mock", metavar="ID", help="the address is a mock survey's; pin this galaxy")
    parser.add_argument("--folder", type=Path, default=FOLDER)
    asked = parser.parse_args()
    asked.folder.mkdir(parents=True, exist_ok=True)
    views = {name: f"{view}&pin={asked.mock}" for name, view in MOCK.items()} if asked.mock else DESI
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(
            viewport={"width": 1366, "height": 960}, device_scale_factor=1.25, color_scheme="light"
        )
        for name, view in views.items():
            page.goto(f"{asked.address}?{view}")
            page.wait_for_function(DRAWN, timeout=60_000)
            if "history=" in view:
                page.wait_for_function("document.querySelector('#sample-note').textContent", timeout=120_000)
            page.wait_for_load_state("networkidle")
            page.wait_for_timeout(1500)
            few_colours(Image.open(io.BytesIO(page.screenshot()))).save(
                asked.folder / f"{name}.png", optimize=True
            )
        browser.close()


def few_colours(image: Image.Image) -> Image.Image:
    """The picture in as few colours as a palette holds: rare ones kept, frequent ones exact."""
    image = image.convert("RGB")
    rare = (
        np.unique(np.asarray(image).reshape(-1, 3) // BUCKET, axis=0).astype(np.uint8) * BUCKET + BUCKET // 2
    )
    found = Image.fromarray(rare[None]).quantize(COLOURS - FREQUENT, Image.Quantize.MEDIANCUT, kmeans=4)
    often = np.array(
        [colour for _, colour in sorted(image.getcolors(1 << 24) or [], reverse=True)[:FREQUENT]]
    )
    palette = Image.new("P", (1, 1))
    palette.putpalette([*(found.getpalette() or [])[: 3 * (COLOURS - FREQUENT)], *often.ravel().tolist()])
    return image.quantize(palette=palette, dither=Image.Dither.NONE)


if __name__ == "__main__":
    main()
