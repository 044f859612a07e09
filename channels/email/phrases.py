"""What mail programs write around a reply, language by language: data for the new-words splitter, no code.

Everything is lower case and without surrounding blanks or punctuation. The tables were written down from what the
mail programs themselves emit (Gmail, Outlook, Apple Mail, Thunderbird, Yahoo, GMX, mail.ru, Horde, Lotus Notes), not
translated; a missing language costs a quote that stays visible, never a word of the customer.
"""
# ruff: noqa: RUF001 -- the tables are in thirty languages; look-alike letters are what they are made of

from __future__ import annotations

from typing import Final


def _table(text: str) -> tuple[str, ...]:
    """The phrases of a block: parted by bars, after `#` a word to the reader."""
    lines = (line.partition("  # ")[0] for line in text.splitlines())
    return tuple(phrase.strip() for line in lines for phrase in line.split("|") if phrase.strip())


# The verb that closes an attribution line: "On …, somebody wrote:".
WROTE_LAST: Final[tuple[str, ...]] = _table("""
    wrote | writes | has written  # English
    a écrit | a ecrit | écrit | écrivait  # French
    escribió | escribio | ha escrito  # Spanish
    escreveu | escreveu o seguinte  # Portuguese
    ha scritto | scritto | scrive | scriveva  # Italian
    va escriure | ha escrit | escribiu | idatzi du  # Catalan, Galician, Basque
    a scris | scris  # Romanian
    geschrieben | schrieb folgendes | folgendes geschrieben  # German, as Gmail and old clients have it
    volgende geschreven | geschreven | het geskryf  # Dutch, Afrikaans
    napisał | napisała | napisał(a) | napisała(a) | pisze  # Polish
    napsal | napsala | napsal(a) | píše  # Czech
    napísal | napísala | napísal(a)  # Slovak
    napisao | napisala | napisao/la | napisao je
    napisala je | je napisao | je napisala | je napisal | piše  # Croatian, Slovenian
    је написао | је написао/ла | написао је | написао  # Serbian
    написал | написала | написал(а) | пишет | писал | писал(а)  # Russian
    написав | пише | писав | написав(-ла)  # Ukrainian
    написа | написа(ла)  # Bulgarian
    yazdı | şunu yazdı | şunları yazdı | yazmış  # Turkish
    έγραψε | έγραψε τα εξής  # Greek
    írta | ezt írta | a következőt írta  # Hungarian
    kirjutas | rakstīja | rašė | parašė | skrifaði  # Estonian, Latvian, Lithuanian, Icelandic
    כתב | כתבה | כתב/ה | כתב‎ | كتب | كتبت | كتب ما يلي | نوشت  # Hebrew, Arabic, Persian
    đã viết | menulis | menulis berikut | sumulat | isinulat  # Vietnamese, Indonesian, Tagalog
    ने लिखा | लिखा | เขียนว่า | เขียน  # Hindi, Thai
    写道 | 寫道 | 写到 | 寫 | 写 | 来信 | 书写  # Chinese
    書きました | 書き込みました | のメール | のメッセージ | 書いた | さんは書きました  # Japanese
    작성 | 썼습니다 | 님이 작성 | 님의 글 | 쓰셨습니다  # Korean
""")

# The verb may stand before the name, the address or the date: "Am … schrieb Max <m@x>:".
WROTE_INSIDE: Final[tuple[str, ...]] = _table("""
    schrieb | schrieben | schreibt | schreef | heeft | skrev | skreiv | har skrevet | skriver | kirjoitti
    írta | ezt írta | a écrit | escribió | escreveu | ha scritto | napisał | napisał(a) | napsal | napsal(a)
    написал | написал(а) | تمت كتابة ما يلي | كتب | מאת | đã viết | quoting | zitat von | selon | citando
    citat från | cytowanie | quoth | missatge de | wrote on | wrote at | wrote (on
    wiadomość napisana przez
""")

# Beside the verb they make it a sentence of the writer's own: "am 3. schrieb ich Ihnen:".
PRONOUNS: Final[frozenset[str]] = frozenset(
    _table("""
    i | you | he | she | we | they | it | who | ich | wir | sie | er | ihr | du | man | mir | uns | ihnen
    euch | je | tu | il | elle | on | nous | vous | ils | lui | yo | él | ella | usted | nosotros | me | le
    les | eu | ele | ela | você | nós | io | lei | noi | mi | ik | hij | zij | ze | wij | u | jij | men
    jag | jeg | jag | han | hon | hun | vi | de | ni | ja | ona | já | my | pan | pani | я | он | она | мы
    вы | ви | він | вона | ми | ben | sen | biz | minä | hän | én | ő
""")
)

# With what an attribution line begins, followed by a blank: "On ", "Am ", "Le ".
STARTERS: Final[tuple[str, ...]] = _table("""
    on | at | from | in a message dated | quoting | missatge de | am
    vom | von | zitat von | le | el | em | no dia
    il | il giorno | in data | selon | citando | op | den | på | kl | pe | la data de | în data de | în
    dnia | w dniu | w dn. | dne | dňa | v | ve | dana | dne | на | в | у | от | дана | за | στις | την
    στις | vào | vào ngày | pada | noong | בתאריך | ב | ביום | في | بتاريخ | در | در تاریخ | 在 | 于 | 於
    ngày | เมื่อ | ในวันที่
""")

# Between rules of dashes: the old mail follows.
ORIGINAL: Final[tuple[str, ...]] = _table("""
    original message | original email | original e-mail | original mail | reply message | message original
    original appointment | originalmessage | reply above this line | in reply to | ursprüngliche nachricht
    ursprungliche nachricht | originalnachricht | original-nachricht | ursprüngliche e-mail
    ursprünglicher termin | urspruengliche nachricht | message d'origine | message d’origine
    message initial | courriel original | mensaje original | correo original | mensagem original
    email original | messaggio originale | messaggio originario | oorspronkelijk bericht
    oorspronkelijke bericht | origineel bericht | ursprungligt meddelande | originalmeddelande
    oprindelig meddelelse | oprindelig besked | original meddelelse | opprinnelig melding
    opprinnelig e-post | alkuperäinen viesti | oryginalna wiadomość | wiadomość oryginalna
    wiadomość pierwotna | původní zpráva | původní e-mail | pôvodná správa | originalno sporočilo
    izvirno sporočilo | izvorna poruka | originalna poruka | оригинална порука | оригинално съобщение
    исходное сообщение | оригинальное сообщение | первоначальное сообщение | пересланное письмо
    оригінальне повідомлення | вихідне повідомлення | початкове повідомлення | özgün ileti | orijinal ileti
    orijinal mesaj | özgün mesaj | αρχικό μήνυμα | πρωτότυπο μήνυμα | eredeti üzenet | mesaj original
    mesajul original | mesaj inițial | algne kiri | algsõnum | sākotnējais ziņojums | originalus laiškas
    pradinis laiškas | הודעה מקורית | ההודעה המקורית | الرسالة الأصلية | رسالة أصلية | پیام اصلی
    tin nhắn gốc | thư gốc | pesan asli | pesan awal | मूल संदेश | ข้อความต้นฉบับ | ข้อความเดิม | 原始邮件
    原始郵件 | 原邮件 | 原文 | 邮件原件 | 原始信息
    元のメッセージ | 元のメール | 원본 메시지 | 원본 메일 | 원본 이메일
""")

# Between rules of dashes, or alone with a colon (Apple): a forwarded mail follows.
FORWARDED: Final[tuple[str, ...]] = _table("""
    forwarded message | begin forwarded message | forwarded by | forwarded email | forwarded mail
    start of forwarded message | begin forwarded email | forwarded e-mail | weitergeleitete nachricht
    anfang der weitergeleiteten nachricht | weitergeleitet von | weitergeleitete e-mail
    weitergeleitete mail | anfang der weitergeleiteten e-mail | message transféré | message transfere
    début du message réexpédié | début du message transféré | message réexpédié | courriel transféré
    transféré par | mensaje reenviado | inicio del mensaje reenviado | mensaje enviado | reenviado por
    mensagem encaminhada | mensagem reencaminhada | início da mensagem reencaminhada | encaminhado por
    início da mensagem encaminhada | messaggio inoltrato | inizio messaggio inoltrato | inoltrato da
    inizio del messaggio inoltrato | doorgestuurd bericht | begin doorgestuurd bericht | doorgestuurd door
    vidarebefordrat meddelande | vidarebefordrat brev | påbörja vidarebefordrat meddelande
    vidarebefordrat mejl | vidarebefordrat av | videresendt meddelelse | videresendt besked
    start på videresendt besked | starten på den videresendte besked | videresendt melding | videresendt
    begynnelse på videresendt melding | videresendt av | videresendt e-post | välitetty viesti
    välitetyn viestin alku | edelleenlähetetty viesti | wiadomość przekazana dalej | przekazana wiadomość
    wiadomość przekazana | treść przekazanej wiadomości | początek przekazywanej wiadomości
    przekazane przez | přeposlaná zpráva | začátek přeposílané zprávy | předávaná zpráva | preposlaná správa
    začiatok preposlanej správy | posredovano sporočilo | proslijeđena poruka | prosleđena poruka
    прослеђена порука | пересылаемое сообщение | пересланное сообщение | пересылаемое письмо
    начало переадресованного сообщения | начало пересылаемого сообщения | перенаправленное сообщение
    пересылаемое сообщение от | переслане повідомлення | початок листа, що пересилається
    препратено съобщение | препратено писмо | iletilmiş mesaj | iletilen ileti | yönlendirilen ileti
    iletilen mesaj | yönlendirilmiş mesaj | yönlendirilmiş ileti | προωθημένο μήνυμα
    αρχή προωθημένου μηνύματος | προωθούμενο μήνυμα | továbbított üzenet | továbbított levél
    mesaj redirecționat | mesaj redirectionat | mesaj forwardat | edastatud kiri | pārsūtīts ziņojums
    persiųstas laiškas | הודעה שהועברה | הודעה מועברת | רسالة | الرسالة المعاد توجيهها | رسالة معاد توجيهها
    رسالة مُعاد توجيهها | پیام هدایت‌شده | thư đã chuyển tiếp | thư được chuyển tiếp | pesan terusan
    pesan yang diteruskan | अग्रेषित संदेश | ข้อความที่ส่งต่อ | 转发的邮件
    转发邮件 | 轉寄的郵件 | 轉寄郵件 | 被转发邮件 | 转发邮件信息
    已转发邮件 | 転送されたメッセージ | 転送メッセージ
    転送メール | 전달된 메시지 | 전달된 메일 | 전달된 이메일
""")

# What a quoted mail's header lines are called; "sent" is a name that only mail programs use for a date.
HEADER_NAMES: Final[dict[str, tuple[str, ...]]] = {
    "from": _table("""
        from | von | absender | de | da | van | från | fra | lähettäjä | od | от | від | kimden | gönderen
        από | feladó | de la | expéditeur | remitente | remetente | mittente | afzender | frá | saatja | no
        nuo | מאת | من | از | từ | dari | จาก | प्रेषक
        发件人 | 寄件者 | 寄件人 | 差出人 | 送信者 | 보낸 사람 | 보낸사람 | 发信人
        kellelt | отправитель | відправник | expeditor | pošiljatelj | odesílatel | nadawca | отправлено от
        שולח | المرسل
    """),
    "sent": _table("""
        sent | gesendet | envoyé | envoyé le | enviado | enviado el | enviada em | enviado em | inviato
        verzonden | skickat | sendt | lähetetty | wysłano | wysłane | odesláno | odoslané | poslano
        отправлено | отправлен | надіслано | изпратено | gönderme tarihi | gönderildi | gönderilme tarihi
        στάλθηκε | εστάλη | elküldve | küldve | trimis | נשלח | تاريخ الإرسال | أرسلت | ارسال شده | ارسال
        đã gửi | terkirim | dikirim | ส่งเมื่อ | 发送时间 | 傳送日期
        寄件日期 | 寄送日期 | 送信日時 | 보낸 날짜 | 보낸날짜 | 已发送 | 已傳送
        saadetud | nosūtīts | išsiųsta | послато | sent on | sent at | 發送時間 | 发送日期 | भेजा गया | enviat
    """),
    "date": _table("""
        date | datum | fecha | data | dato | päiväys | päivämäärä | dátum | дата | tarih | ημερομηνία | pvm
        תאריך | التاريخ | تاريخ | تاریخ | ngày | tanggal | วันที่ | दिनांक | 日期 | 时间 | 日時 | 日付 | 날짜
        kuupäev | datums | am | le | date d'envoi | date d’envoi | время | vrijeme | время отправки
        dagsetning
    """),
    "to": _table("""
        to | an | à | a | para | aan | till | til | vastaanottaja | do | komu | кому | kime | alıcı | προς
        címzett | către | la | za | prima | empfänger | destinataire | destinatario | destinatário | per
        pre | saaja | אל | إلى | الى | به | đến | tới | kepada | untuk | ถึง | प्रति | 收件人 | 收件者 | 宛先
        받는 사람 | 받는사람 | до | kam | kellele | получатель | konu alıcısı | adresat | pour
    """),
    "cc": _table("""
        cc | kopie | kopia | kopi | copie | copie à | copia | cópia | с копией | копия | копія | dw
        kopie (cc) | bilgi | cc to | bcc | κοιν | κοινοποίηση | másolat | másolatot kap | עותק | نسخة
        نسخة إلى | 抄送 | 副本 | 參照 | 참조 | rn | kop | do wiadomości | blindkopie | cci | cco | ccn | копии
        kópia | v kopii | udw | 密送 | 숨은 참조 | รับสำเนา | tembusan | đồng kính gửi
    """),
    "subject": _table("""
        subject | betreff | betr | objet | sujet | asunto | assunto | oggetto | onderwerp | ämne | emne
        aihe | temat | předmět | predmet | tema | тема | относно | konu | θέμα | tárgy | subiect | assumpte
        предмет | teema | temats | efni | נושא | الموضوع | موضوع | chủ đề | tiêu đề | subjek | perihal
        judul | เรื่อง | หัวเรื่อง | विषय | 主题 | 主旨 | 主題 | 件名 | 제목 | 标题
    """),
    "other": _table("""
        reply-to | reply to | antwort an | antworten an | répondre à | responder a | responder para
        rispondi a | beantwoorden | importance | wichtigkeit | priorität | priority | importancia
        prioridade | priorità | attachments | anlagen | anhänge | anlage | anhang | pièces jointes
        pièce jointe | datos adjuntos | anexos | allegati | bijlagen | bijlage | bilagor | organization
        organisation | mailed-by | when | where | message-id | newsgroups | wann | wo | resent-from
        sensitivity | вложения | załączniki | 返信先 | 添付ファイル | 附件 | 重要性
    """),
}

# First words of a line that a phone or a program adds by itself, sure whatever follows.
SENT_FROM_START: Final[tuple[str, ...]] = _table("""
    yahoo mail: search | sent from my | sent on the go from my
    sent with my | sent on my | sent via my | get outlook for
    get the outlook app | typed on my | gesendet mit meinem | gesendet von meinem
    von unterwegs gesendet | gesendet mit der | diese nachricht wurde von meinem | envoyé de mon
    envoyé depuis mon | envoyé à partir de mon
    envoye de mon | téléchargez outlook pour | télécharger outlook pour
    obtenir outlook pour | enviado desde mi | enviado de mi | obtener outlook para | enviado do meu
    enviado de meu | obter o outlook para | enviada do meu | obter outlook para | inviato dal mio
    inviato da mio | scarica outlook per | ottieni outlook per | verstuurd vanaf mijn | verzonden vanaf mijn
    verstuurd met mijn | outlook voor | download outlook voor | sendt fra min | sendt fra mit
    hent outlook til | skickat från min | skickat från mitt | skaffa outlook för | hämta outlook för
    få outlook for | wysłane z mojego | wysłano z mojego | pobierz outlook | odesláno z mého
    odoslané z môjho | získat outlook pro | trimis de pe
    poslano s mojega | poslano z mojega | sent via the samsung | poslano s mog
    послано с моего | отправлено с моего | надіслано з мого | изпратено от моя | στάλθηκε από το
    εστάλη από το | được gửi từ | dikirim dari | ส่งจาก | enviat des del meu | saadetud minu | נשלח מה
    נשלח מ- | أرسلت من | تم الإرسال من | مرسل من | 发自我的
    發自我的 | 從我的 | 从我的 | ارسال از | lähetetty laitteesta
""")

# Sure only when a device, a program or a provider is named too.
SENT_FROM_WEAK: Final[tuple[str, ...]] = _table("""
    sent from | sent via | sent with | sent by | sent using | posted from | composed on | gesendet mit
    gesendet von | gesendet über | gesendet aus | versendet mit | verschickt mit | diese nachricht wurde mit
    envoyé avec | envoyé depuis | envoyé de | envoyé par
    envoyé à partir de | envoyé à partir d’ | envoyé à partir d' | enviado con | enviado desde
    enviado por | enviado com | enviado de | enviado a partir | inviato con | inviato da | inviato tramite
    verzonden via | verzonden met | verzonden vanuit | verzonden vanaf | enviado do
    išsiųsta iš | nosūtīts no | verstuurd met | verstuurd via | verstuurd vanaf
    sendt fra | sendt med | skickat från | skickat med | lähetetty | wysłane z | wysłano z | wysłane przez
    odesláno z | odesláno ze | odoslané z | poslano z | poslano iz | отправлено из | отправлено с
    отправлено со | надіслано з | надіслано із | изпратено от | στάλθηκε από | trimis din | trimis cu
    küldve | elküldve | saadetud
""")

# Languages that put the verb last.
SENT_FROM_END: Final[tuple[str, ...]] = _table("""
    gesendet | から送信 | から送信されました | より送信 | 에서 보냄
    에서 보냈습니다 | 에서 전송 | gönderildi | gönderilmiştir | 傳送 | 传送
    发送 | से भेजा गया | küldve | lähetetty | geschickt | versendet
""")

# Without a blank before or after: parts of words count ("iPhone-omról", "iPhone'umdan").
DEVICES: Final[tuple[str, ...]] = _table("""
    iphone | iphon | zoho | voor windows | für windows | pour windows | para windows | per windows | ipad
    ipod | android | samsung | galaxy | huawei | xiaomi | redmi | nokia | blackberry
    smartphone | mobile | cell phone | handy | tablet | outlook | yahoo | gmail | gmx | web.de | protonmail
    proton mail | tutanota | tuta | windows phone | windows 10 | windows mail | mail for windows
    mail für windows | htc | sony | xperia | motorola | pixel | oneplus | telekom | vodafone | verizon
    t-mobile | at&t | boxer | nine | spark | airmail | mailbird | superhuman | bluemail | k-9 | thunderbird
    mail.ru | почты | почта | yandex | яндекс | mobil | téléphone | telefon | teléfono | celular | móvil
    телефон | курьер | телефона | スマートフォン | 手机 | 手機
    携帯 | 휴대폰 | honor | oppo | vivo | lg | apple watch
    macbook | imac | mailspring | newton mail | aol | myrunner | puhelimesta
""")

# Two of these in one paragraph make it a disclaimer.
DISCLAIMERS: Final[tuple[str, ...]] = _table("""
    confidential | intended recipient | intended solely | intended only | privileged | unauthorized
    unauthorised | prohibited | disclos | disseminat | notify the sender | received this | in error
    delete this | delete the | attachments | legally | liability | strictly | named above | addressee
    viruses | permanently | vertraulich | rechtlich geschützt | bestimmungsgemäße | unbefugt | irrtümlich
    vernichten | nicht der richtige adressat | adressat | nicht gestattet | informieren sie | löschen
    absender | confidentiel | destinataire | par erreur | strictement | pièces jointes | détruire
    interdite | expéditeur | confidencial | destinatario | por error | prohibid | eliminar | eliminarlo
    destinatário | engano | proibid | privilegiad | riservat | destinatari | per errore | vietat
    cancellare | distruggere | vertrouwelijk | geadresseerde | abusievelijk | bestemd voor | vernietigen
    afzender | konfidentiell | avsedd för | fortrolig | beregnet | mottagare | luottamuksellin | poufn
    adresata | usunięcie | zniszcz | důvěrn | adresáta | конфиденциальн | получател | адресат | удалите
    по ошибке | gizli | alıcı | bizalmas | εμπιστευτικ | παραλήπτη
    机密 | 收件人 | 保密 | 机密信息 | 機密 | 宛先 | 誤って
""")

# One of these at the start of a paragraph is enough.
DISCLAIMERS_SURE: Final[tuple[str, ...]] = _table("""
    please consider the environment before | think before you print | before printing | save paper
    please think of the environment | bitte denken sie an die umwelt | bitte prüfen sie, ob
    denken sie an die umwelt | pensez à l'environnement | pensez à l’environnement | avant d'imprimer
    avant d’imprimer | antes de imprimir | prima di stampare | denk aan het milieu
    this email has been checked for viruses | this email has been scanned | this message has been scanned
    diese e-mail wurde von avast | diese e-mail wurde auf viren | virus-free | virenfrei
    garanti sans virus | libre de virus | livre de vírus | mail priva di virus | virusvrij
    l'absence de virus | el software de antivirus avast | este email foi escaneado
    you received this message because you are subscribed | sie erhalten diese nachricht, weil sie
    to unsubscribe from this group | confidentiality notice | legal disclaimer
""")

# Under a rule of underscores: what a mailing list adds to each mail.
FOOTER_WORDS: Final[tuple[str, ...]] = _table("""
    mailing list | unsubscribe | listinfo | mailman | abmelden | désabonner | lists.
""")

# In front of a number or an address in somebody's signature.
CONTACT_LABELS: Final[frozenset[str]] = frozenset(
    _table("""
    tel | t | p | m | f | e | w | h | c | o | d | phone | telephone | telefon | fon | mob | mobile | mobil
    cell | fax | email | e-mail | mail | web | www | internet | office | direct | skype | handy | tél
    téléphone | teléfono | móvil | telefone | celular | telefono | cellulare | tel/fax | тел | телефон | моб
    факс | twitter | linkedin | homepage | website | puh | gsm | 电话 | 電話 | 전화
""")
)

# What stands for text that somebody cut out of a quote.
SNIPS: Final[frozenset[str]] = frozenset(
    _table("""
    snip | snipped | cut | … | ... | schnipp | schnapp | ellipsis | quoted text hidden
    zitierter text ausgeblendet | texte des messages précédents masqué | el texto citado está oculto
    texto das mensagens anteriores oculto | testo tra virgolette nascosto
""")
)
