// Keeps an issue for each ticket: made once, then edited.
//
// The webhook's URL is the tracker's API, say https://tracker.example.com/api; issues are posted to `/issues` below it.
import { recall } from "hookwright-sdk/memory";

export { interpret } from "./answer.js";

const KINDS = ["ticket.created", "ticket.updated", "ticket.status_changed"];

/** @type {import("hookwright-sdk").Transform<{ project: string, done?: string[] }>} */
export function transform(event, config) {
    if (event.payload === null) return { skip: "Without an event there is no ticket." };
    if (!KINDS.includes(event.kind)) return { skip: `There is no issue for ${event.kind}.` };
    const { ticket, to, actor } = event.json();
    const known = recall(`ticket:${ticket.id}`);
    console.log(known === null ? `${ticket.id} has no issue yet` : `${ticket.id} is issue ${known}`);
    return { requests: [{ ...target(known), ...issue(ticket, to ?? ticket.status, actor, config) }] };
}

/** @returns {import("hookwright-sdk").Request} */
function target(known) {
    return known === null ? { method: "POST", path: ["issues"] } : { method: "PATCH", path: ["issues", known] };
}

/** @returns {import("hookwright-sdk").Request} */
function issue(ticket, status, actor, { project, done = ["done", "closed"] }) {
    const facts = { Status: status, Priority: ticket.priority, "Changed by": actor };
    const lines = Object.entries(facts).filter(([, value]) => value);
    return {
        label: `issue: ${ticket.title}`.slice(0, 200),
        body: {
            json: {
                project,
                title: [ticket.key, ticket.title].filter(Boolean).join(" "),
                text: [ticket.description, lines.map(([name, value]) => `${name}: ${value}`).join("\n")].filter(Boolean).join("\n\n"),
                state: done.includes(status) ? "closed" : "open",
                labels: ticket.labels ?? [],
                // When the server received the event, however late this runs.
                synced_at: new Date().toISOString(),
            },
        },
        credentials: [{ in: "bearer", secret: "token" }],
        correlation: `ticket:${ticket.id}`,
    };
}
