"""What a person runs beside the pipeline, as ``python -m tools.NAME``."""
