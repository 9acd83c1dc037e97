"""The tape: recorded bars, and the quotes that are synthesised between them."""
