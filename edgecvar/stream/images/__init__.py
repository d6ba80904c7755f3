"""Decoders of I-pictures: in software or in hardware, one of which a stream chooses."""
