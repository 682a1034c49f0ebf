"""What the `workshop` command is made of. Python 3.10, standard library alone."""
