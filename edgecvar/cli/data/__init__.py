"""The verbs that write data to train on."""
