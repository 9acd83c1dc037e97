"""Turns approved decisions into broker orders and follows them to the end."""
