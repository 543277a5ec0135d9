// Events as their providers send them, out of packages that publish examples.

import { readFileSync, readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

const require = createRequire(import.meta.url);

/** All of them: `[{type, payload}]`. */
export function payloads() {
    return [...github(), ...stripe(), ...aws()];
}

function github() {
    return require("@octokit/webhooks-examples").flatMap(({ name, examples }) =>
        examples.map((payload) => ({ type: ["github", name, payload.action].filter(Boolean).join("."), payload })),
    );
}

function stripe() {
    // The newest that the package has, in a file for each type.
    const folder = join(dirname(require.resolve("stripe-mock-data")), "data/webhooks/2015-10-01");
    return readdirSync(folder)
        .filter((file) => file.endsWith(".json"))
        .map((file) => read(join(folder, file)))
        .map((payload) => ({ type: `stripe.${payload.type}`, payload }));
}

function aws() {
    const folder = join(dirname(require.resolve("@serverless/event-mocks")), "events/aws");
    return readdirSync(folder).map((file) => ({
        type: `aws.${file.replace(/(-event)?-template\.json$/, "")}`,
        payload: read(join(folder, file)),
    }));
}

function read(path) {
    return JSON.parse(readFileSync(path, "utf8"));
}
