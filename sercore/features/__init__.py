"""Frames of a corpus under a backbone: keys, extraction, storage, cache."""
