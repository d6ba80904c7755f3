"""What many streams came to, shown: how many a machine takes, what so many at a time wait."""
