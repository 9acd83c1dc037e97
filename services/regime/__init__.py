"""Market data in, quotes and regime changes out."""
