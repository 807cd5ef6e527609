"""One folder for each published problem."""
