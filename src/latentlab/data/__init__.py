"""From a data set's own files to the processed splits, and to batches of pixels."""
