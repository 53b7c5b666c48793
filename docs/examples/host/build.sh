#!/bin/sh
# Builds the modules' components. Needs Rust with the target wasm32-unknown-unknown, clang-19, wasm-ld-19 and wasm-tools.
# The strategies in Python and JavaScript are built by componentize-py and componentize-qjs (docs/host.md), and are too
# large to be committed.
set -eu
cd "$(dirname "$0")"
export RUSTFLAGS="--remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}=cargo --remap-path-prefix=$(cd ../../.. && pwd)=meldpy"
(cd guests && cargo build --locked --release --target wasm32-unknown-unknown --example parser --example formatter --example strategy)
built="${CARGO_TARGET_DIR:-guests/target}/wasm32-unknown-unknown/release/examples"
wasm-tools component new "$built/parser.wasm" -o parser/parser.wasm
wasm-tools component new "$built/formatter.wasm" -o formatter/formatter.wasm
wasm-tools component new "$built/strategy.wasm" -o strategy-1/strategy.wasm
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
clang-19 --target=wasm32-unknown-unknown -ffreestanding -nostdlib -Os -Wall -Wextra -Werror -Wl,--no-entry -Wl,--strip-debug \
  monitor/monitor.c -o "$work/monitor.wasm"
wasm-tools component embed ../../../meldpy/host/wit -w hosted-module "$work/monitor.wasm" -o "$work/embedded.wasm"
wasm-tools component new "$work/embedded.wasm" -o monitor/monitor.wasm
