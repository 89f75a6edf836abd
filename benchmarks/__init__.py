"""Benchmarks of sercore against named alternatives; run them with ``make bench``."""
