"""Records that wait for their delivery, with the thread that carries them."""
