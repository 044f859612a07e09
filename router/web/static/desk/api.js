// Asks the server. An action carries a key that stays the same when it is sent again, so it is never done twice.

export class Refused extends Error {
  constructor(status, code, message) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

const HEADERS = { "X-Usherd-Desk": "1" };

async function ask(method, path, body) {
  const response = await fetch(path, {
    method,
    credentials: "same-origin",
    headers: body === undefined ? HEADERS : { ...HEADERS, "Content-Type": "application/json" },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) {
    const error = answer.error || {};
    throw new Refused(response.status, error.code || "failed", error.message || "");
  }
  return answer;
}

export const get = (path) => ask("GET", `/desk/api/${path}`);
export const whoAmI = () => ask("GET", "/desk/session");
export const signIn = (link) => ask("POST", "/desk/session", { link });
export const find = (words) => ask("POST", "/desk/api/search", { words });
export const signOut = () => ask("DELETE", "/desk/session");

export const newKey = () =>
  Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");

const pause = (ms) => new Promise((done) => setTimeout(done, ms));

// A rehearsal takes its time: it is asked after until it is done, or nobody wants it any more.
export async function whatif(span, wanted) {
  let found = await ask("POST", "/desk/api/whatif", { span });
  while (!found.done && wanted()) {
    try {
      found = await get(`whatif/${encodeURIComponent(found.run)}`);
    } catch (error) {
      if (error instanceof Refused && error.status !== 503) throw error;
      await pause(1000); // the line was cut for a moment
    }
  }
  return found.lines;
}

// Tries until there is an answer. `waiting` is called once when the first try found no server.
export async function act(action, fields, waiting, key = newKey()) {
  const body = { action, fields, key };
  for (let tries = 0; ; tries += 1) {
    try {
      return await ask("POST", "/desk/api/act", body);
    } catch (error) {
      const again = !(error instanceof Refused) || error.status === 503 || error.status === 429;
      if (!again) throw error;
      if (tries === 0 && waiting) waiting();
      await pause(Math.min(500 * 2 ** tries, 8000) * (0.75 + Math.random() / 2));
    }
  }
}

// Where a file for a reply to a contact is stored, and one for a letter that opens a contact.
export const ofContact = (contact) => ({ path: `/desk/api/contacts/${encodeURIComponent(contact)}/files`, headers: {} });
export const ofLetter = (to) => ({ path: "/desk/api/letters/files", headers: { "X-Letter-To": encodeURIComponent(to) } });

// Stores a file; its id. `progress` is told the share that is sent, up to 1.
export function upload({ path, headers }, file, progress) {
  return new Promise((done, fail) => {
    const request = new XMLHttpRequest();
    request.open("POST", path);
    request.responseType = "json";
    const named = { ...HEADERS, ...headers, "Content-Type": file.type || "application/octet-stream", "X-File-Name": encodeURIComponent(file.name) };
    for (const [name, value] of Object.entries(named)) request.setRequestHeader(name, value);
    request.upload.onprogress = (event) => { if (event.lengthComputable) progress(event.loaded / event.total); };
    request.onload = () => {
      const error = request.response?.error || {};
      if (request.status === 202) done(request.response);
      else fail(new Refused(request.status, error.code || "failed", error.message || ""));
    };
    request.onerror = request.onabort = () => fail(new Error());
    request.send(file);
  });
}

// Sent by a page that goes; nobody hears the answer. Whoever asks again with the same key does.
export function sendOnLeaving(action, fields, key) {
  try {
    fetch("/desk/api/act", { method: "POST", keepalive: true, credentials: "same-origin",
      headers: { ...HEADERS, "Content-Type": "application/json" }, body: JSON.stringify({ action, fields, key }) }).catch(() => {});
  } catch { /* too long to be sent so: it is sent when the page comes back */ }
}
