#!/usr/bin/env node
// Makes a component of a plugin in JavaScript: hookwright-componentize [FOLDER] [--output FILE]
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

import { componentize } from "componentize-qjs";

/** The contract: a copy of it in a packed package, the project's own in its sources. */
const WIT = ["./wit", "../../wit/v1"].map((path) => fileURLToPath(new URL(path, import.meta.url))).find(existsSync);

try {
    const { values, positionals } = parseArgs({ allowPositionals: true, options: { output: { type: "string" } } });
    const folder = resolve(positionals[0] ?? ".");
    const output = values.output === undefined ? join(folder, "target", "component.wasm") : resolve(values.output);
    await make(folder, output);
} catch (error) {
    console.error(`hookwright-componentize: ${said(error)}`);
    process.exitCode = 1;
}

async function make(folder, output) {
    const manifest = readFileSync(join(folder, "plugin.toml"), "utf8");
    const { main = "src/plugin.js" } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
    if (!existsSync(join(folder, main))) throw new Error(`${join(folder, main)} is missing ("main" in package.json names it)`);
    // What reads answers may also remember them.
    const reads = /^\s*\[interpreter\]/m.test(manifest);
    const { component } = await componentize({
        witPath: WIT,
        world: reads ? "plugin-interpreting" : "plugin",
        jsSource: entry(`./${relative(folder, join(folder, main))}`, reads),
        // The entry is no file; whatever it imports is found from here.
        jsPath: join(folder, "package.json"),
        moduleRoot: folder,
        sync: true,
    });
    mkdirSync(dirname(output), { recursive: true });
    writeFileSync(output, component);
    console.log(`${relative(process.cwd(), output)} (${component.length} bytes)`);
}

function entry(main, reads) {
    const lines = [
        `import { interpreter as reading, transformer as making } from "hookwright-sdk/guest";`,
        `import * as plugin from ${JSON.stringify(main)};`,
        `export const transformer = making(plugin);`,
    ];
    if (reads) lines.push(`export const interpreter = reading(plugin);`);
    return lines.join("\n");
}

/** What the author can mend, with the place in their own files: `src/plugin.js:2:1: unexpected token`. */
function said(error) {
    // What the engine says, behind what the compiler was at.
    const text = error.message.trim().split(/(?:Failed to [^:]*JavaScript[^:]*: )(?:Error: )?/).pop();
    const [what, ...frames] = text.split("\n").map((line) => line.trim());
    const missing = /^Error resolving module '(.*)' from '\/?(.*?)'/.exec(what);
    if (missing !== null) {
        const [, name, from] = missing;
        const hint = name.startsWith(".") ? "there is no such file" : "is it in package.json, and made of plain ECMAScript modules?";
        return `${from} imports ${JSON.stringify(name)}, which cannot be found: ${hint}`;
    }
    const own = frames.map((line) => /\(?\/?([^\s()]+:\d+:\d+)\)?$/.exec(line)?.[1]);
    const place = own.find((place) => place !== undefined && !/hookwright-sdk\/|package\.json/.test(place));
    return place === undefined ? what : `${place}: ${what}`;
}
