"""Figures that show galaxies: of low, high and any metallicity, and what the network looked at."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float, Integer
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from scipy.ndimage import gaussian_filter

from nebulium.metrics.figure_style import FULL_WIDTH, SMALL, TEXT
from nebulium.metrics.panels import leave_empty, say
from nebulium.verbs.score import Values

__all__ = [
    "as_pictures", "captions_of", "class_gallery_rows", "gallery", "gallery_rows", "saliency_figure"
]  # fmt: skip

Images = Float[np.ndarray, "_ height width band"]
Pictures = Float[np.ndarray, "_ height width 3"]
Maps = Float[np.ndarray, "_ height width"]

#: Per cent of the pixels that are white, in pictures of images that were not made to be looked at.
WHITE = 0.5
#: Blur of maps that have a value for each pixel: their neighbours differ in sign.
BLURRED, BLUR_PX = "Integrated gradients", 1.5
SIGNED = "PuOr"
#: Rows of classes in a gallery.
MOST_CLASSES = 8
#: By how much galaxies of a map may differ in strength and still share a scale.
ONE_SCALE = 3.0


def as_pictures(images: Images, *, bands: tuple[int, int, int] | None = None) -> Pictures:
    """Three bands of images as red, green and blue between 0 and 1."""
    count = images.shape[-1]
    chosen = bands or (
        (0, 1, 2) if count == 3 else (0, 0, 0) if count < 3 else (count - 1, count - 2, count - 3)
    )
    shown = np.nan_to_num(np.asarray(images[..., list(chosen)], np.float64))
    if count == 3 and shown.size and shown.min() >= 0 and shown.max() <= 1:
        return shown
    dark = np.median(shown, axis=(1, 2), keepdims=True)
    white = np.percentile(shown - dark, 100 - WHITE, axis=(1, 2, 3), keepdims=True)
    return np.clip((shown - dark) / np.where(white > 0, white, 1.0), 0, 1)


def gallery_rows(true: Values, *, each: int = 6, seed: int = 0) -> dict[str, Integer[np.ndarray, " _"]]:
    """Galaxies to show: those with the lowest and highest values, and any."""
    random = np.random.default_rng(seed)
    order = np.argsort(true, kind="stable")[: int(np.isfinite(true).sum())]
    ends = min(max(len(order) // 50, each), len(order))
    low, high = (f"the {ends} {end}" if ends <= each else f"{end} 2 %" for end in ("lowest", "highest"))
    pools = {low: order[:ends], high: order[len(order) - ends :], "random": order}
    drawn = {kind: random.choice(pool, min(each, len(pool)), replace=False) for kind, pool in pools.items()}
    return {kind: rows[np.argsort(true[rows], kind="stable")] for kind, rows in drawn.items()}


def class_gallery_rows(
    true: Values,
    predicted: Integer[np.ndarray, " _"],
    confidence: Values,
    names: Sequence[str],
    *,
    each: int = 6,
    seed: int = 0,
) -> dict[str, Integer[np.ndarray, " _"]]:
    """Galaxies to show: some of each class, and the mistakes that claim the highest probability."""
    random = np.random.default_rng(seed)
    pools = {name: np.flatnonzero(true == place) for place, name in enumerate(names[:MOST_CLASSES])}
    shown = {
        name: np.sort(random.choice(pool, min(each, len(pool)), replace=False))
        for name, pool in pools.items()
    }
    wrong = np.flatnonzero(np.isfinite(true) & (predicted != true))
    return shown | {"mistaken": wrong[np.argsort(-confidence[wrong], kind="stable")[:each]]}


def gallery(
    groups: Mapping[str, Pictures], captions: Mapping[str, Sequence[str]], *, title: str = ""
) -> Figure:
    """Galaxies in rows, each with its caption: true and predicted values."""
    columns = max((len(pictures) for pictures in groups.values()), default=0)
    if columns == 0:
        return _nothing(title)
    side = FULL_WIDTH / columns
    figure = Figure(figsize=(FULL_WIDTH, len(groups) * (side + 0.12) + 0.35), layout="constrained")
    panels = figure.subplots(len(groups), columns, squeeze=False)
    for axes in panels.flat:
        axes.set_axis_off()
    for row, (kind, pictures) in enumerate(groups.items()):
        for axes, picture, caption in zip(panels[row], pictures, captions[kind], strict=False):
            _show(axes, picture)
            axes.set_title(caption, fontsize=SMALL, pad=2)
        panels[row, 0].set_axis_on()
        panels[row, 0].set(xticks=[], yticks=[])
        panels[row, 0].set_ylabel(kind, fontsize=TEXT)
    figure.suptitle(f"{title}: true → predicted" if title else "True → predicted", fontsize=TEXT + 1)
    return figure


def captions_of(true: Values, predicted: Values, sigma: Values | None = None) -> list[str]:
    """True and predicted values of some galaxies, with the error bars if there are any."""
    bars = np.full(len(true), np.nan) if sigma is None else sigma
    return [_values(*values) for values in zip(true, predicted, bars, strict=True)]


def _values(true: float, predicted: float, sigma: float) -> str:
    shown = "no prediction" if not np.isfinite(predicted) else f"{predicted:.2f}"
    return f"{true:.2f} → {shown}" + (f" ± {sigma:.2f}" if np.isfinite(sigma) else "")


def _show(axes: Axes, picture: np.ndarray) -> None:
    """A picture with the first row of pixels at the top, as colour files have it."""
    axes.imshow(picture, interpolation="nearest")
    axes.set(xticks=[], yticks=[])
    for side in axes.spines.values():
        side.set_visible(False)


def saliency_figure(
    pictures: Pictures, maps: Mapping[str, Maps], captions: Sequence[str], *, unit: str = "", title: str = ""
) -> Figure:
    """What a network looks at, over the galaxies in grey: a row a galaxy."""
    if len(pictures) == 0:
        return _nothing(title)
    columns = 1 + len(maps)
    figure = Figure(figsize=(1.75 * columns + 0.4, 1.75 * len(pictures) + 0.75), layout="constrained")
    panels = figure.subplots(len(pictures), columns, squeeze=False)
    for axes, picture, caption in zip(panels[:, 0], pictures, captions, strict=True):
        _show(axes, picture)
        axes.set_ylabel(caption, fontsize=SMALL)
    panels[0, 0].set_title("Image", fontsize=TEXT)
    for column, (name, values) in enumerate(maps.items(), start=1):
        drawn = gaussian_filter(values, (0, BLUR_PX, BLUR_PX)) if name == BLURRED else values
        _saliency_column(figure, panels[:, column], pictures, drawn, unit)
        panels[0, column].set_title(name, fontsize=TEXT)
    figure.suptitle(title, fontsize=TEXT + 1)
    return figure


def _saliency_column(figure: Figure, panels: np.ndarray, pictures: Pictures, maps: Maps, unit: str) -> None:
    """One method's maps, the more opaque the farther from 0, and their colour bar."""
    reaches = np.percentile(np.abs(maps), 99.7, axis=(1, 2))
    shared = float(np.percentile(np.abs(maps), 99.7)) or 1.0
    one_scale = reaches.max() <= ONE_SCALE * reaches.min()
    norm = Normalize(-1, 1)
    for axes, picture, values, own in zip(panels, pictures, maps, reaches, strict=True):
        reach = shared if one_scale else float(own) or 1.0
        # The square root: what is faint should be seen under the colours.
        _show(axes, np.repeat(np.sqrt(picture.mean(axis=-1, keepdims=True)), 3, axis=-1))
        opacity = 0.9 * np.clip(np.abs(values) / reach, 0, 1) ** 0.7
        axes.imshow(values / reach, cmap=SIGNED, norm=norm, alpha=opacity, interpolation="bilinear")
        if not one_scale:
            say(axes, f"±{reach:.1g}")
    bar = figure.colorbar(
        ScalarMappable(norm, SIGNED), ax=list(panels), location="bottom", shrink=0.85, aspect=18, pad=0.01
    )
    bar.set_label(
        f"Share of the prediction{f' / {unit}' if unit else ''}\norange lowers it, purple raises it",
        fontsize=SMALL,
    )
    end = f"{shared:.1g}" if one_scale else ""
    bar.set_ticks([-1, 0, 1], labels=[f"−{end}", "0", end or "+"])
    bar.ax.tick_params(labelsize=SMALL - 1)


def _nothing(title: str) -> Figure:
    """A figure that says that there is none."""
    figure = Figure(figsize=(FULL_WIDTH / 2, 1.2), layout="constrained")
    leave_empty(figure.add_subplot())
    figure.suptitle(title, fontsize=TEXT + 1)
    return figure
