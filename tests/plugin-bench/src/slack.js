// What the Slack plugin makes of a ticket, as somebody would write it by hand: the same texts, limits and escapes.
"use strict";
const MAX_LINE = 250, MAX_PARAGRAPH = 1500, MAX_HEADER = 150, MAX_URL = 1000;
const oneLine = (text) => text.replace(/[\s\u0000-\u001f\u007f]+/g, " ").trim();
const ESCAPES = { "&": "&amp;", "<": "&lt;", ">": "&gt;" };
const truncate = (text, max) => (text.length <= max ? text : text.slice(0, max - 1).trimEnd() + "…");
function escapeWithin(text, max) {
  const whole = text.replace(/[&<>]/g, (letter) => ESCAPES[letter]);
  if (whole.length <= max) return whole;
  let out = "";
  for (const letter of text) {
    const piece = ESCAPES[letter] ?? letter;
    if (out.length + piece.length >= max) break;
    out += piece;
  }
  return out.trimEnd() + "…";
}
const line = (text) => escapeWithin(oneLine(text), MAX_LINE);
const paragraph = (text) => escapeWithin(text.trim(), MAX_PARAGRAPH);
const webLink = (url) => (/^https?:\/\/[^\s<>|"]+$/.test(url ?? "") ? url : undefined);
function link(url, label) {
  const safe = webLink(url) && escapeWithin(url, Infinity);
  return safe && safe.length <= MAX_URL ? `<${safe}|${line(label)}>` : undefined;
}
const section = (text) => ({ type: "section", text: { type: "mrkdwn", text } });
function message(title, config) {
  const text = `${config.title_prefix ?? ""}${title}`;
  const header = truncate(oneLine(text), MAX_HEADER);
  return { text: line(text), blocks: [{ type: "header", text: { type: "plain_text", text: header } }] };
}
function fields(pairs) {
  const shown = pairs
    .map(([name, value]) => [name, line(value ?? "")])
    .filter(([, value]) => value !== "")
    .map(([name, value]) => ({ type: "mrkdwn", text: `*${line(name)}*\n${value}` }));
  return shown.length > 0 ? { type: "section", fields: shown.slice(0, 10) } : undefined;
}
function ticket(it, made) {
  const { ticket } = it;
  const parts = [
    fields([
      ["Status", ticket.status],
      ["Priority", ticket.priority],
      ["Assignee", ticket.assignee],
      ["Labels", (ticket.labels ?? []).join(", ")],
      ["By", it.actor],
    ]),
    ticket.description ? section(paragraph(ticket.description)) : undefined,
    link(ticket.url, "Open the ticket"),
  ];
  for (const part of parts) if (part) made.blocks.push(typeof part === "string" ? section(part) : part);
  return made;
}
const name = (it) => (it.ticket.key ? `${it.ticket.key} ${it.ticket.title}` : it.ticket.title);
const TITLES = { "ticket.created": "New ticket", "ticket.updated": "Ticket updated" };
function transform(kind, payload, configuration) {
  const it = JSON.parse(payload), config = JSON.parse(configuration);
  const title = TITLES[kind];
  if (!title) throw new Error(`${kind} is not understood`);
  return JSON.stringify(ticket(it, message(`${title}: ${name(it)}`, config)));
}
