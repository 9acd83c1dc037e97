"""SQL read models: one tracked transaction per batch."""
