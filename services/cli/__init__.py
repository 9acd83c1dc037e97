"""The lockgate command."""
