"""Synthetic demo corpora and the weight-free baseline."""
