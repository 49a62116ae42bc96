"""Batches from and to URLs."""
