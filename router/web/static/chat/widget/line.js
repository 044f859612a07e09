// The connection: opened when needed, held by signs of life, and opened again, with growing pauses, when it is lost.

const FIRST_PAUSE = 500, LONGEST_PAUSE = 20000, TOO_MANY_PAUSE = 30000, SILENCE = 50000;
const BAD_PASS = 4401, TOO_MANY = 4429;

class Line {
  // `hello()` gives the first frame; `heard(frame)` gets each one; `changed(up)` hears of ups and downs.
  constructor(url, hello, heard, changed, badPass) {
    Object.assign(this, { url, hello, heard, changed, badPass });
    this.socket = null;
    this.up = false;
    this.wanted = false;
    this.tries = 0;
    this.timer = 0;
    this.lastHeard = 0;
    addEventListener("online", () => this.now());
    document.addEventListener("visibilitychange", () => document.hidden || this.now());
    setInterval(() => this.socket && Date.now() - this.lastHeard > SILENCE && this.drop(), 5000);
  }

  start() {
    this.wanted = true;
    if (!this.socket && !this.timer) this.open();
  }

  // Somebody waits for it: no more pause.
  now() {
    if (!this.wanted || this.socket) return;
    this.open();
  }

  open() {
    clearTimeout(this.timer);
    this.timer = 0;
    this.lastHeard = Date.now();
    const socket = (this.socket = new WebSocket(this.url));
    socket.onopen = () => socket.send(JSON.stringify({ type: "hello", ...this.hello() }));
    socket.onmessage = (event) => {
      if (socket !== this.socket) return;
      this.lastHeard = Date.now();
      const frame = JSON.parse(event.data);
      if (frame.type === "tick") return this.say({ type: "pong" });
      if (frame.type === "welcome") {
        this.up = true;
        this.tries = 0;
      }
      this.heard(frame);
      if (frame.type === "welcome") this.changed(true);
    };
    socket.onclose = (event) => socket === this.socket && this.lost(event.code);
  }

  say(frame) {
    if (!this.up && frame.type !== "pong") return false;
    try {
      this.socket.send(JSON.stringify(frame));
      return true;
    } catch {
      return false;
    }
  }

  // A connection that says nothing is none, whatever the browser thinks of it.
  drop() {
    const socket = this.socket;
    if (!socket) return;
    socket.onclose = socket.onmessage = null;
    socket.close();
    this.lost(0);
  }

  lost(code) {
    this.socket = null;
    this.up = false;
    if (code === BAD_PASS) this.badPass();
    const longest = Math.min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** this.tries++);
    const pause = code === TOO_MANY ? TOO_MANY_PAUSE : longest * (0.5 + Math.random() / 2);
    this.timer = setTimeout(() => this.open(), pause);
    this.changed(false);
  }
}
