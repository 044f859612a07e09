"""The e-mail channel: SMTP in, mails to normal form, SMTP out."""
