#!/usr/bin/env bash
# Builds and measures the gRPC peer; prints JSON: rows as rpc_bench --json prints them, or
# {"peer": null, "reason": ...} where it cannot be built. Never part of the normal build.
#   run.sh [SECONDS]     needs libgrpc++-dev, protobuf-compiler-grpc and g++ (or root, to get them)
set -eu
here=$(cd "$(dirname "$0")" && pwd)
seconds=${1:-2}
build=${TUTTI_PEER_BUILD:-$here/../../../../build/peers/grpc}

none() {
    printf '{"peer": null, "reason": "%s"}\n' "$1"
    exit 0
}

if ! pkg-config --exists grpc++ || ! command -v grpc_cpp_plugin protoc g++ >/dev/null; then
    [ "$(id -u)" = 0 ] || none "libgrpc++-dev, protobuf-compiler-grpc or g++ is not installed"
    DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
        g++ libgrpc++-dev protobuf-compiler-grpc protobuf-compiler >/dev/null 2>&1 ||
        none "libgrpc++-dev and protobuf-compiler-grpc cannot be installed"
fi

mkdir -p "$build"
if [ ! -x "$build/echo" ] || [ "$here/echo.cc" -nt "$build/echo" ]; then
    protoc -I "$here" --cpp_out="$build" --grpc_out="$build" \
        --plugin=protoc-gen-grpc="$(command -v grpc_cpp_plugin)" "$here/echo.proto"
    # shellcheck disable=SC2046 # flags are words
    g++ -std=c++17 -O2 -I "$build" "$here/echo.cc" "$build/echo.pb.cc" "$build/echo.grpc.pb.cc" \
        -o "$build/echo" $(pkg-config --cflags --libs grpc++ protobuf) >"$build/log" 2>&1 ||
        none "it does not compile here"
fi

fifo=$build/input.$$
mkfifo "$fifo"
trap 'rm -f "$fifo" "$build/port.$$"' EXIT
printf '{"peer": "gRPC %s, C++ callback API", "rows": [' "$(pkg-config --modversion grpc++)"
comma=
for size in 100 4096; do
    for outstanding in 1 16 64 256; do
        : >"$build/port.$$"
        "$build/echo" --serve <"$fifo" >"$build/port.$$" &
        exec 9>"$fifo"
        until [ -s "$build/port.$$" ]; do sleep 0.05; done
        printf '%s\n  ' "$comma"
        "$build/echo" --call "$(cat "$build/port.$$")" "$outstanding" "$size" "$seconds"
        exec 9>&-
        wait
        comma=,
    done
done
printf '\n]}\n'
