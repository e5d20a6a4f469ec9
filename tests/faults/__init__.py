"""What is killed, stopped or filled up in the middle: at the end nothing is missing and nothing is doubled."""
