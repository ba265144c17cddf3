#!/usr/bin/env bash
# coverage.sh: which lines of the scheduler and the store the tests reach; ./run test --coverage calls it. By gcov, which comes with gcc;
# what a process does that is killed does not count. Prints files below 80 % and one line for each folder; fails below the goal, 90 %.
# Unit tests, some seeds of the simulator, and the scenarios, all with programs that count.
set -uo pipefail
cd "$(dirname "$0")/.." || exit
JOBS=${JOBS:-$(nproc)}
LONG=
GOAL=90
SEEDS=200
TESTS='^(unit\.(scheduler|store|stage|workflow)\.|crash\.lying_disk|language\.core|examples)'
build=build/coverage
mkdir -p "$build"

# shellcheck source=tests/node.sh
. tests/node.sh

say "build with counters"
cmake --preset coverage >"$build.build.log" 2>&1 || { tail -n 20 "$build.build.log" >&2; exit 1; }
mapfile -t targets < <(ninja -C "$build" -t targets all |
  sed -nE 's/^bin\/(unit_(scheduler|store|stage|workflow)_[a-z0-9_]*|simulator|crash_states|store_rows|language|tutti|tutti-[a-z-]*): .*/\1/p')
cmake --build --preset coverage -j "$JOBS" --target "${targets[@]}" >>"$build.build.log" 2>&1 ||
  { grep -E -A20 'FAILED|error:' "$build.build.log" | head -n 60 >&2; exit 1; }
find "$build" -name '*.gcda' -delete

say "unit tests, simulator"
ctest --preset coverage -j "$JOBS" -R "$TESTS" >build/coverage.test.log 2>&1 || grep -E '\*\*\*|tests passed' build/coverage.test.log
"$build/bin/simulator" --seeds "$SEEDS" | tail -n 1
say "scenarios"
node_tests scenario "$build/bin" tests/scenario/*.test.mjs

# One line per source file: folder, file, lines, lines that ran. Objects of a library are shared by all programs, so their counts add up.
say "lines"
for library in scheduler store; do
  find "$build/CMakeFiles/$library.dir" -name '*.gcno' | sort | while read -r notes; do
    source=${notes#"$build/CMakeFiles/$library.dir/"}
    gcov --no-output --object-file "$notes" "${source%.gcno}" 2>/dev/null |
      awk -v library="$library" -v source="${source%.gcno}" '
        /^File / { is_it = index($0, source) > 0 }
        is_it && /^Lines executed:/ {
          share = $0; sub(/.*executed:/, "", share); sub(/%.*/, "", share)
          lines = $0; sub(/.* of /, "", lines)
          printf "%s %s %d %d\n", library, source, lines, lines * share / 100 + 0.5
          is_it = 0 }
        is_it && /^No executable lines/ { is_it = 0 }'
  done
done >build/coverage.txt
awk -v goal="$GOAL" '
  { all[$1] += $3; ran[$1] += $4; if ($3 > 0 && $4 < 0.8 * $3) printf "below 80 %%: %-60s %3.0f %% of %d lines\n", $2, 100 * $4 / $3, $3 }
  END { for (name in all) { printf "%-10s %.1f %% of %d lines\n", name, 100 * ran[name] / all[name], all[name]; lines += all[name]; sum += ran[name] }
        if (lines == 0) exit 1
        printf "together   %.1f %% of %d lines\n", 100 * sum / lines, lines
        for (name in all) if (100 * ran[name] < goal * all[name]) { printf "%s is below %d %%\n", name, goal; exit 1 } }' build/coverage.txt
