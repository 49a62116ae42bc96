"""Wavefront OBJ files with their material libraries."""
