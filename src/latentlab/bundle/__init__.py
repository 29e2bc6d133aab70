"""A trained model in one folder: everything that its use needs, without the pipeline."""
