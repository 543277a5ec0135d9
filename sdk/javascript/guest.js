// Between the contract and a plugin's functions.
import * as given from "./given.js";
import * as got from "./got.js";
import { Failure } from "./index.js";
import { seed } from "./random.js";
import { announce, listen } from "./words.js";

export function transformer(plugin) {
    wanted(plugin, "transform");
    const transform = (event, subscription) => {
        begin(event.id);
        try {
            const made = plugin.transform(given.event(event), given.config(subscription), given.webhook(subscription));
            return got.outcome(settled(made, "transform"));
        } catch (thrown) {
            throw thrown instanceof Failure ? failed(thrown) : ended(thrown);
        }
    };
    return { transform };
}

export function interpreter(plugin) {
    wanted(plugin, "interpret");
    const interpret = (exchange) => {
        begin(exchange.eventId);
        try {
            const made = plugin.interpret(given.exchange(exchange), given.config(exchange.subscription));
            return got.verdict(settled(made, "interpret"));
        } catch (thrown) {
            throw ended(thrown);
        }
    };
    return { interpret };
}

/** Noticed while the component is built. */
function wanted(plugin, name) {
    if (typeof plugin[name] !== "function") throw new TypeError(`the plugin exports no function ${name}`);
}

function begin(eventId) {
    listen();
    seed(eventId);
}

function settled(made, name) {
    if (typeof made?.then === "function") {
        throw new TypeError(`${name} gives a promise, but there is nothing to wait for in a plugin: it must be a plain function`);
    }
    return made;
}

function failed(failure) {
    try {
        return got.failure(failure);
    } catch (thrown) {
        return ended(thrown);
    }
}

/** What is thrown on ends the run; what there is to say has been said. */
function ended(thrown) {
    announce(thrown);
    return "see above";
}
