"""One contract, two transports; what only one of them can do stands in a file of its own."""
