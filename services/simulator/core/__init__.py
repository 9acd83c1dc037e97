"""The broker itself, pure: orders, positions, money and matching with time passed in."""
