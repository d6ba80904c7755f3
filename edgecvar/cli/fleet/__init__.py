"""The verbs that look after bundles and the machines that run them."""
