"""The step-by-step view of a problem that constructive and learned methods build on."""
