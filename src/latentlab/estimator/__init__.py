"""Models with scikit-learn's habits, trained from arrays: no params file, no DVC."""
