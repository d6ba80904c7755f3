"""What others published: latencies on Jetsons, the networks of those, and the processors beside them."""
