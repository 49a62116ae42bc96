"""Renderers: OpenGL through pyrender, and Embree rays where there is no OpenGL."""
