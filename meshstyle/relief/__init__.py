"""Strokes that stand out under light."""
