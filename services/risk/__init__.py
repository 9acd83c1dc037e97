"""Decides every intent of one account, on the record."""
