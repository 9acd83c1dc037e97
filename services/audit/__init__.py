"""Reads everything, changes nothing: hash chain and trail."""
