"""Evaluations from Python: `evaluate`, stored runs as results, and their display in notebooks."""
