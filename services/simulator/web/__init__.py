"""Alpaca's wire: REST and websockets over one port, and the control port beside them."""
