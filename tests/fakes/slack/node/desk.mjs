// A small help desk on Slack's own framework for Node, unchanged: the same one as in test_slack_fake_bolt.py.
// Where Slack is, and the tokens, come by environment variables. With PORT it listens for signed requests.
import bolt from "@slack/bolt";

const { API_URL, APP_TOKEN, BOT_TOKEN, PORT, SIGNING_SECRET } = process.env;
const way = PORT === undefined ? { socketMode: true, appToken: APP_TOKEN } : { signingSecret: SIGNING_SECRET };
const app = new bolt.App({ token: BOT_TOKEN, clientOptions: { slackApiUrl: API_URL }, ...way });

const plain = (text) => ({ type: "plain_text", text });
const mrkdwn = (text) => ({ type: "section", text: { type: "mrkdwn", text } });
const field = (name, element) => ({ type: "input", block_id: name, label: plain(name), element });

app.message(async ({ message, say }) => {
  if (message.subtype !== undefined || message.thread_ts !== undefined) return;
  const button = { type: "button", action_id: "accept", text: plain("Accept"), value: "7" };
  const blocks = [mrkdwn(`card for ${message.text}`), { type: "actions", elements: [button] }];
  await say({ text: "card", blocks, thread_ts: message.ts });
});

app.action("accept", async ({ ack, respond, action }) => {
  await ack();
  await respond({ text: `accepted ${action.value}`, replace_original: true });
});

app.command("/usherd", async ({ ack, command, client }) => {
  await ack({ text: `you said ${command.text}` });
  const menu = { type: "external_select", action_id: "agent", min_query_length: 1 };
  const why = { type: "plain_text_input", action_id: "text" };
  const view = {
    type: "modal",
    callback_id: "transfer",
    title: plain("Window"),
    submit: plain("Send"),
    blocks: [field("whom", menu), field("why", why)],
  };
  await client.views.open({ trigger_id: command.trigger_id, view });
});

app.options("agent", async ({ ack, options }) => {
  await ack({ options: [1, 2].map((number) => ({ text: plain(`Agent ${number}`), value: `${options.value}-${number}` })) });
});

app.view("transfer", async ({ ack, view, body, client }) => {
  const { why, whom } = view.state.values;
  if (why.text.value === "no") {
    await ack({ response_action: "errors", errors: { why: "Say more." } });
    return;
  }
  await ack();
  await client.chat.postMessage({ channel: body.user.id, text: `went to ${whom.agent.selected_option.value}` });
});

app.event("app_home_opened", async ({ event, client }) => {
  await client.views.publish({ user_id: event.user, view: { type: "home", blocks: [mrkdwn("Your desk")] } });
});

await app.start(PORT === undefined ? undefined : { port: Number(PORT), host: "127.0.0.1" });
console.log("ready");
