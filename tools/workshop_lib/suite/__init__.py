"""The parts of `./workshop test`. runner.py lists them in order."""
