"""What a network costs, counted and as its paper prints it."""
