"""Runners, the recogniser and its sinks: a stream in, decisions out."""
