"""HTTP to intent, decision to HTTP, and the operators' control plane."""
