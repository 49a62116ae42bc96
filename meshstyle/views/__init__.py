"""From the surface to views: where cameras stand, what each pixel sees, and how a picture follows from texels."""
