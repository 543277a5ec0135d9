//! Guests that use WASI: the few functions that tests call, declared with the shapes that WASI 0.2 gives them.

use super::Forge;

/// The world of a plugin that imports them.
const WORLD: &str = "plugin-with-wasi";

/// The packages in which they stand, and the world.
pub(super) const PACKAGES: &str = "
package wasi:io@0.2.3 {
  interface error { resource error; }
  interface poll { resource pollable { block: func(); } }
  interface streams {
    use error.{error};
    variant stream-error { last-operation-failed(error), closed }
    resource output-stream { blocking-write-and-flush: func(contents: list<u8>) -> result<_, stream-error>; }
  }
}
package wasi:clocks@0.2.3 {
  interface monotonic-clock {
    use wasi:io/poll@0.2.3.{pollable};
    now: func() -> u64;
    subscribe-duration: func(when: u64) -> pollable;
  }
  interface wall-clock {
    record datetime { seconds: u64, nanoseconds: u32 }
    now: func() -> datetime;
  }
}
package wasi:random@0.2.3 {
  interface random {
    get-random-bytes: func(len: u64) -> list<u8>;
    get-random-u64: func() -> u64;
  }
}
package wasi:cli@0.2.3 {
  interface exit { exit: func(status: result); }
  interface stderr {
    use wasi:io/streams@0.2.3.{output-stream};
    get-stderr: func() -> output-stream;
  }
}
package wasi:sockets@0.2.3 {
  interface network { resource network; }
  interface instance-network {
    use network.{network};
    instance-network: func() -> network;
  }
}
world plugin-with-wasi {
  include plugin;
  import wasi:clocks/monotonic-clock@0.2.3;
  import wasi:clocks/wall-clock@0.2.3;
  import wasi:random/random@0.2.3;
  import wasi:cli/exit@0.2.3;
  import wasi:cli/stderr@0.2.3;
  import wasi:io/poll@0.2.3;
  import wasi:io/streams@0.2.3;
  import wasi:sockets/instance-network@0.2.3;
}
";

/// What they are called in a guest.
const IMPORTS: &str = r#"
  (import "wasi:clocks/monotonic-clock@0.2.3" "now" (func $now (result i64)))
  (import "wasi:clocks/monotonic-clock@0.2.3" "subscribe-duration" (func $subscribe (param i64) (result i32)))
  (import "wasi:clocks/wall-clock@0.2.3" "now" (func $wall (param i32)))
  (import "wasi:random/random@0.2.3" "get-random-bytes" (func $bytes (param i64 i32)))
  (import "wasi:random/random@0.2.3" "get-random-u64" (func $random (result i64)))
  (import "wasi:cli/exit@0.2.3" "exit" (func $exit (param i32)))
  (import "wasi:cli/stderr@0.2.3" "get-stderr" (func $stderr (result i32)))
  (import "wasi:io/poll@0.2.3" "[method]pollable.block" (func $block (param i32)))
  (import "wasi:io/streams@0.2.3" "[method]output-stream.blocking-write-and-flush"
    (func $write (param i32 i32 i32 i32)))
  (import "wasi:sockets/instance-network@0.2.3" "instance-network" (func $network (result i32)))
"#;

impl Forge {
    /// Lets its instructions call `$now`, `$subscribe`, `$block`, `$wall`, `$random`, `$bytes`, `$exit`, `$stderr`,
    /// `$write` and `$network`.
    pub fn wasi(self) -> Self {
        self.imports(IMPORTS).world(WORLD)
    }
}
