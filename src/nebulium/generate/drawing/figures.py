"""Pages of drawn galaxies: pure functions from arrays to a matplotlib `Figure`."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, UInt8
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from nebulium.metrics.figure_style import FULL_WIDTH, SMALL, TEXT, VERMILION

#: Space above and between pictures, in units of their width.
CAPTION, GAP = 0.2, 0.03
#: Inches: to the left of the rows, above and below them.
LABEL, ABOVE, BELOW = 0.62, 0.28, 0.2


def stamps_figure(
    pictures: UInt8[np.ndarray, "row column height width 3"],
    captions: Sequence[Sequence[str]],
    labels: Sequence[str],
    outside: Bool[np.ndarray, "row column"],
    *,
    title: str,
) -> Figure:
    """Rows of pictures, those outside the training domain with a frame.

    Captions stand above the first rows, as many as have some; labels, if there are any, to the left.
    """
    rows, columns, height, width = pictures.shape[:4]
    # One picture and not many panels: a page takes a second and not ten.
    gap = max(1, round(GAP * width))
    above = [round(CAPTION * width) if row < len(captions) else gap for row in range(rows)]
    tops = np.cumsum(above) + height * np.arange(rows)
    page = np.full((tops[-1] + height, columns * (width + gap), 3), 255, np.uint8)
    left = LABEL if labels else BELOW
    tall = (FULL_WIDTH - left) * page.shape[0] / page.shape[1]
    whole = tall + ABOVE + BELOW
    figure = Figure(figsize=(FULL_WIDTH, whole))
    axes = figure.add_axes((left / FULL_WIDTH, BELOW / whole, 1.0 - left / FULL_WIDTH, tall / whole))
    for row, column in np.ndindex(rows, columns):
        y, x = int(tops[row]), column * (width + gap)
        page[y : y + height, x : x + width] = pictures[row, column]
        if row < len(captions):
            middle, over = x + 0.5 * width, y - 0.15 * above[row]
            axes.text(middle, over, captions[row][column], fontsize=SMALL, ha="center", va="bottom")
        if outside[row, column]:
            frame = Rectangle((x - 0.5, y - 0.5), width, height, fill=False)
            frame.set(edgecolor=VERMILION, linewidth=1.6)
            axes.add_patch(frame)
    for top, label in zip(tops.tolist(), labels, strict=False):
        where = -0.15 * width, top + 0.5 * height
        axes.text(*where, label, fontsize=TEXT, rotation=90, ha="center", va="center")
    axes.imshow(page, interpolation="nearest", aspect="auto")
    axes.axis("off")
    figure.suptitle(title, fontsize=TEXT, y=1.0 - 0.06 / whole, va="top")
    if np.any(outside):
        note = "framed: no galaxies of the training had such properties"
        figure.text(0.99, 0.05 / whole, note, fontsize=SMALL, color=VERMILION, ha="right", va="bottom")
    return figure
