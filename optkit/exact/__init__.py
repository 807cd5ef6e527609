"""Exact algorithms that several problems share."""
