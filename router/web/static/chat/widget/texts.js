// Every word of the widget, by language. Functions take what they name; nothing here is ever put into a page as HTML.

const TEXTS = {
  en: {
    scores: ["Very good", "Good", "Fair", "Bad", "Very bad"], rate: "Your answer", scored: "Thank you for your answer.",
    open: "Open chat", close: "Close chat", unread: (n) => (n === 1 ? "1 new message" : `${n} new messages`),
    log: "Conversation", write: "Write a message", send: "Send", attach: "Send a file", you: "You",
    online: "We are here.", away: "Nobody is here just now.", waiting: "Somebody will be with you soon.",
    withWho: (who) => `You are talking to ${who}.`, closed: "This conversation is finished. Write to begin a new one.",
    hello: "Hello! How can we help?", helloAway: "Nobody is here just now. Write to us all the same: your message waits for the first who is free.",
    sending: "Sending…", sent: "Sent", unsent: "Not sent yet", failed: "Not sent", retry: "Try again", earlier: "Earlier messages",
    connecting: "Connecting…", lost: "No connection. Trying again…", typing: (who) => `${who} is writing…`,
    today: "Today", yesterday: "Yesterday", said: (who, time) => `${who}, ${time}`, get: (name) => `Download ${name}`,
    tooLong: (n) => `${n} characters too many`, tooLarge: (mb) => `Files may have up to ${mb} MB.`, gone: "The file could not be fetched.",
    slow: "That was a lot at once. It goes on in a moment.", noFile: "This file was not taken.",
    formTitle: "Leave a message", formText: "We answer by e-mail.", toForm: "Rather an answer by e-mail?", toChat: "Write in the chat instead",
    name: "Your name", optional: "optional", email: "Your e-mail address", message: "Your message", badEmail: "Please enter an e-mail address we can answer to.",
    empty: "Please write a message.", thanks: "Thank you!", thanksText: (email) => `We have your message. The answer goes to ${email}.`, another: "Leave another message",
  },
  es: {
    scores: ["Muy bien", "Bien", "Regular", "Mal", "Muy mal"], rate: "Su respuesta", scored: "Gracias por su respuesta.",
    open: "Abrir el chat", close: "Cerrar el chat", unread: (n) => (n === 1 ? "1 mensaje nuevo" : `${n} mensajes nuevos`),
    log: "Conversación", write: "Escribe un mensaje", send: "Enviar", attach: "Enviar un archivo", you: "Tú",
    online: "Estamos aquí.", away: "Ahora mismo no hay nadie.", waiting: "Enseguida te atendemos.",
    withWho: (who) => `Estás hablando con ${who}.`, closed: "Esta conversación ha terminado. Escribe para empezar otra.",
    hello: "¡Hola! ¿En qué podemos ayudarte?", helloAway: "Ahora mismo no hay nadie. Escríbenos igualmente: tu mensaje espera a la primera persona libre.",
    sending: "Enviando…", sent: "Enviado", unsent: "Aún no enviado", failed: "No enviado", retry: "Reintentar", earlier: "Mensajes anteriores",
    connecting: "Conectando…", lost: "Sin conexión. Reintentando…", typing: (who) => `${who} está escribiendo…`,
    today: "Hoy", yesterday: "Ayer", said: (who, time) => `${who}, ${time}`, get: (name) => `Descargar ${name}`,
    tooLong: (n) => `Sobran ${n} caracteres`, tooLarge: (mb) => `Los archivos pueden tener hasta ${mb} MB.`, gone: "No se ha podido obtener el archivo.",
    slow: "Han sido muchos de golpe. Sigue en un momento.", noFile: "No se ha aceptado este archivo.",
    formTitle: "Deja un mensaje", formText: "Te respondemos por correo.", toForm: "¿Prefieres respuesta por correo?", toChat: "Mejor escribir en el chat",
    name: "Tu nombre", optional: "opcional", email: "Tu correo electrónico", message: "Tu mensaje", badEmail: "Escribe un correo al que podamos responder.",
    empty: "Escribe un mensaje.", thanks: "¡Gracias!", thanksText: (email) => `Tenemos tu mensaje. La respuesta irá a ${email}.`, another: "Dejar otro mensaje",
  },
  pt: {
    scores: ["Muito boa", "Boa", "Regular", "Ruim", "Muito ruim"], rate: "Sua resposta", scored: "Obrigado pela sua resposta.",
    open: "Abrir o chat", close: "Fechar o chat", unread: (n) => (n === 1 ? "1 mensagem nova" : `${n} mensagens novas`),
    log: "Conversa", write: "Escreva uma mensagem", send: "Enviar", attach: "Enviar um arquivo", you: "Você",
    online: "Estamos aqui.", away: "Não há ninguém agora.", waiting: "Alguém fala com você em instantes.",
    withWho: (who) => `Você está falando com ${who}.`, closed: "Esta conversa terminou. Escreva para começar outra.",
    hello: "Olá! Como podemos ajudar?", helloAway: "Não há ninguém agora. Escreva mesmo assim: a mensagem espera pela primeira pessoa livre.",
    sending: "Enviando…", sent: "Enviada", unsent: "Ainda não enviada", failed: "Não enviada", retry: "Tentar de novo", earlier: "Mensagens anteriores",
    connecting: "Conectando…", lost: "Sem conexão. Tentando de novo…", typing: (who) => `${who} está escrevendo…`,
    today: "Hoje", yesterday: "Ontem", said: (who, time) => `${who}, ${time}`, get: (name) => `Baixar ${name}`,
    tooLong: (n) => `${n} caracteres a mais`, tooLarge: (mb) => `Arquivos podem ter até ${mb} MB.`, gone: "Não foi possível obter o arquivo.",
    slow: "Foi muito de uma vez. Continua em instantes.", noFile: "Este arquivo não foi aceito.",
    formTitle: "Deixe uma mensagem", formText: "Respondemos por e-mail.", toForm: "Prefere resposta por e-mail?", toChat: "Escrever no chat",
    name: "Seu nome", optional: "opcional", email: "Seu e-mail", message: "Sua mensagem", badEmail: "Informe um e-mail para a resposta.",
    empty: "Escreva uma mensagem.", thanks: "Obrigado!", thanksText: (email) => `Recebemos a mensagem. A resposta vai para ${email}.`, another: "Deixar outra mensagem",
  },
  de: {
    scores: ["Sehr gut", "Gut", "Mittel", "Schlecht", "Sehr schlecht"], rate: "Ihre Antwort", scored: "Danke für Ihre Antwort.",
    open: "Chat öffnen", close: "Chat schließen", unread: (n) => (n === 1 ? "1 neue Nachricht" : `${n} neue Nachrichten`),
    log: "Gespräch", write: "Nachricht schreiben", send: "Senden", attach: "Datei senden", you: "Sie",
    online: "Wir sind da.", away: "Gerade ist niemand da.", waiting: "Gleich ist jemand für Sie da.",
    withWho: (who) => `Sie sprechen mit ${who}.`, closed: "Dieses Gespräch ist beendet. Schreiben Sie, um ein neues zu beginnen.",
    hello: "Hallo! Wie können wir helfen?", helloAway: "Gerade ist niemand da. Schreiben Sie trotzdem: Ihre Nachricht wartet auf die erste freie Person.",
    sending: "Wird gesendet…", sent: "Gesendet", unsent: "Noch nicht gesendet", failed: "Nicht gesendet", retry: "Erneut versuchen", earlier: "Frühere Nachrichten",
    connecting: "Verbinden…", lost: "Keine Verbindung. Neuer Versuch…", typing: (who) => `${who} schreibt…`,
    today: "Heute", yesterday: "Gestern", said: (who, time) => `${who}, ${time}`, get: (name) => `${name} herunterladen`,
    tooLong: (n) => `${n} Zeichen zu viel`, tooLarge: (mb) => `Dateien dürfen bis ${mb} MB groß sein.`, gone: "Die Datei ließ sich nicht holen.",
    slow: "Das war viel auf einmal. Gleich geht es weiter.", noFile: "Diese Datei wurde nicht angenommen.",
    formTitle: "Nachricht hinterlassen", formText: "Wir antworten per E-Mail.", toForm: "Lieber Antwort per E-Mail?", toChat: "Doch im Chat schreiben",
    name: "Ihr Name", optional: "freiwillig", email: "Ihre E-Mail-Adresse", message: "Ihre Nachricht", badEmail: "Bitte eine E-Mail-Adresse angeben, an die wir antworten können.",
    empty: "Bitte eine Nachricht schreiben.", thanks: "Danke!", thanksText: (email) => `Ihre Nachricht ist da. Die Antwort geht an ${email}.`, another: "Noch eine Nachricht",
  },
  fr: {
    scores: ["Très bonne", "Bonne", "Moyenne", "Mauvaise", "Très mauvaise"], rate: "Votre réponse", scored: "Merci pour votre réponse.",
    open: "Ouvrir le chat", close: "Fermer le chat", unread: (n) => (n === 1 ? "1 nouveau message" : `${n} nouveaux messages`),
    log: "Conversation", write: "Écrire un message", send: "Envoyer", attach: "Envoyer un fichier", you: "Vous",
    online: "Nous sommes là.", away: "Personne n’est là pour l’instant.", waiting: "Quelqu’un va vous répondre.",
    withWho: (who) => `Vous parlez avec ${who}.`, closed: "Cette conversation est terminée. Écrivez pour en commencer une autre.",
    hello: "Bonjour ! Comment pouvons-nous vous aider ?", helloAway: "Personne n’est là pour l’instant. Écrivez quand même : votre message attend la première personne libre.",
    sending: "Envoi…", sent: "Envoyé", unsent: "Pas encore envoyé", failed: "Non envoyé", retry: "Réessayer", earlier: "Messages précédents",
    connecting: "Connexion…", lost: "Pas de connexion. Nouvel essai…", typing: (who) => `${who} écrit…`,
    today: "Aujourd’hui", yesterday: "Hier", said: (who, time) => `${who}, ${time}`, get: (name) => `Télécharger ${name}`,
    tooLong: (n) => `${n} caractères de trop`, tooLarge: (mb) => `Les fichiers peuvent faire jusqu’à ${mb} Mo.`, gone: "Le fichier n’a pas pu être récupéré.",
    slow: "Cela fait beaucoup d’un coup. Cela reprend dans un instant.", noFile: "Ce fichier n’a pas été accepté.",
    formTitle: "Laisser un message", formText: "Nous répondons par e-mail.", toForm: "Plutôt une réponse par e-mail ?", toChat: "Écrire dans le chat",
    name: "Votre nom", optional: "facultatif", email: "Votre adresse e-mail", message: "Votre message", badEmail: "Indiquez une adresse e-mail à laquelle répondre.",
    empty: "Écrivez un message.", thanks: "Merci !", thanksText: (email) => `Nous avons votre message. La réponse ira à ${email}.`, another: "Laisser un autre message",
  },
};

// The first language of the reader that we have words in; English where there is none.
function language(wanted) {
  for (const tag of wanted) {
    const short = String(tag).toLowerCase().split("-")[0];
    if (TEXTS[short]) return short;
  }
  return "en";
}
