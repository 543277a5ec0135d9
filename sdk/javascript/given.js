// What a plugin is given: the contract's values as plain objects.
import { Failure } from "./index.js";

const pairs = (fields) => fields.map(({ name, value }) => [name, value]);
const byName = (fields) => Object.fromEntries(pairs(fields));
// Text, bytes, or nothing that this version knows.
const payload = (given) => (given === null || given.tag === "other" ? null : given.val);

export function event(given) {
    return {
        id: given.id,
        kind: given.kind,
        occurredAt: given.occurredAt,
        receivedAt: given.receivedAt,
        project: given.project,
        subject: given.subject,
        contentType: given.contentType,
        payload: payload(given.payload),
        attributes: byName(given.attributes),
        trigger: given.trigger,
        deliveryId: given.deliveryId,
        json() {
            if (this.payload === null) throw new Failure("payload.missing", "The event has no payload.");
            if (typeof this.payload !== "string") throw new Failure("payload.invalid", "The payload is not text.");
            return parse(this.payload, "payload.invalid", "The payload");
        },
    };
}

export function webhook(subscription) {
    return { id: subscription.webhookId, name: subscription.name };
}

export function config(subscription) {
    return parse(subscription.configuration || "{}", "config.invalid", "The configuration");
}

export function exchange(given) {
    return {
        webhook: webhook(given.subscription),
        eventId: given.eventId,
        kind: given.kind,
        subject: given.subject,
        deliveryId: given.deliveryId,
        request: request(given.request),
        attempt: given.attempt,
        response: response(given.response),
    };
}

function request(given) {
    const { label, method, path, query, headers, correlation } = given;
    return { label, method, path, query: pairs(query), headers: pairs(headers), body: body(given.body), correlation };
}

function body({ tag, val }) {
    switch (tag) {
        case "json":
            return { json: JSON.parse(val) };
        case "text":
            return { text: val };
        case "form":
            return { form: pairs(val) };
        case "bytes":
            return { bytes: val.data, contentType: val.contentType };
        default:
            return null;
    }
}

function response(given) {
    return {
        status: given.status,
        headers: byName(given.headers),
        body: payload(given.body) ?? "",
        truncated: given.truncated,
        elapsedMs: given.elapsedMs,
        json() {
            try {
                return JSON.parse(this.body);
            } catch {
                return null;
            }
        },
    };
}

function parse(text, code, what) {
    try {
        return JSON.parse(text);
    } catch (error) {
        throw new Failure(code, `${what} is not JSON: ${error.message}`);
    }
}
