"""Plots as inline SVG: `svg` is how they are drawn, `curves` what shows how well predictions are."""
