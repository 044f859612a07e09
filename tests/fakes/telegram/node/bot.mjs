// A bot on grammY, which is not ours: what it takes for Telegram's Bot API is the fake. It answers until it is told
// `/stop`, and says on each line of its output, as JSON, what it saw.
import { Bot, GrammyError, InputFile, InputMediaBuilder } from "grammy";

const [apiRoot, token] = process.argv.slice(2);
const say = (what) => process.stdout.write(`${JSON.stringify(what)}\n`);
const bot = new Bot(token, { client: { apiRoot } });

const refused = async (attempt) => {
  try {
    await attempt();
    return null;
  } catch (error) {
    if (!(error instanceof GrammyError)) throw error;
    return [error.error_code, error.description, error.parameters];
  }
};

bot.command("stop", async (context) => {
  await context.reply("bye");
  setTimeout(() => bot.stop(), 0);
});
bot.command("start", (context) => say({ start: context.match, language: context.from.language_code }));
bot.on("message:photo", async (context) => {
  const file = await context.getFile();
  const answer = await fetch(`${apiRoot}/file/bot${token}/${file.file_path}`);
  say({ photo: (await answer.arrayBuffer()).byteLength, album: context.message.media_group_id ?? null });
});
bot.on("message:voice", (context) => say({ voice: context.message.voice.duration }));
bot.on("edited_message:text", (context) => say({ edited: context.editedMessage.text }));
bot.on("message:text", async (context) => {
  const { id } = context.chat;
  say({ text: context.message.text, entities: context.entities().map((one) => one.text) });
  await context.replyWithChatAction("typing");
  const sent = await context.reply("an answer", { reply_parameters: { message_id: context.message.message_id } });
  const edited = await bot.api.editMessageText(id, sent.message_id, "another answer");
  await context.replyWithDocument(new InputFile(Buffer.from("%PDF"), "bill.pdf"), { caption: "the bill" });
  const picture = () => InputMediaBuilder.photo(new InputFile(Buffer.from([0xff, 0xd8, 0xff, 0xe0]), "a.jpg"));
  const album = await context.replyWithMediaGroup([picture(), picture()]);
  say({
    answers: sent.reply_to_message.message_id === context.message.message_id,
    edited: edited.text,
    album: album.length,
    long: await refused(() => bot.api.sendMessage(id, "🙏".repeat(2049))),
    nobody: await refused(() => bot.api.sendMessage(1, "hello")),
    busy: await refused(() => bot.api.sendChatAction(id, "typing")),
  });
});

await bot.init();
say({ me: bot.botInfo.username, webhook: (await bot.api.getWebhookInfo()).url });
await bot.start();
