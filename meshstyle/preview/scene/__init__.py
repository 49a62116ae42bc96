"""What is drawn: triangles, materials and poses."""
