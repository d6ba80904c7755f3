"""A service: many streams for months, told by a file, watched, with a page to look at."""
