"""One small class per group of operations; each method is an operation."""
