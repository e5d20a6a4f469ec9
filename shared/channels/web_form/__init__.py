"""Web forms: what a site posts to `/in/forms/{channel}`, and a form of ours at `/forms/{channel}`. Receives only."""
