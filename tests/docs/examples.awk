# examples.awk: examples of a page, with what goes in and what comes out, as scenarios for tests/language.
#
# A table whose first column is `input`, directly below an example in YAML, is played row by row:
#
#     | input | `llm.chat` answers | output |          what the functions and servers answer, one after the other;
#     |---|---|---|                                   the output as a whole, or the members of an `error` that matter;
#     | `{"q": 1}` | `{"content": "x"}` | `"x"` |      also: signal `go` (what it brings). A heading may go on: "output, if …"
#
# Cells hold JSON in backticks, a number is an HTTP status. An empty cell says nothing. Variables: page.

function trim(text) { gsub(/^ +| +$/, "", text); return text }

# The text between the backticks of a cell, each in spans[1..n].
function read_spans(cell, spans,    n) {
    n = 0
    while (match(cell, /`[^`]+`/)) {
        spans[++n] = substr(cell, RSTART + 1, RLENGTH - 2)
        gsub(/\001/, "|", spans[n])
        cell = substr(cell, RSTART + RLENGTH)
    }
    return n
}

function split_row(line, cells,    n, i) {
    gsub(/\\\|/, "\001", line)
    sub(/^\| */, "", line)
    sub(/ *\|$/, "", line)
    n = split(line, cells, /\|/)
    for (i = 1; i <= n; i++) cells[i] = trim(cells[i])
    return n
}

function doc(text) { printf "      \"\"\"yaml\n%s      \"\"\"\n", text }

function answers(what, cell,    spans, n, i, status) {
    n = read_spans(cell, spans)
    for (i = 1; i <= n; i++) {
        if (what !~ / /) {
            printf "    And the function %s answers:\n", what
            doc("      " spans[i] "\n")
            continue
        }
        status = spans[i] ~ /^[0-9]+$/ ? spans[i] : 200
        printf "    And the server answers %s with status %s%s\n", what, status, spans[i] == status ? "" : ":"
        if (spans[i] != status) doc("      " spans[i] "\n")
    }
}

function play(row,    i, spans, after, then) {
    printf "\n  Scenario: %s:%d\n    Given a workflow with definition:\n", page, FNR
    doc(text)
    for (i = 1; i <= columns; i++) {
        if (row[i] == "") continue
        if (heading[i] == "input" && read_spans(row[i], spans)) {
            printf "    And given the workflow input is:\n"
            doc("      " spans[1] "\n")
        } else if (heading[i] ~ /^`.*` answers$/) {
            read_spans(heading[i], spans)
            answers(spans[1], row[i])
        } else if (heading[i] ~ /^signal `.*`$/) {
            read_spans(heading[i], spans)
            after = after "    And the signal " spans[1] " is sent with:\n"
            read_spans(row[i], spans)
            after = after sprintf("      \"\"\"yaml\n      %s\n      \"\"\"\n", spans[1])
        } else if (heading[i] ~ /^output/ && read_spans(row[i], spans)) {
            then = then sprintf("    Then the workflow should complete with output:\n      \"\"\"yaml\n      %s\n      \"\"\"\n", spans[1])
        } else if (heading[i] == "error" && read_spans(row[i], spans)) {
            then = then sprintf("    Then the workflow should fault with error:\n      \"\"\"yaml\n      %s\n      \"\"\"\n", spans[1])
        } else {
            printf "    Given a column that means something: %s\n", heading[i]
        }
    }
    printf "    When the workflow is executed\n%s%s", after, then == "" ? "    Then a row should have an output or an error\n" : then
}

BEGIN { printf "Feature: the examples of %s\n", page }

/^```yaml/ { on = 1; text = ""; is_whole = 0; columns = 0; next }
/^```/ { if (on) ready = is_whole; on = 0; next }
on && text == "" && /^document:/ { is_whole = 1 }
on && text == "" && /^- / {
    is_whole = 1
    text = "      document: { dsl: \047" "1.0.3\047, namespace: docs, name: example, version: \047" "1.0.0\047 }\n      do:\n"
}
on { text = text "      " $0 "\n"; next }
/^$/ { if (columns) { ready = columns = 0 } next }
ready && !columns && /^\| input / { columns = split_row($0, heading); next }
columns && /^\|---/ { next }
columns && /^\|/ { split_row($0, row); play(row); next }
{ ready = columns = 0 }
