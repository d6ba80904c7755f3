"""Coded headers to what references and prediction need of them."""
