// What outlives a reload: the visitor's pass, their name, and words that are not stored yet. One key for each unsent
// message, so that two tabs never overwrite one another. Where a browser keeps nothing, memory does until the reload.

class Keep {
  constructor(scope) {
    this.scope = `usherd-chat:${scope}:`;
    this.memory = new Map();
  }

  get(name) {
    try {
      return localStorage.getItem(this.scope + name);
    } catch {
      return this.memory.get(name) ?? null;
    }
  }

  set(name, value) {
    try {
      if (value === null) localStorage.removeItem(this.scope + name);
      else localStorage.setItem(this.scope + name, value);
    } catch {
      this.memory.set(name, value);
    }
  }

  // Messages that were written and not stored, oldest first; what is no message of ours is left out.
  unsent() {
    const found = [];
    try {
      for (const key of Object.keys(localStorage)) {
        if (!key.startsWith(`${this.scope}out:`)) continue;
        const one = JSON.parse(localStorage.getItem(key));
        if (one && one.client && typeof one.text === "string") found.push(one);
      }
    } catch {
      // nothing is kept here
    }
    return found.sort((a, b) => a.at - b.at);
  }

  hold(one) {
    this.set(`out:${one.client}`, JSON.stringify(one));
  }

  release(client) {
    this.set(`out:${client}`, null);
  }
}

function newId() {
  const bytes = crypto.getRandomValues(new Uint8Array(15));
  return btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_");
}
