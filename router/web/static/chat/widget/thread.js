// The conversation as this tab knows it: what the server has, in its order, then what is still on its way.

const ANSWER_WAIT = 20000;
const SLOW_STORE = 5;

class Thread {
  // `line` carries words; `upload(one)` carries files; `changed()` is called after each change.
  constructor(keep, upload, changed) {
    this.keep = keep;
    this.upload = upload;
    this.changed = changed;
    this.line = null;
    this.items = [];
    this.cursor = "";
    this.more = false;
    this.waiting = keep.unsent().map((one) => ({ ...one, state: "sending" }));
    this.busy = null;
    this.timer = 0;
  }

  // -- what the server says --------------------------------------------------------------------------------------

  heard(frame) {
    if (frame.type === "welcome" && !frame.resumed) {
      this.items = [];
      this.cursor = "";
    } else if (frame.type === "items") {
      this.add(frame.items);
      if (frame.cursor) this.cursor = frame.cursor;
      if (frame.more) this.more = true;
    } else if (frame.type === "earlier") {
      this.add(frame.items);
      this.more = frame.more;
    } else if (frame.type === "stored") {
      this.stored(frame.client, frame.id);
    } else if (frame.type === "rated") {
      this.items = this.items.map((one) => (one.id === frame.item ? { ...one, score: frame.score } : one));
    } else if (frame.type === "refused") {
      this.refused(frame.client, frame.code, frame.retry);
    }
    this.changed();
  }

  add(items) {
    const known = new Map(this.items.map((one) => [one.id, one]));
    for (const one of items) {
      known.set(one.id, { ...one, said: one.mine ? undefined : true });
      if (one.client) this.forget(one.client);
    }
    this.items = [...known.values()].sort(byOrder);
  }

  // It is on disk: shown as sent, in its place, although the conversation has not come back with it yet.
  stored(client, id) {
    const one = this.waiting.find((each) => each.client === client);
    this.settled(client);
    if (!one) return;
    this.forget(client);
    if (!one.email && !one.file) this.keep.set("proof", null); // it counts once
    if (one.email) {
      one.done?.(null);
    } else if (!this.items.some((each) => each.id === id)) {
      const files = one.file ? [{ part: 0, name: one.file.name, size: one.file.size }] : [];
      this.items.push({ id, at: Number(id.split("-")[0]), mine: true, text: one.text, client, files });
      this.items.sort(byOrder);
    }
  }

  refused(client, code, retry) {
    const one = this.waiting.find((each) => each.client === client);
    if (one && retry) {
      one.code = code;
      this.later(retry);
      return;
    }
    if (one) {
      Object.assign(one, { state: "failed", code });
      if (one.email) {
        this.forget(client);
        one.done?.(code);
      }
    }
    this.settled(client);
  }

  forget(client) {
    this.waiting = this.waiting.filter((one) => one.client !== client);
    this.keep.release(client);
  }

  // -- what the visitor says -------------------------------------------------------------------------------------

  put(one) {
    const full = { client: newId(), at: Date.now(), text: "", state: "sending", ...one };
    this.waiting.push(full);
    if (!full.file) {
      const { client, at, text, email, name } = full;
      this.keep.hold({ client, at, text, email, name });
    }
    this.changed();
    this.pump();
  }

  again(client) {
    const one = this.waiting.find((each) => each.client === client);
    if (one) one.state = "sending";
    this.line.now();
    this.changed();
    this.pump();
  }

  // One at a time, in order: the next goes when the one before it is stored.
  pump() {
    const one = this.waiting.find((each) => each.state === "sending");
    if (this.busy || !one || !this.line.up) return;
    this.busy = one.client;
    clearTimeout(this.timer);
    if (one.file) {
      this.upload(one);
      return;
    }
    const { client, text, name, email } = one;
    const proof = this.keep.get("proof") || "";
    this.line.say(email ? { type: "leave", client, text, name, email } : { type: "say", client, text, name, proof });
    this.timer = setTimeout(() => this.line.drop(), ANSWER_WAIT);
  }

  settled(client) {
    if (this.busy !== client) return;
    clearTimeout(this.timer);
    this.busy = null;
    setTimeout(() => this.pump());
  }

  later(seconds) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      this.busy = null;
      this.pump();
    }, (seconds || SLOW_STORE) * 1000);
  }

  // Down: what was under way is begun again, under its old id, once the line is back.
  lineChanged(up) {
    if (!up && !this.waiting.find((one) => one.client === this.busy)?.file) {
      clearTimeout(this.timer);
      this.busy = null;
    }
    this.changed();
    this.pump();
  }
}

function byOrder(a, b) {
  const [x, y] = [a.id.split("-"), b.id.split("-")];
  return x[0] - y[0] || x[1] - y[1];
}
