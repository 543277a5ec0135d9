#!/usr/bin/env bash
# Makes sure that plugins can be built for wasm32-unknown-unknown, and says on stderr what it does.
#
#   scripts/wasm-target.sh CARGO-ARGUMENTS…   gets the target if need be, then runs cargo with it:
#                                             scripts/wasm-target.sh build --release
#   scripts/wasm-target.sh                    only gets the target
#
# The three ways, tried in this order (WASM_TARGET_WAY=present|rustup|debian forces one):
#   present  the compiler has the target
#   rustup   rustup adds it
#   debian   Debian's own compiler builds the standard library from Debian's source package
set -euo pipefail

target=wasm32-unknown-unknown
debian_packages=(cargo-web rustc-web rust-web-src)
# Machines that cannot reach rustup's server must not wait for it for ever.
rustup_seconds=${WASM_TARGET_RUSTUP_SECONDS:-90}

say() { printf 'wasm-target: %s\n' "$*" >&2; }

wanted() { [[ -z ${WASM_TARGET_WAY:-} || $WASM_TARGET_WAY == "$1" ]]; }

present() {
  local folder
  command -v rustc >/dev/null || return 1
  folder=$(rustc --print target-libdir --target "$target" 2>/dev/null) || return 1
  [[ -n $(compgen -G "$folder/libstd-*.rlib") ]]
}

add_by_rustup() {
  command -v rustup >/dev/null || return 1
  say "rustup target add $target (at most $rustup_seconds s)"
  timeout "$rustup_seconds" rustup target add "$target" >&2 && present
}

debian_ready() {
  [[ -x /usr/bin/cargo && -x /usr/bin/rustc ]] && debian_source >/dev/null && linker >/dev/null
}

# Where the standard library's source of /usr/bin/rustc is.
debian_source() {
  local folder
  folder=$(/usr/bin/rustc --print sysroot)/lib/rustlib/src/rust/library
  [[ -f $folder/std/Cargo.toml ]] && printf '%s\n' "$folder"
}

# Debian's rustc knows no linker for WASM; rustup's toolchain brings rust-lld, Debian's lld is the other way.
linker() {
  local rustc bundled
  for rustc in rustc /usr/bin/rustc; do
    bundled=$("$rustc" --print sysroot 2>/dev/null)/lib/rustlib/x86_64-unknown-linux-gnu/bin/rust-lld
    [[ -x $bundled ]] && printf '%s\n' "$bundled" && return
  done
  command -v rust-lld || command -v wasm-ld
}

as_root() {
  if [[ $(id -u) == 0 ]]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    return 1
  fi
}

install_debian() {
  command -v apt-get >/dev/null || return 1
  local packages=("${debian_packages[@]}")
  linker >/dev/null || packages+=(lld)
  say "apt-get install ${packages[*]}"
  as_root apt-get update -qq >&2 || say "apt-get update did not work; trying with what is known"
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${packages[@]}" >&2 &&
    debian_ready
}

choose() {
  if wanted present && present; then
    say "the compiler has $target"
    way=plain
  elif wanted rustup && add_by_rustup; then
    way=plain
  elif wanted debian && { debian_ready || install_debian; }; then
    say "building the standard library with Debian's compiler, $(/usr/bin/rustc --version)"
    way=debian
  else
    say "cannot build for $target. Install one of:"
    say "  rustup (https://rustup.rs), then: rustup target add $target"
    say "  on Debian, as root: apt-get install ${debian_packages[*]} lld"
    return 1
  fi
}

cargo_plain() { cargo "$@" --target "$target"; }

cargo_debian() {
  local command=$1 linker
  shift
  linker=$(linker)
  # Building std is not stable: RUSTC_BOOTSTRAP lets a stable compiler do it. The path keeps rustup's
  # compiler, which has another version than the source, out of it.
  env -u RUSTUP_TOOLCHAIN -u RUSTC -u RUSTC_WRAPPER PATH=/usr/bin:/bin RUSTC_BOOTSTRAP=1 \
    CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER="$linker" \
    /usr/bin/cargo "$command" -Z build-std=std,panic_abort --target "$target" "$@"
}

choose
[[ $# == 0 ]] || "cargo_$way" "$@"
