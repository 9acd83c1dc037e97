"""An Alpaca look-alike on the real wire protocol."""
