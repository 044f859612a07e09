"""E-mail: raw mail in, `Message` out, and the signed tokens that tie an answer to its contact.

`parse.parse` is the way in; the modules beside it each know one thing: `limits` how much is read, `structure` where
the parts begin and end, `headers` what header fields say, `charset` what bytes mean, `body` which parts are the text,
`html` how HTML reads, `names` what an attachment may be called, `kinds` and `bounce` whether a machine wrote it,
`writer` who did, `thread` which contact it answers.
"""
