// Asks whose desk to show, and shows it: a supervisor's until somebody writes, then that of the agent who is offered it.

const seat = document.getElementById("seat"), who = document.getElementById("who"), said = document.getElementById("said");
const ASK_AGAIN = 500; // ms
const STATES = {
  waiting: (one) => ["Your chat waits for an agent who is able and free."],
  offered: (one) => ["Your chat is offered to ", bold(one.name), why(one), ". Accept it on the right."],
  assigned: (one) => [bold(one.name), " has your chat", why(one), ". Answer it on the right: nobody else will."],
  waiting_customer: (one) => [bold(one.name), " has answered. The answer stands in the chat, and its delivery on the desk."],
  snoozed: (one) => [bold(one.name), " has put your chat off."],
  resolved: (one) => [bold(one.name), " has resolved your chat. What you write now opens a new one."],
};
let shown = "", now = "";

function bold(text) {
  const element = document.createElement("b");
  element.textContent = text;
  return element;
}

function why(one) {
  return [one.about && ` (${one.about}`, one.because && `${one.about ? "; " : " ("}${one.because}`, (one.about || one.because) && ")"].filter(Boolean).join("");
}

function show(one) {
  if (one.link) {
    const frame = document.createElement("iframe");
    frame.title = `The desk of ${one.name}`;
    frame.src = `/demo/desk#${one.link}`;
    seat.replaceChildren(frame);
    const section = seat.parentElement;
    section.classList.remove("new");
    void section.offsetWidth; // begins the animation again
    section.classList.add("new");
  }
  shown = one.agent;
  const words = JSON.stringify([one.agent, one.contact, one.state]);
  if (words === now) return;
  now = words;
  who.textContent = one.contact ? `The desk of ${one.name}` : `The desk of ${one.name}, supervisor`;
  if (one.contact && STATES[one.state]) said.replaceChildren(...STATES[one.state](one));
}

async function ask() {
  try {
    const answer = await fetch("/demo/seat", {
      method: "POST",
      headers: { "X-Usherd-Desk": "1", "Content-Type": "application/json" },
      body: JSON.stringify({ agent: shown }),
    });
    if (answer.ok) show(await answer.json());
  } catch {
    // the demo has ended, or starts again
  }
  setTimeout(ask, ASK_AGAIN);
}

ask();
