/**
 * What a plugin's `src/plugin.js` exports:
 *
 *     export function transform(event, config, webhook) { … }
 *     export function interpret(exchange, config) { … }          // with [interpreter] in plugin.toml
 *
 * Both are plain functions: there is nothing to wait for in a plugin.
 */
export type Transform<Config = unknown> = (event: Event, config: Config, webhook: Webhook) => Outcome;
export type Interpret<Config = unknown> = (exchange: Exchange, config: Config) => Verdict | null | undefined;

/** Something that happened at the provider. Times are RFC 3339 in UTC with milliseconds. */
export interface Event {
    /** `evt_…`, the same on every retry and replay. */
    readonly id: string;
    /** The event type, for example `ticket.created`. */
    readonly kind: string;
    readonly occurredAt: string;
    readonly receivedAt: string;
    /** `prj_…` */
    readonly project: string;
    /** What the event is about, for example a ticket's id. */
    readonly subject: string | null;
    /** Media type of the payload. */
    readonly contentType: string;
    /** What the provider posted, byte for byte, at most 1 MiB: text if it is UTF-8. Null for a manual trigger without an event. */
    readonly payload: string | Uint8Array | null;
    /** Further attributes that the provider set, for example CloudEvents extensions. */
    readonly attributes: Readonly<Record<string, string>>;
    /** Why this delivery exists: `event`, `manual`, `test`, `schedule` or `reprocess`. */
    readonly trigger: string;
    /** `dlv_…`, stable over retries: make idempotency keys from it. */
    readonly deliveryId: string;
    /** The payload as JSON; throws a `Failure` with the code `payload.missing` or `payload.invalid`. */
    json<T = any>(): T;
}

/** The webhook on whose behalf the plugin runs. Its URL and its secrets are not here. */
export interface Webhook {
    /** `whk_…` */
    readonly id: string;
    /** What its owner calls it; may be empty. */
    readonly name: string;
}

/** What becomes of an event: as `expect` in a golden case says it. To fail, throw a `Failure`. */
export type Outcome = { requests: Request[] } | { skip: string };

/** Names with values: an object, or pairs where order or repetition matters. */
export type Fields = Record<string, string> | [name: string, value: string][];

/** One HTTP request for the server to send, below the webhook's URL. */
export interface Request {
    /** A short name for people, at most 200 characters. */
    label?: string;
    /** `POST` if nothing is said. */
    method?: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
    /** Segments below the webhook's URL, encoded by the server. None: exactly the registered URL. */
    path?: string[];
    query?: Fields;
    headers?: Fields;
    body?: Body;
    credentials?: Credential[];
    /** The key under which `interpret` may remember facts of the answer, for example `ticket:42`. */
    correlation?: string;
}

export type Body =
    | { json: unknown }
    | { text: string }
    | { form: Fields }
    | { bytes: Uint8Array; contentType: string };

/** A secret's place in a request. The plugin names secrets and never sees them. */
export type Credential = Place & ({ secret: string } | { value: CredentialPart[] });
export type Place =
    | { in: "bearer" }
    | { in: "basic" | "header" | "query" | "json_body" | "form_body"; name: string };
export type CredentialPart = { literal: string } | { secret: string };

/** One request with its answer. */
export interface Exchange {
    readonly webhook: Webhook;
    readonly eventId: string;
    readonly kind: string;
    readonly subject: string | null;
    readonly deliveryId: string;
    /** The request, as this plugin made it, without its credentials. */
    readonly request: SentRequest;
    /** 1 for the first attempt. */
    readonly attempt: number;
    readonly response: Response;
}

export interface SentRequest {
    readonly label: string;
    readonly method: string;
    readonly path: readonly string[];
    readonly query: readonly (readonly [name: string, value: string])[];
    readonly headers: readonly (readonly [name: string, value: string])[];
    readonly body: Body | null;
    readonly correlation: string | null;
}

/** What the receiver answered; secrets are replaced by their names. */
export interface Response {
    readonly status: number;
    /** Names in lower case, without `set-cookie`. */
    readonly headers: Readonly<Record<string, string>>;
    /** At most 256 KiB of the body. */
    readonly body: string | Uint8Array;
    /** Whether the body was longer. */
    readonly truncated: boolean;
    readonly elapsedMs: number;
    /** The body as JSON, or null when it is none. */
    json<T = any>(): T | null;
}

/** What an answer means; nothing is the same as `by_status`. */
export interface Verdict {
    decision: "by_status" | "delivered" | "retry" | "rejected" | "uncertain" | "disable";
    /** One sentence for people. */
    message?: string;
    /** How long to wait before the next attempt. */
    waitMs?: number;
    /** Where a person finds what was made: http or https. */
    link?: string;
    /** What to remember, by key; null forgets. */
    facts?: Record<string, string | null>;
    /** What became of each item when the request carried several. */
    items?: Item[];
}

export interface Item {
    label: string;
    decision: "delivered" | "rejected";
    message?: string;
    link?: string;
}

/** Thrown by a plugin that cannot make anything of an event, for a reason that a person can mend. */
export declare class Failure extends Error {
    /**
     * @param code a stable name for programs, for example `config.list_missing`
     * @param message one sentence for the person who can mend it
     * @param options `retryAfterMs`: run the plugin again after so long; without it the delivery is parked
     */
    constructor(code: string, message: string, options?: { retryAfterMs?: number });
    readonly code: string;
    readonly retryAfterMs: number | null;
}
