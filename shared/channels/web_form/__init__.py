"""Web forms: anything a website's form posts to `/in/forms/{channel}`; answers leave by e-mail. Receives only."""
