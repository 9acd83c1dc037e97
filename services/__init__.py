"""The processes and the shell that carries them."""
