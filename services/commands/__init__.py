"""The commands of `okno`: one module each, found by cli.py; a module has NAME, HELP, arguments() and run()."""
