#!/usr/bin/env bash
# caught.sh PROGRAM [ARGUMENTS...]: a program with a defect in it must find fault, or stop at an assertion; with its first words.
out=$("$@" 2>&1)
status=$?
if [ $status -eq 0 ]; then printf 'ERROR: the defect was not caught\n%s\n' "$out"; exit 1; fi
if [ $status -eq 2 ] || [ $status -eq 126 ] || [ $status -eq 127 ]; then printf 'ERROR: it did not run\n%s\n' "$out"; exit 1; fi
printf 'caught: %s\n' "$(head -n 1 <<<"$out" | cut -c1-200)"
