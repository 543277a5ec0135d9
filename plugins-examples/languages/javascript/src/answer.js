// What the tracker's answers mean: it answers errors with 200 too.

const DEAD = ["token_expired", "token_revoked"];

/** @type {import("hookwright-sdk").Interpret} */
export function interpret({ request, response }) {
    const answer = response.json();
    if (response.status === 404) return gone(request);
    if (answer?.error) return failed(answer.error);
    if (!answer?.issue) return null;
    const { id, url } = answer.issue;
    return { decision: "delivered", link: url, facts: { [request.correlation]: String(id) } };
}

/**
 * Somebody deleted the issue that was to be edited.
 * @returns {import("hookwright-sdk").Verdict | null}
 */
function gone({ method, correlation }) {
    if (method !== "PATCH") return null;
    const message = "The issue is not there any more; the next event makes a new one.";
    return { decision: "rejected", message, facts: { [correlation]: null } };
}

/** @returns {import("hookwright-sdk").Verdict} */
function failed({ code, message, retry_after_s: seconds }) {
    if (code === "busy") return { decision: "retry", message, waitMs: (seconds ?? 10) * 1000 };
    if (DEAD.includes(code)) return { decision: "disable", message: `The tracker does not accept the token: ${message}` };
    return { decision: "rejected", message: `The tracker refused the issue: ${message ?? code}` };
}
