"""Prediction files and requests: bytes become columns, columns become checked rows; what does not fit is refused."""
