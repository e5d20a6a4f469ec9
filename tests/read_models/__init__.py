"""Tables made from the log: in batches of any size, rebuilt, and of the past."""
