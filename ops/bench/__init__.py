"""Benchmarks: what the machine can do at best, what we make of it, and the ratio between the two."""
