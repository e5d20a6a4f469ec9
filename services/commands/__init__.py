"""The commands of `okno`: one module each, found by cli.py; a module has COMMANDS, arguments() and what they run.

A module called like its command is loaded alone, which halves the time the command takes. A command that looks back
sets `begins=False`: in a folder without an installation it would tell of an empty history, so it is refused.
"""
