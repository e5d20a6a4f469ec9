"""E-mail: receives by IMAP (IDLE, else a poll), sends by SMTP.

Can: threads (Message-ID, In-Reply-To, References), files both ways, repeats that are safe (the Message-ID comes from
the reply's id). Cannot: edits, delivery reports (a bounce is an ordinary mail so far), OAuth, several folders.
"""
