"""Anomaly scores and the detector that thresholds them."""
