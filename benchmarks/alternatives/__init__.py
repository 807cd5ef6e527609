"""What a user would write without optkit: the other side of each ratio, by problem."""
