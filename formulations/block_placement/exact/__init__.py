"""Exact methods of block_placement beside its models, one file each, and what they share."""
