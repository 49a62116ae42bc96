"""VGG-19's features and the losses on them."""
