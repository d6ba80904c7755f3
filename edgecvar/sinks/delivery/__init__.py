"""Sinks that deliver elsewhere: to a broker, a receiver, a database, whoever asks for metrics."""
