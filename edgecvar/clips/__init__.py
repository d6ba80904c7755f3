"""Coded pictures to network inputs: windows, velocity, accumulation, sampling, preparation."""
