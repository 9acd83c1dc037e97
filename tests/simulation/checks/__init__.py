"""What must hold, whatever happened: each check is one function that yields what it found wrong."""
