"""The report of a batch: images, JSON and the page."""
