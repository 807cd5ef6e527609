"""What a user would write for block_placement without optkit: the other side of each ratio."""
