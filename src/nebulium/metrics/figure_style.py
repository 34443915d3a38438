"""What the figures of all subjects share: colours, dashes, sizes.

Colours are those of Okabe & Ito (2008), which the colour-blind can tell apart, and no two curves differ by
colour alone.
"""

from typing import Any

BLACK, ORANGE, SKY, GREEN, BLUE, VERMILION, PURPLE = (
    "#000000", "#E69F00", "#56B4E9", "#009E73", "#0072B2", "#D55E00", "#CC79A7",
)  # fmt: skip
#: Colour and dash of the first, second, ... curve of a panel.
STYLES: tuple[tuple[str, Any], ...] = (
    (BLUE, "-"),
    (VERMILION, "--"),
    (GREEN, "-."),
    (PURPLE, ":"),
    (ORANGE, (0, (5, 1, 1, 1, 1, 1))),
)
MARKERS = "os^DvXP"

#: Two columns of a journal and one, inches; text is drawn at its printed size.
FULL_WIDTH, HALF_WIDTH = 7.1, 3.5
TEXT, SMALL = 8, 7
