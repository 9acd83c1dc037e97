"""Example agents that use only what an outside agent may use."""
