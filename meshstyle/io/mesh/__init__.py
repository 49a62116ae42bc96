"""PLY, STL and OFF files."""
