// What plugins import.

/** Thrown by a plugin that cannot make anything of an event, for a reason that a person can mend. */
export class Failure extends Error {
    constructor(code, message, { retryAfterMs } = {}) {
        super(message);
        this.name = "Failure";
        this.code = code;
        this.retryAfterMs = retryAfterMs ?? null;
    }
}
