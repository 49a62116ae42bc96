"""The page or image that follows a run (`--preview`)."""
