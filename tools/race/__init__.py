"""`./workshop race`: Starling, the floor and the peers side by side."""
