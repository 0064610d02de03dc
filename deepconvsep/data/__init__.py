"""Training data: windows of feature files that need not fit into memory."""
