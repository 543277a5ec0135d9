// What each destination publishes of the requests that it takes: a function of a request `{method, path, headers, body}`
// that tells the mistakes, in words. A destination that publishes nothing is not here.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import Ajv from "ajv";
import AjvDraft04 from "ajv-draft-04";
import addFormats from "ajv-formats";
import { HTTP } from "cloudevents";

const require = createRequire(import.meta.url);

export const destinations = {
    slack: typed("SlackMessage"),
    discord: typed("DiscordMessage"),
    "github-issues": typed("GitHubIssue"),
    trello,
    jira,
    teams,
    cloudevents,
};

/** A JSON body of a type that the destination publishes for TypeScript. */
function typed(name) {
    const check = once(() => {
        const types = new URL("../target/schemas/types.json", import.meta.url);
        const ajv = new Ajv({ strict: false, allErrors: true });
        addFormats(ajv);
        return ajv.compile({ ...JSON.parse(readFileSync(types, "utf8")), $ref: `#/definitions/${name}` });
    });
    return ({ body }) => mistakes(check(), JSON.parse(body));
}

const newCard = typed("TrelloCard");
const editedCard = typed("TrelloEdit");

/** Of comments the package describes only the answer. */
function trello(request) {
    const [, id, part] = request.path;
    if (part !== undefined) return [];
    return id === undefined ? newCard(request) : editedCard(request);
}

const document = once(() => {
    const ajv = new AjvDraft04({ strict: false });
    return ajv.compile(require("@atlaskit/adf-schema/json-schema/v1/full.json"));
});

/** The description of an issue, or a comment. On a server they are plain text. */
function jira({ path, body }) {
    const { fields, body: comment } = JSON.parse(body);
    const documents = [fields?.description, comment].filter((text) => text !== undefined);
    return documents.flatMap((text) => {
        if (path[2] === "3") return mistakes(document(), text);
        return typeof text === "string" ? [] : ["plain text is wanted"];
    });
}

const adaptiveCards = once(() => {
    // It is made for browsers; reading a card needs nothing else of one.
    globalThis.self ??= globalThis;
    return require("adaptivecards/dist/adaptivecards.js");
});

/** Reads the card as the library does that shows cards, of the version that the card says it is. */
function teams({ body }) {
    const { AdaptiveCard, SerializationContext, ValidationEvent, Version } = adaptiveCards();
    return JSON.parse(body).attachments.flatMap(({ content }) => {
        const context = new SerializationContext(Version.parse(content.version, new SerializationContext()));
        const card = new AdaptiveCard();
        card.parse(content, context);
        const read = Array.from({ length: context.eventCount }, (_, index) => context.getEventAt(index));
        const events = [...read, ...card.validateProperties().validationEvents];
        return events.map(({ event, message }) => `${ValidationEvent[event]}: ${message}`);
    });
}

/** Reads the event as receivers do that use the library of the CloudEvents project. */
function cloudevents({ headers, body }) {
    try {
        const names = Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]);
        const event = HTTP.toEvent({ headers: { "content-type": "application/json", ...Object.fromEntries(names) }, body });
        return event.validate() ? [] : ["no valid event"];
    } catch (error) {
        return [`${error.message} ${JSON.stringify(error.errors ?? "")}`];
    }
}

function mistakes(check, value) {
    if (check(value)) return [];
    return check.errors.slice(0, 20).map(({ instancePath, message, params }) => {
        return `${instancePath} ${message} ${JSON.stringify(params)}`;
    });
}

function once(make) {
    let made;
    return () => (made ??= make());
}
