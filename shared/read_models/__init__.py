"""Tables rebuilt at will from the log; one file each: table, apply, queries."""
