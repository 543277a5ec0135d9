// That each schema refuses what is wrong: a golden case is right, and with one thing changed it is not.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { destinations } from "./destinations.js";
import { payloads } from "./payloads.js";

/** The first request of a golden case. */
function golden(plugin, name) {
    const file = new URL(`../${plugin}/cases/${name}.json`, import.meta.url);
    const [{ method, path = [], headers = [], body }] = JSON.parse(readFileSync(file, "utf8")).expect.requests;
    return { method, path, headers: Object.fromEntries(headers), body: body.json };
}

const breaks = {
    slack: [
        (body) => (body.blocks[0].text.type = "plain"),
        (body) => delete body.blocks[0].text,
        (body) => (body.block = []),
        (body) => (body.blocks[0].type = "heading"),
    ],
    discord: [
        (body) => (body.embeds[0].color = "red"),
        (body) => (body.embeds[0].fields = [{ name: "Status" }]),
        (body) => (body.embed = {}),
        (body) => (body.allowed_mentions.parse = ["all"]),
    ],
    "github-issues": [
        (body) => delete body.title,
        (body) => (body.labels = "bug"),
        (body) => (body.body = 5),
        (body) => (body.assignees = [{ login: "ada" }]),
    ],
    trello: [(body) => delete body.idList, (body) => (body.pos = "middle"), (body) => (body.title = "x")],
    jira: [
        (body) => (body.fields.description.content[0].content[0].text = ""),
        (body) => (body.fields.description.content = [{ type: "text", text: "x" }]),
        (body) => delete body.fields.description.version,
        (body) => (body.fields.description = "text"),
    ],
    teams: [
        (body) => (body.attachments[0].content.body[0].size = "Huge"),
        (body) => body.attachments[0].content.body.push({ type: "Rectangle" }),
        (body) => body.attachments[0].content.actions.push({ type: "Action.OpenUrl", title: "x" }),
        // Version 1.5 has tables.
        (body) => body.attachments[0].content.body.push({ type: "Table", columns: [], rows: [] }),
    ],
    cloudevents: [
        (body) => delete body.source,
        (body) => (body.specversion = "0.3"),
        (body) => (body.source = "no address"),
        (body) => (body["Bad-Name"] = "x"),
    ],
};

for (const [name, check] of Object.entries(destinations)) {
    test(`${name} refuses what is wrong`, () => {
        const request = golden(name, "ticket-created");
        const mistakes = (body) => check({ ...request, body: JSON.stringify(body) });
        assert.deepEqual(mistakes(request.body), []);
        for (const change of breaks[name]) {
            const body = structuredClone(request.body);
            change(body);
            assert.notDeepEqual(mistakes(body), [], `${change}`);
        }
    });
}

test("what is sent to a card that is there is checked as well", () => {
    const { body } = golden("trello", "ticket-created");
    const edit = (body) => destinations.trello({ path: ["cards", "1"], body: JSON.stringify(body) });
    assert.deepEqual(edit({ name: body.name, idList: body.idList }), []);
    assert.notDeepEqual(edit({ name: 5 }), []);
});

test("there are events enough", () => {
    const events = payloads();
    const types = new Set(events.map(({ type }) => type));
    assert.ok(events.length >= 60 && types.size >= 20, `${events.length} of ${types.size} types`);
    assert.ok(new Set([...types].map((type) => type.split(".")[0])).size >= 3);
    for (const { type, payload } of events) {
        assert.match(type, /^[a-z0-9_-]+(\.[a-zA-Z0-9_-]+)*$/);
        assert.equal(typeof payload, "object");
    }
});
