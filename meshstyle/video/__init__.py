"""Films in the manner of paintings: read frames, estimate motion, paint frame after frame, write."""
