"""E-mail: raw mail in, `Message` out, answers back, and the signed tokens that tie an answer to its contact.

`parse.parse` is the way in; the modules beside it each know one thing: `limits` how much is read, `settings` what the
mailbox's owner decided, `structure` and `fields` where parts and header fields begin and end, `headers` what fields
say, `charset` what bytes mean, `body` which parts are the text, `html` how HTML reads, `split` which words are new,
`names` what an attachment may be called, `kinds` and `bounce` whether a machine wrote it, `writer` who did, `thread`
which contact it answers. `receive` takes mail in by SMTP, `compose` and `send` bring answers out.

None of the reading knows a clock, a file or the network; `body.Budget` bounds what one mail may cost.
"""
