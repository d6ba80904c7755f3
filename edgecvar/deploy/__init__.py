"""A bundle put on a device over ssh: this is the workstation's half, `device` what is sent and run there."""
