(module $guest
  (import "hookwright:plugin/logging@1.0.0" "log" (func $log (param i32 i32 i32)))
  ;; IMPORTS
  (memory (export "memory") MEMORY_PAGES)
  (data (i32.const 1024) "LAST_WORDS")
  (global $free (mut i32) (i32.const 65536))
  ;; ITEMS

  ;; Never frees: an instance lives for one call.
  (func $realloc (export "cabi_realloc") (param $old i32) (param $old_size i32) (param $align i32) (param $size i32) (result i32)
    (local $at i32)
    (local.set $at
      (i32.and
        (i32.add (global.get $free) (i32.sub (local.get $align) (i32.const 1)))
        (i32.sub (i32.const 0) (local.get $align))))
    (global.set $free (i32.add (local.get $at) (local.get $size)))
    (local.get $at))

  (func $transform (export "hookwright:plugin/transformer@1.0.0#transform") (param i32) (result i32)
    (local $n i32)
    ;; 1 is the level `info`.
    (call $log (i32.const 1) (i32.const 1024) (i32.const LAST_WORDS_LENGTH))
    ;; TRANSFORM
    (unreachable)))
