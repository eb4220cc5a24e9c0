"""Figures, drawn with pillow alone."""
