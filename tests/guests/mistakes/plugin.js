// Makes one mistake for each event type. The tests know the lines.

const kinds = {
    "a.typo": () => ({ requests: [{ lable: "card" }] }),
    "a.payload": (event) => send(event.json().ticket.title),
    "a.secret": () => ({ requests: [{ credentials: [{ in: "bearer", secret: "tokn" }] }] }),
    "a.trap": (event) => send(firstWord(event.payload)),
    "a.loop": () => {
        for (;;);
    },
    "a.refused": () => ({ requests: [{ label: "card", path: ["cards", ".."] }] }),
};

export function transform(event, config) {
    console.log("the list is", config.list ?? "");
    const well = () => ({ requests: [{ credentials: [{ in: "bearer", secret: "token" }], body: { text: "well" } }] });
    return (kinds[event.kind] ?? well)(event);
}

function send(text) {
    return { requests: [{ body: { text } }] };
}

function firstWord(text) {
    return text.split(" ").find((word) => word.length > 100).trim();
}
