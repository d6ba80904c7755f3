"""What a stream asks of a processor beside the engine: reading, preparing, decoding of I-pictures."""
