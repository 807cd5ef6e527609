"""Exact methods of dt_assignment, one file each."""
