"""Decode recordings from any container to mono float32 samples, and check them."""
