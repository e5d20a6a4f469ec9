"""Real servers for the tests, each on a free loopback port in a temporary folder."""
