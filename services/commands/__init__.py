"""The commands of `okno`: one module each, found by cli.py; a module has COMMANDS, arguments() and what they run.

A module called like its command is loaded alone, which halves the time the command takes.
"""
