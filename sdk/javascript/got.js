// What a plugin gives back: plain objects as the contract's values. A mistake is told with its place.

const kindOf = (value) => (value === null ? "null" : Array.isArray(value) ? "a list" : typeof value);

function wrong(at, wanted, value) {
    return new TypeError(`${at} is ${kindOf(value)}, not ${wanted}`);
}

function text(value, at) {
    if (typeof value !== "string") throw wrong(at, "a string", value);
    return value;
}

const maybe = (read) => (value, at) => (value === undefined || value === null ? null : read(value, at));

function whole(value, at) {
    if (!Number.isSafeInteger(value) || value < 0) throw wrong(at, "a whole number", value);
    return value;
}

function list(value, at) {
    if (!Array.isArray(value)) throw wrong(at, "a list", value);
    return value;
}

/** An object that has no other names than these, so that a mistyped one is noticed. */
function object(value, at, names) {
    if (typeof value !== "object" || value === null || Array.isArray(value)) throw wrong(at, "an object", value);
    const unknown = Object.keys(value).find((name) => !names.includes(name));
    if (unknown !== undefined) throw new TypeError(`${at} has ${JSON.stringify(unknown)}, but may only have ${names.join(", ")}`);
    return value;
}

function fields(value, at) {
    const pairs = Array.isArray(value) ? value : Object.entries(object(value, at, Object.keys(value ?? {})));
    return pairs.map((pair, index) => {
        const [name, content] = list(pair, `${at}[${index}]`);
        return { name: text(name, `${at}[${index}]`), value: text(content, `${at}.${name}`) };
    });
}

const OUTCOME = ["requests", "skip"];
const REQUEST = ["label", "method", "path", "query", "headers", "body", "credentials", "correlation"];
const BODY = ["json", "text", "form", "bytes", "contentType"];
const CREDENTIAL = ["in", "name", "secret", "value"];
const PLACES = ["bearer", "basic", "header", "query", "json_body", "form_body"];
const VERDICT = ["decision", "message", "waitMs", "link", "facts", "items"];
const DECISIONS = ["by_status", "delivered", "retry", "rejected", "uncertain", "disable"];
const ITEM = ["label", "decision", "message", "link"];

/** The cases of the contract are spelled with hyphens. */
const tag = (name) => ({ tag: name.replaceAll("_", "-") });

export function outcome(value) {
    const made = object(value, "the outcome", OUTCOME);
    if (made.skip !== undefined) return { tag: "skip", val: text(made.skip, "skip") };
    return { tag: "deliver", val: list(made.requests, "requests").map((item, index) => request(item, `requests[${index}]`)) };
}

export function failure({ code, message, retryAfterMs }) {
    return {
        code: text(code, "code"),
        message: text(message, "message"),
        retryAfterMs: maybe(whole)(retryAfterMs, "retryAfterMs"),
        meta: [],
    };
}

function request(value, at) {
    const made = object(value, at, REQUEST);
    return {
        label: text(made.label ?? "", `${at}.label`),
        method: text(made.method ?? "POST", `${at}.method`),
        path: list(made.path ?? [], `${at}.path`).map((segment, index) => text(segment, `${at}.path[${index}]`)),
        query: fields(made.query ?? [], `${at}.query`),
        headers: fields(made.headers ?? [], `${at}.headers`),
        body: body(made.body, `${at}.body`),
        credentials: list(made.credentials ?? [], `${at}.credentials`).map((item, index) =>
            credential(item, `${at}.credentials[${index}]`),
        ),
        correlation: maybe(text)(made.correlation, `${at}.correlation`),
        meta: [],
    };
}

function body(value, at) {
    if (value === undefined || value === null) return { tag: "none" };
    const made = object(value, at, BODY);
    if (made.json !== undefined) return { tag: "json", val: JSON.stringify(made.json) };
    if (made.text !== undefined) return { tag: "text", val: text(made.text, `${at}.text`) };
    if (made.form !== undefined) return { tag: "form", val: fields(made.form, `${at}.form`) };
    if (!(made.bytes instanceof Uint8Array)) throw new TypeError(`${at} has none of json, text, form and bytes (a Uint8Array)`);
    const contentType = text(made.contentType, `${at}.contentType`);
    return { tag: "bytes", val: { contentType, data: made.bytes, meta: [] } };
}

function credential(value, at) {
    const made = object(value, at, CREDENTIAL);
    const place = one(PLACES, made.in, `${at}.in`);
    const placement = place.tag === "bearer" ? place : { ...place, val: text(made.name, `${at}.name`) };
    const parts = list(made.value ?? [{ secret: made.secret }], `${at}.value`);
    return { placement, value: parts.map((part, index) => credentialPart(part, `${at}.value[${index}]`)), meta: [] };
}

function credentialPart(value, at) {
    const { literal, secret } = object(value, at, ["literal", "secret"]);
    return literal === undefined
        ? { tag: "secret", val: text(secret, `${at}.secret`) }
        : { tag: "literal", val: text(literal, `${at}.literal`) };
}

function one(names, value, at) {
    if (!names.includes(value)) throw new TypeError(`${at} is ${JSON.stringify(value)}, none of ${names.join(", ")}`);
    return tag(value);
}

export function verdict(value) {
    const made = object(value ?? { decision: "by_status" }, "the verdict", VERDICT);
    const facts = Object.entries(made.facts ?? {});
    return {
        decision: one(DECISIONS, made.decision, "decision"),
        message: maybe(text)(made.message, "message"),
        waitMs: maybe(whole)(made.waitMs, "waitMs"),
        link: maybe(text)(made.link, "link"),
        facts: facts.map(([key, fact]) => [key, maybe(text)(fact, `facts[${JSON.stringify(key)}]`)]),
        items: list(made.items ?? [], "items").map((entry, index) => item(entry, `items[${index}]`)),
        meta: [],
    };
}

function item(value, at) {
    const made = object(value, at, ITEM);
    return {
        label: text(made.label, `${at}.label`),
        decision: one(DECISIONS, made.decision, `${at}.decision`),
        message: maybe(text)(made.message, `${at}.message`),
        link: maybe(text)(made.link, `${at}.link`),
        meta: [],
    };
}
