/**
 * The value last remembered under this key for this webhook and this plugin's name, or null. At most 256 calls a run.
 * Only for plugins whose `plugin.toml` has `[interpreter]`.
 */
export declare function recall(key: string): string | null;
