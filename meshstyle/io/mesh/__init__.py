"""PLY, STL and OFF files.

The readers are our own because trimesh (5.2), which meshstyle uses elsewhere, loses what is in such files: it cuts
concave polygons into fans, takes no triangle strips and no texture coordinates of corners, drops the colors of OFF and
those that Magics writes into STL, and accepts faces that name vertices which are not there.
"""
