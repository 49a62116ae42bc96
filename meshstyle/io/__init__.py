"""Files: models and images are read, and written back with nothing but the paint changed."""
