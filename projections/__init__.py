"""Pure folds of the journal, and beside them the SQL read models."""
