"""Atlases: which triangle owns which texel, UV unwrapping, filtering and the space around charts."""
