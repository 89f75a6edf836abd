"""Probes: the small models that are trained on frozen frames, stored and used again."""
