"""What the parsers do not cover: FFmpeg's exported vectors, references worked out from headers."""
