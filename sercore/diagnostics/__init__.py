"""Checks of an installation, of precision, and of what a full run costs."""
