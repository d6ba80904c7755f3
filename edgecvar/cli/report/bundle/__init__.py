"""What is said of a bundle: what came of compiling it, and the types that it is computed in."""
