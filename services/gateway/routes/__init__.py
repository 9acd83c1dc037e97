"""The routes: HTTP in, the clerk or the view in the middle, an answer out."""
