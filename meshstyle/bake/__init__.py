"""From the optimized texture to finished 8-bit images."""
