// `Math.random` of a snapshot would give every event the same numbers: this one derives from the event's id.

/** Begins a sequence that is always the same for this text. */
export function seed(text) {
    // FNV-1a, four times with different beginnings; then sfc32.
    let [a, b, c, counter] = [0x811c9dc5, 0x01000193, 0x9e3779b9, 1].map((begin) => {
        let hash = begin;
        for (let index = 0; index < text.length; index++) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
        return hash | 0;
    });
    const next = () => {
        const sum = (((a + b) | 0) + counter) | 0;
        counter = (counter + 1) | 0;
        a = b ^ (b >>> 9);
        b = (c + (c << 3)) | 0;
        c = ((c << 21) | (c >>> 11)) + sum;
        return sum >>> 0;
    };
    for (let round = 0; round < 12; round++) next();
    Math.random = () => next() / 0x1_0000_0000;
}
