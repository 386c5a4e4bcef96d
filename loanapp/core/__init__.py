"""The library: files, models, versions, predictions. It knows nothing of HTTP or of pages."""
