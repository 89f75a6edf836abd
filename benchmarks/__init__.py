"""Measurements of sercore against named alternatives, run by hand with ``make bench``."""
