"""Font sizes and colours of all figures."""

TITLE, TEXT, SMALL = 17, 14, 13
INK, SOFT, AXIS, GRID, MISSING = "#262626", "#5c5c5c", "#9a9a9a", "#e6e6e6", "#d9d9d9"
#: Told apart by the colour-blind too (Okabe and Ito, 2008; the yellow, too faint on white, left out).
PALETTE = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#262626")
#: Colours of a heat map from low to high: on paper, and glowing in the dark (for spectrograms).
BLUES = ("#f5f9fd", "#c6dbef", "#6baed6", "#2171b5", "#08306b")
GLOW = ("#000004", "#51127c", "#b73779", "#fc8961", "#fcfdbf")
