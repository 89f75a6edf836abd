"""Recordings: any container to mono float32 samples at one rate, and facts about them."""
