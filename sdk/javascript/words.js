// What goes to the log: lines of `console`, and the last words of a plugin that throws.
import logging from "hookwright:plugin/logging@1.0.0";

// While a component is built nobody listens.
let listening = false;

export function listen() {
    listening = true;
}

const LEVELS = { debug: "debug", trace: "debug", log: "info", info: "info", warn: "warn", error: "error" };

globalThis.console = Object.fromEntries(
    Object.entries(LEVELS).map(([name, level]) => [
        name,
        (...values) => {
            if (listening) logging.log(level, values.map(shown).join(" "));
        },
    ]),
);

function shown(value) {
    if (typeof value === "string") return value;
    if (value instanceof Error) return `${value}\n${frames(value).join("\n")}`;
    try {
        return JSON.stringify(value) ?? String(value);
    } catch {
        return String(value);
    }
}

const FRAMES_MAX = 8;
// The server keeps 1 KiB of a line: where it happened must have room.
const MESSAGE_MAX = 500;

/** The plugin's own frames, as `name (file:line:column)`; those of this folder and of the interpreter say nothing. */
function frames(error) {
    return String(error.stack ?? "")
        .split("\n")
        .map((line) => line.trim().replace(/^at /, "").replace("(/", "(").replace("<anonymous> ", ""))
        .filter((line) => line !== "" && !/hookwright-sdk\/|\(native\)|<input>|package\.json/.test(line))
        .slice(0, FRAMES_MAX);
}

/** Says what was thrown. The server puts this line into the delivery's error: see `host/src/sandbox/words.rs`. */
export function announce(thrown) {
    const because = thrown?.cause === undefined ? "" : `, because of ${thrown.cause}`;
    const where = thrown instanceof Error ? frames(thrown).join(" < ") : "";
    const what = `${thrown instanceof Error ? thrown : shown(thrown)}${because}`.slice(0, MESSAGE_MAX);
    logging.log("error", `threw ${what}${where && `, at ${where}`}`);
}
