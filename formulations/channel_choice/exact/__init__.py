"""Exact methods of channel_choice, one file each."""
