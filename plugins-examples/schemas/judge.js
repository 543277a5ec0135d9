// Reads requests, one in a line: `{"to": DESTINATION, "method", "path", "headers", "body"}`, and answers each with a line:
// the mistakes in it, `[]` for none.

import { createInterface } from "node:readline";

import { destinations } from "./destinations.js";

for await (const line of createInterface({ input: process.stdin })) {
    const { to, ...request } = JSON.parse(line);
    let mistakes;
    try {
        mistakes = destinations[to](request);
    } catch (error) {
        mistakes = [String(error.stack)];
    }
    process.stdout.write(`${JSON.stringify(mistakes)}\n`);
}
