"""The shell: the only code that knows JetStream, clocks, randomness and the environment."""
