"""Which models there are, and which one serves: MLflow, the registry, the pointer."""
