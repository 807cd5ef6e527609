"""Learned methods: policies on disk, their forward pass in NumPy, and how they are trained."""
