"""Manifests, splits and results in the formats of other tools."""
