"""SQL read models: one tracked transaction per batch, rebuilt from the journal whenever they are missing."""
