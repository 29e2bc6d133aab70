"""`prediction.csv`: its columns, and its writer."""
