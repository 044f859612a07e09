// How it looks. A site changes it by setting --usherd-… on any element around the widget.

const CSS = `
:host { all: initial; color-scheme: light dark;
  --accent: var(--usherd-accent, light-dark(#0b6e69, #5cc8bd)); --accent-ink: var(--usherd-accent-ink, light-dark(#fff, #0c1f1e));
  --paper: var(--usherd-paper, light-dark(#fff, #1a1d21)); --ink: var(--usherd-ink, light-dark(#1b1e22, #e9ebee));
  --soft: var(--usherd-soft, light-dark(#f1f1ee, #282c32)); --muted: light-dark(#5d636b, #a3abb5); --edge: light-dark(#e4e3de, #333941);
  --bad: light-dark(#b3261e, #f2938c); --good: light-dark(#1f9d57, #6bcf93); --r: var(--usherd-radius, 18px);
  font: 15px/1.45 var(--usherd-font, system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", Arial, sans-serif); }
:host([data-theme=light]) { color-scheme: light; } :host([data-theme=dark]) { color-scheme: dark; }
*, *::before, *::after { box-sizing: border-box; }
[hidden] { display: none !important; }
button, input, textarea { font: inherit; color: inherit; margin: 0; }
button { cursor: pointer; background: none; border: 0; padding: 0; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
svg { width: 22px; height: 22px; fill: none; stroke: currentColor; stroke-width: 1.7; stroke-linecap: round; stroke-linejoin: round; display: block; }
.unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
.all { position: fixed; z-index: var(--usherd-z, 2147483000); right: var(--usherd-right, 20px); bottom: var(--usherd-bottom, 20px); color: var(--ink); text-align: start; }
.launch { position: relative; display: grid; place-items: center; width: 58px; height: 58px; border-radius: 50%; background: var(--accent); color: var(--accent-ink);
  box-shadow: 0 6px 20px rgb(0 0 0 / .22); transition: transform .16s; margin-inline-start: auto; }
.launch:hover { transform: scale(1.05); }
.launch svg { width: 27px; height: 27px; }
.count { position: absolute; top: -3px; right: -3px; min-width: 22px; height: 22px; padding: 0 6px; border-radius: 11px; background: #c62f26; color: #fff; font-size: 12.5px; font-weight: 650; line-height: 22px; }
.panel { position: absolute; right: 0; bottom: 74px; display: flex; flex-direction: column; width: 376px; height: min(620px, calc(100dvh - 120px)); overflow: hidden;
  background: var(--paper); border: 1px solid var(--edge); border-radius: var(--r); box-shadow: 0 18px 60px rgb(0 0 0 / .24); animation: up .18s ease-out; }
@keyframes up { from { opacity: 0; transform: translateY(10px); } }
header { display: flex; align-items: center; gap: 12px; padding: 14px 10px 13px 18px; border-bottom: 1px solid var(--edge); }
header div { flex: 1; min-width: 0; }
h2 { margin: 0; font-size: 16.5px; font-weight: 650; letter-spacing: -.01em; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.how { margin: 1px 0 0; color: var(--muted); font-size: 13px; }
.how::before { content: ""; display: inline-block; width: 8px; height: 8px; margin-inline-end: 7px; border-radius: 50%; background: var(--muted); }
.how.here::before { background: var(--good); }
.how.lost::before { background: var(--bad); }
.icon { display: grid; place-items: center; width: 44px; height: 44px; flex: none; border-radius: 12px; color: var(--muted); }
.icon:hover { background: var(--soft); color: var(--ink); }
.body { flex: 1; overflow-y: auto; overscroll-behavior: contain; padding: 16px 14px 6px; scrollbar-width: thin; display: flex; flex-direction: column; }
.log { margin-top: auto; display: flex; flex-direction: column; gap: 3px; }
.item { display: flex; flex-direction: column; align-items: flex-start; }
.mine { align-items: flex-end; }
.day { align-self: center; align-items: center; margin: 12px 0 8px; color: var(--muted); font-size: 12.5px; }
.who { margin: 10px 0 3px 4px; color: var(--muted); font-size: 12.5px; }
.mine.first { margin-top: 8px; }
.bubble { max-width: 84%; padding: 9px 13px; border-radius: 16px; background: var(--soft); white-space: pre-wrap; overflow-wrap: anywhere; unicode-bidi: plaintext; }
.first .bubble, .theirs .bubble { border-start-start-radius: 16px; }
.theirs .bubble { border-end-start-radius: 5px; }
.mine .bubble { background: var(--accent); color: var(--accent-ink); border-end-end-radius: 5px; }
.way .bubble { opacity: .86; }
.failed .bubble { background: transparent; color: var(--ink); box-shadow: inset 0 0 0 1.5px var(--bad); }
.file { display: flex; align-items: center; gap: 9px; text-align: start; }
.file svg { flex: none; width: 20px; height: 20px; }
.file small { font-size: 12.5px; white-space: nowrap; }
button.bubble:hover { text-decoration: underline; text-underline-offset: 3px; }
.mark { margin: 3px 4px 0; color: var(--muted); font-size: 12.5px; }
.failed .mark { color: var(--bad); }
.link { color: var(--accent); text-decoration: underline; text-underline-offset: 3px; padding: 6px 4px; font-size: 13.5px; }
.mark .link { padding: 0; margin-inline-start: 6px; font-size: inherit; }
.more { align-self: center; }
.dots { display: flex; gap: 4px; margin: 6px 0 4px; padding: 13px 14px; width: max-content; border-radius: 16px; background: var(--soft); }
.dots i { width: 7px; height: 7px; border-radius: 50%; background: var(--muted); animation: dot 1.2s infinite; }
.dots i:nth-child(2) { animation-delay: .15s; } .dots i:nth-child(3) { animation-delay: .3s; }
@keyframes dot { 30% { transform: translateY(-4px); } 60% { transform: none; } }
.hint { color: var(--muted); font-size: 13px; padding: 4px 18px 0; } .hint.bad { color: var(--bad); }
.say { display: flex; align-items: flex-end; gap: 2px; margin: 8px 12px 12px; border: 1px solid var(--edge); border-radius: 16px; background: var(--paper); }
.say:focus-within { border-color: var(--accent); box-shadow: 0 0 0 1px var(--accent); }
textarea { flex: 1; min-width: 0; resize: none; border: 0; outline: 0; background: none; padding: 11px 0 11px 2px; line-height: 1.45; max-height: 132px; }
.say textarea { height: 44px; outline: 0; }
::placeholder { color: var(--muted); opacity: 1; }
.go { color: var(--accent); } .go:disabled { color: var(--muted); opacity: .5; cursor: default; background: none; }
.foot { text-align: center; padding-bottom: 6px; margin-top: -8px; }
form.leave { flex: 1; overflow-y: auto; display: flex; flex-direction: column; gap: 4px; padding: 18px; }
h3 { margin: 0; font-size: 18px; letter-spacing: -.01em; } p { margin: 0; text-wrap: pretty; } .leave p { color: var(--muted); margin-bottom: 8px; } .leave .wrong { color: var(--bad); margin: 6px 0 0; }
label { font-size: 13.5px; font-weight: 550; margin-top: 8px; } label small { color: var(--muted); font-weight: 400; }
.leave input, .leave textarea { width: 100%; min-height: 44px; padding: 10px 12px; border: 1px solid var(--edge); border-radius: 11px; background: var(--paper); outline-offset: 0; }
.leave textarea { min-height: 120px; flex: 1 0 auto; max-height: none; }
.leave input:focus, .leave textarea:focus { outline: 2px solid var(--accent); }
.primary { flex: none; min-height: 46px; margin-top: 14px; border-radius: 13px; background: var(--accent); color: var(--accent-ink); font-weight: 600; }
.primary:disabled { opacity: .6; }
.done { margin: auto; display: grid; justify-items: center; gap: 8px; text-align: center; padding: 24px; outline: 0; }
.done svg { width: 46px; height: 46px; color: var(--good); } .done p { color: var(--muted); overflow-wrap: anywhere; }
@media (max-width: 480px) {
  .panel { position: fixed; inset: 0; width: auto; height: 100dvh; border: 0; border-radius: 0; }
  .opened .launch { display: none; }
  textarea, input { font-size: 16px; }
}
@media (prefers-reduced-motion: reduce) { * { animation: none !important; transition: none !important; } }
`;
