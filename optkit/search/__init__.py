"""Generic search: on an instance's space, or on its environment."""
