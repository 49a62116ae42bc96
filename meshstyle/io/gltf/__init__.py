"""glTF 2.0, GLB and VRM files."""
