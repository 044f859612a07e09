// The line to the server. Each frame is a whole view, so after a dropped connection nothing needs to be caught up.

const SIGNED_OUT = 4401;
const TYPING_MS = 2500;
const SILENCE_MS = 50000; // the server gives a sign of life every 20 s

export class Live {
  constructor(handlers) {
    this.handlers = handlers;
    this.open = { contact: null, waiting: false };
    this.tries = 0;
    this.ended = false;
    window.addEventListener("online", () => this.now());
    document.addEventListener("visibilitychange", () => { if (!document.hidden) this.now(); });
  }

  start() {
    this.ended = false;
    clearTimeout(this.timer);
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const socket = new WebSocket(`${scheme}://${location.host}/desk/live`);
    socket.binaryType = "arraybuffer";
    this.socket = socket;
    const words = new TextDecoder();
    socket.onopen = () => {
      this.send();
      this.heard();
    };
    socket.onmessage = (event) => {
      this.heard();
      this.handlers.state(true);
      this.tries = 0;
      const text = typeof event.data === "string" ? event.data : words.decode(event.data);
      this.handlers.frame(JSON.parse(text));
    };
    socket.onclose = (event) => {
      if (socket !== this.socket) return;
      clearTimeout(this.silence);
      if (event.code === SIGNED_OUT) this.handlers.signedOut();
      else if (!this.ended) this.again();
    };
  }

  // A dead line is not always told to us: silence ends it.
  heard() {
    clearTimeout(this.silence);
    this.silence = setTimeout(() => this.drop(), SILENCE_MS);
  }

  drop() {
    const socket = this.socket;
    this.socket = null;
    if (socket) { socket.onmessage = null; socket.onclose = null; socket.close(); }
    this.again();
  }

  again() {
    this.socket = null;
    this.handlers.state(false);
    const wait = Math.min(400 * 2 ** this.tries, 10000) * (0.6 + Math.random() * 0.8);
    this.tries += 1;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.start(), wait);
  }

  now() {
    if (!this.ended && !this.socket) this.start();
  }

  end() {
    this.ended = true;
    clearTimeout(this.timer);
    clearTimeout(this.silence);
    this.socket?.close();
    this.socket = null;
  }

  show(open) {
    this.open = open;
    this.send();
  }

  // Somebody writes in the open contact; told now and then, never kept. `reply`: the customer may know.
  typing(reply) {
    const time = Date.now();
    if (time - (this.typed || 0) < TYPING_MS || this.socket?.readyState !== WebSocket.OPEN) return;
    this.typed = time;
    this.socket.send(JSON.stringify({ ...this.open, typing: true, reply }));
  }

  send() {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(this.open));
  }
}
