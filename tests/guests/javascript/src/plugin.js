// Does what plugins should not, each with an event type of its own. The tests know the lines of what throws.
import { Failure } from "hookwright-sdk";

console.log("nobody hears this");

const requests = (json) => ({ requests: [{ body: { json } }] });

const kinds = {
    "odd.throws": () => inner({ of: null }),
    "odd.fails": () => {
        throw new Failure("odd.failed", "As it was told.");
    },
    "odd.promises": async () => requests({}),
    "odd.mistypes": () => ({ requests: [{ lable: "a typing error" }] }),
    "odd.loops": () => {
        for (;;);
    },
    "odd.talks": () => {
        console.debug("one", { of: 2 });
        console.log("two");
        console.warn("three");
        console.error("four");
        return requests({});
    },
    "odd.tells": () => requests({ now: Date.now(), random: [Math.random(), Math.random()] }),
    "odd.sends": (event) => ({
        requests: [
            {
                label: "odd",
                method: "PUT",
                path: ["ä", "b"],
                query: [
                    ["q", "1"],
                    ["r", "ü"],
                ],
                headers: { "X-Odd": "yes" },
                body: { bytes: new Uint8Array([0, 255]), contentType: "application/x-odd" },
                credentials: [{ in: "header", name: "X-Token", value: [{ literal: "t=" }, { secret: "token" }] }],
            },
            { path: ["form"], body: { form: { a: "1 2" } } },
            { path: ["text"], body: { text: event.payload } },
        ],
    }),
};

function inner(x) {
    return x.of.course;
}

export function transform(event) {
    return kinds[event.kind](event);
}
