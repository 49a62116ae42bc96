"""The optimizer: VGG-19 features, the losses on them, and the solvers that follow their gradients."""
