"""E-mail: receives by IMAP (IDLE, else a poll) or from a mail server (SMTP, LMTP), sends by SMTP.

Can: several folders, password and OAuth, threads (Message-ID, In-Reply-To, References), files both ways, Markdown,
copies in the Sent folder, what bounces, receipts and complaints say, repeats that are safe (the Message-ID comes from
the reply's id). Cannot: edits.
"""
