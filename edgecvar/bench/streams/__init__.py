"""How many cameras of one kind a machine takes in real time: reading what is coded, beside decoding all of it."""
