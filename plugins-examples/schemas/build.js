// Makes of the packages what the tests read: `../target/schemas/types.json`, a JSON Schema for each exported type of
// `types.ts` and `github.ts`, and `../target/schemas/payloads.json`, events as providers published them.

import { mkdirSync, writeFileSync } from "node:fs";
import { createGenerator } from "ts-json-schema-generator";
import ts from "typescript";

import { payloads } from "./payloads.js";

const target = new URL("../target/schemas/", import.meta.url);
mkdirSync(target, { recursive: true });
const write = (name, text) => writeFileSync(new URL(name, target), text);

// The generator would read the types of the whole API of GitHub: the compiler resolves the one that is wanted.
const resolved = "github.resolved.ts";
write(resolved, resolve("github.ts"));

const definitions = {};
for (const path of ["types.ts", new URL(resolved, target).pathname]) {
    const generator = createGenerator({ path, tsconfig: "tsconfig.json", skipTypeCheck: true });
    Object.assign(definitions, generator.createSchema("*").definitions);
}
write("types.json", JSON.stringify({ definitions }));

const events = payloads();
write("payloads.json", JSON.stringify(events));
console.log(`${Object.keys(definitions).length} types, ${events.length} payloads`);

/** The exported types of a file, with nothing imported any more. */
function resolve(path) {
    const { config } = ts.readConfigFile("tsconfig.json", ts.sys.readFile);
    const { options } = ts.parseJsonConfigFileContent(config, ts.sys, ".");
    const program = ts.createProgram([path], options);
    const checker = program.getTypeChecker();
    const flags = ts.TypeFormatFlags.NoTruncation | ts.TypeFormatFlags.InTypeAlias;
    const aliases = program.getSourceFile(path).statements.filter(ts.isTypeAliasDeclaration);
    return aliases
        .map((alias) => {
            const type = checker.getTypeAtLocation(alias.name);
            return `export type ${alias.name.text} = ${checker.typeToString(type, undefined, flags)};\n`;
        })
        .join("");
}
