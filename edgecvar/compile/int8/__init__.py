"""Stages in int8: calibrated, quantised, searched."""
