"""Models written in another format than their own."""
