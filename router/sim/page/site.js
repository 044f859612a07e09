// Whoever opens this page wants to see the chat.
usherdChat.open();
