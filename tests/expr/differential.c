/*
 * Compares with the program `jq`: generated expressions on generated inputs must have the same
 * outputs, or fail in both.
 *
 * Everything comes from one seed, so a run is the same everywhere. Debian's jq is 1.6, so the
 * generator leaves out what 1.7 and 1.8 added or changed; what it cannot leave out by construction:
 *
 *   - constants are folded by 1.6 at compile time, and a division by a constant zero does not
 *     compile there: divisors are never zero by construction;
 *   - `"x" * n` for n <= 0 is null in 1.6 and "" in 1.8: only numbers and objects are multiplied;
 *   - `last(empty)`, `|= empty`, `limit` of a negative count, `ltrimstr` on other kinds, `@html` of
 *     an apostrophe, `@uri` of !*'(), indices of texts beyond ASCII: 1.8's results differ, they do
 *     not occur;
 *   - in 1.6 `try` also catches what fails after it: its results are collected first; messages
 *     differ, so they are not shown; an error of null is no error there;
 *   - in 1.6 reduce and foreach go wrong when their start has several values: it has one;
 *   - integers beyond 2^53: exact here, doubles there; they do not occur.
 */
#include "base/attr.h"
#include "base/buf.h"
#include "expr/expr.h"
#include "json/json_text.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    SEED           = 20'241'122,
    BATCHES        = 50,
    BATCH_PROGRAMS = 40,
    INPUTS         = 3,
    DEPTH          = 4,
    LINE           = 1 << 20
};

struct generator {
    uint64_t state;
    struct buf *out;
};

/* --- chance ------------------------------------------------------------------------------------
 */

static uint32_t below(struct generator *g, uint32_t count)
{
    g->state = g->state * 6'364'136'223'846'793'005 + 1'442'695'040'888'963'407;
    return (uint32_t)(g->state >> 33) % count;
}

static void put(struct generator *g, const char *text)
{
    (void)buf_put_text(g->out, text);
}

/* --- expressions by kind -----------------------------------------------------------------------
 *
 * A template stands for an expression: N number, S text, A array, O object, B boolean, V any value,
 * G a generator of any number of values, D a divisor, K a small count; everything else is itself.
 * Lower-case letters are never replaced.
 */

static const char *const numbers[] = {
    "1",
    "2",
    "3.5",
    "(-4)",
    "10",
    ".n",
    ".items[0].x",
    "(N + N)",
    "(N - N)",
    "(N * N)",
    "(N / D)",
    "(N % D)",
    "(-N)",
    "(S | length)",
    "(A | length)",
    "(O | length)",
    "(N | floor)",
    "(if B then N else N end)",
    "((N) as $v | $v + N)",
    "([N, N] | add)",
    "([N, N, N] | max)",
    "(reduce (N, N) as $i (2; . + $i))",
    "(S | utf8bytelength)",
    "([G] | length)",
    "(S | index(\"a\"))",
    "(A | map(1) | add)",
    "(N | fabs)",
    "(N | round)",
    "first(range(N; 20))",
    "([N, N] | min)",
    "(def f($a; g): $a + g; f(N; N))",
    "(try error(7) catch .)",
    "(S | tonumber? // N)",
    "(A | indices(1) | length)",
};
static const char *const texts[] = {
    "\"a\"",
    "\"bc\"",
    "\"\"",
    ".s",
    ".items[1].name",
    "(S + S)",
    "(V | tostring)",
    "(V | tojson)",
    "(V | type)",
    "\"x\\(V)y\"",
    "\"\\(N)-\\(S)\"",
    "(S | ascii_upcase)",
    "(S | ascii_downcase)",
    "(\"\" + S | ltrimstr(\"a\"))",
    "(\"\" + S | rtrimstr(\"c\"))",
    "([S, S] | join(\"-\"))",
    "(S | .[1:])",
    "(S | .[:2])",
    "(S | explode | implode)",
    "(O | keys | join(\",\"))",
    "(S | @base64)",
    "(S | @base64 | @base64d)",
    "([N, S] | @csv)",
    "([S, B] | @tsv)",
    "(S | @sh)",
    "(S | @json)",
    "(S | split(\"a\") | join(\"-\"))",
    "(if B then S else S end)",
    "(\"a\" + S | sub(\"a\"; \"z\"))",
    "(\"b\" + S | gsub(\"[b-d]\"; \"\"))",
    "([S, S] | sort | .[0])",
    "(K * 86400 | todate)",
    "(S | [match(\"[a-z]\"; \"g\").string] | add | tostring)",
};
static const char *const arrays[] = {
    "[]",
    "[G]",
    "[N, S]",
    ".items",
    ".list",
    "(A + A)",
    "(A - [1, 2])",
    "[V, V, V]",
    "(A | map(V))",
    "(A | reverse)",
    "(A | sort)",
    "(A | unique)",
    "(A | .[1:])",
    "(A | .[:2])",
    "[range(K)]",
    "(O | keys)",
    "(O | to_entries)",
    "(A | map(select(V)))",
    "(A | group_by(type))",
    "(A | sort_by(type))",
    "(A | unique_by(type))",
    "(A | flatten)",
    "(A | flatten(1))",
    "[A[]]",
    "[limit(K; A[])]",
    "[paths]",
    "[A | .. ]",
    "[foreach (N, N) as $i (2; . + $i; [$i, .])]",
    "(S | explode)",
    "([[1, 2], A] | transpose)",
    "[A | tostream]",
    "[O | .[]]",
    "(A | del(.[0]))",
    "(A | to_entries | map(.key))",
    "[S | splits(\"a\")]",
    "(A | [.[] | V])",
    "[O | paths(type == \"number\")]",
    "(A | map(tojson) | sort)",
    "[label $f | G | ., break $f]",
    "[[1, 2], [3, 4]] | [combinations]",
    "(A | [.[:1][], .[1:][]])",
    "(try error([7]) catch .)",
    "(A | map(V) | map(V))",
    "[G, G]",
    "(A | . as [$a, $b] | [$b, $a])",
    "[path(.. | scalars)]",
};
static const char *const objects[] = {
    "{}",
    ".obj",
    ".items[0]",
    "{a: N}",
    "{a: V, b: S}",
    "{(S): V}",
    "(O + O)",
    "(O * O)",
    "(O | with_entries(.key |= . + \"k\"))",
    "(O | map_values(V))",
    "(O | .a = V)",
    "(O | .b |= V)",
    "(O | .c += N)",
    "(O | .d //= V)",
    "(O | del(.a))",
    "(O | setpath([\"p\", \"q\"]; V))",
    "(O | delpaths([[\"a\"], [\"b\"]]))",
    "{a: O, b: A}",
    "(reduce (A)[] as $i ({}; .[$i | tostring] = 1))",
    "(A | map({key: tostring, value: .}) | from_entries)",
    "(if B then O else O end)",
    "{a: (N, N)}",
    "(. as {s: $s, n: $n} | {s: $s, n: $n})",
    "(O | to_entries | from_entries)",
    "(O | tojson | fromjson)",
    "(O | walk(if type == \"number\" then . + 1 else . end))",
    "([O, O] | add)",
    "(O | . as $o | reduce keys[] as $k ({}; .[$k + \"1\"] = $o[$k]))",
    "(O | [tostream] | fromstream(.[]))",
};
static const char *const booleans[] = {
    "true",
    "false",
    "(N > N)",
    "(N <= N)",
    "(V == V)",
    "(V != V)",
    "(S < S)",
    "(B and B)",
    "(B or B)",
    "(B | not)",
    "(O | has(\"a\"))",
    "(A | has(1))",
    "(S | startswith(\"a\"))",
    "(S | endswith(\"c\"))",
    "(A | any(V))",
    "(A | all(V))",
    "(S | test(\"b.\"))",
    "(S | contains(\"b\"))",
    "(A | contains([1]))",
    "(O | contains({a: 1}))",
    "([G] | any)",
    "isempty(G)",
    "(V | IN(1, 2, \"a\"))",
    "(N | isnan | not)",
    "(V | in({\"a\": 1, \"bc\": 2})? // false)",
    "(A < A)",
    "(O <= O)",
    "(S | inside(\"abcd\"))",
};
static const char *const generators[] = {
    "V",
    "(V, V)",
    "A[]",
    "O[]",
    "empty",
    "range(K)",
    "(A[] | select(V))",
    "(G | V)",
    "(V | .. )",
    "(if B then G else G end)",
    "limit(K; G)",
    "first(G)",
    "(G, G)",
    "[try G catch \"c\"][]",
    "[(G)?][]",
    "[A | .[]?][]",
    "(G // G)",
    "recurse(if type == \"number\" and . < 3 then . + 1 else empty end)",
    "((G) as $x | [$x, V])",
    "(1 | while(. < 10; . * 2))",
    "(1 | until(. > 50; . * 3))",
    "((A) as [$p, $q] | $p, $q)",
    "(label $l | G | if . then ., break $l else . end)",
    "(def f: if . > 2 then . else ., (. + 1 | f) end; K | f)",
    "path(..)",
    "(A | .[K, 0])",
    "(S | scan(\"[a-c]\"))",
    "(A | getpath([0], [1]))",
    "({a: G} | .a)",
    "(G | tojson)",
    "(foreach (G) as $x (0; . + 1; [., $x]))",
    "(reduce (G) as $x (0; . + 1))",
    "[(G | error(\"e\"))?][]",
};
static const char *const divisors[] = {"2", "3", "(-7)", "(K + 1)"};
static const char *const counts[]   = {"1", "2", "3"};

struct kind {
    char letter;
    const char *const *templates;
    uint32_t count;
    uint32_t leaves; /* the first ones have nothing inside */
};

static const struct kind kinds[] = {
    {'N', numbers, ARRAY_LEN(numbers), 7},   {'S', texts, ARRAY_LEN(texts), 5},
    {'A', arrays, ARRAY_LEN(arrays), 1},     {'O', objects, ARRAY_LEN(objects), 3},
    {'B', booleans, ARRAY_LEN(booleans), 2}, {'G', generators, ARRAY_LEN(generators), 1},
    {'D', divisors, ARRAY_LEN(divisors), 3}, {'K', counts, ARRAY_LEN(counts), 3},
};

static void generate(struct generator *g, char letter, uint32_t depth);

/* A letter is a placeholder if no other letter touches it: the names of functions are safe. */
static bool is_placeholder(const char *template, size_t at)
{
    static const char letters[] = "NSAOBVGDK";
    bool alone                  = (at == 0 || !isalpha((unsigned char)template[at - 1])) &&
                 !isalpha((unsigned char)template[at + 1]);
    return alone && strchr(letters, template[at]);
}

static void expand(struct generator *g, const char *template, uint32_t depth)
{
    for (size_t i = 0; template[i]; i++) {
        if (is_placeholder(template, i)) {
            generate(g, template[i], depth + 1);
        } else {
            (void)buf_put_byte(g->out, template[i]);
        }
    }
}

static void generate(struct generator *g, char letter, uint32_t depth)
{
    static const char any[] = "NSAOB";
    if (letter == 'V') {
        uint32_t choice = below(g, 9);
        if (choice == 0) put(g, "null");
        if (choice == 1) put(g, ".");
        if (choice < 2) return;
        letter = any[below(g, 5)];
    }
    if (letter == 'G' && depth >= DEPTH) letter = any[below(g, 5)];
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        if (kinds[i].letter != letter) continue;
        uint32_t count = depth >= DEPTH ? kinds[i].leaves : kinds[i].count;
        expand(g, kinds[i].templates[below(g, count)], depth);
    }
}

/* Each after {"n": and a digit. */
static void generate_input(struct generator *g)
{
    static const char *const inputs[] = {
        ",\"s\":\"abcabc\",\"obj\":{\"a\":1,\"b\":[1,2]},\"list\":[3,1,2],"
        "\"items\":[{\"x\":1,\"name\":\"ann\"},{\"x\":2,\"name\":\"bob\"}]}",
        ",\"s\":\"\",\"obj\":{},\"list\":[],\"items\":[]}",
        ".5,\"s\":\"zz a b\",\"obj\":{\"c\":null,\"a\":{\"b\":true}},"
        "\"list\":[[1],\"a\",null,{\"q\":2}],\"items\":[{\"x\":-1},{\"name\":\"c\"}]}",
    };
    (void)buf_printf(g->out, "{\"n\":%u", below(g, 10));
    put(g, inputs[below(g, ARRAY_LEN(inputs))]);
}

/* --- the two sides -----------------------------------------------------------------------------
 */

static bool write_file(const char *path, str text)
{
    FILE *file = fopen(path, "w");
    if (!file) return false;
    bool is_written = fwrite(text.ptr, 1, text.len, file) == text.len;
    return fclose(file) == 0 && is_written;
}

/* Our own outputs of `program`, which has exactly one. */
static json evaluate(const char *program, json input)
{
    CLEANUP(arena_freep) struct arena *arena = arena_new(1 << 16);
    CLEANUP(expr_freep) struct expr *expr    = NULL;
    struct error error                       = {};
    if (expr_compile(str_from(program), NULL, arena, &expr, NULL, &error) != STATUS_OK) {
        printf("FAILED does not compile here: %s: %s\n", program, error.text);
        return json_invalid();
    }
    struct expr_input given = {.value = input};
    json value              = json_invalid();
    if (expr_eval(expr, &given, &value, NULL, &error) != STATUS_OK) {
        printf("FAILED raises beyond try: %s: %s\n", program, error.text);
    }
    return value;
}

struct batch {
    char *programs[BATCH_PROGRAMS];
    json inputs; /* array */
    char folder[64];
};

static bool start_jq(const struct batch *batch, FILE **ret_output)
{
    char path[128];
    CLEANUP(buf_done) struct buf text = buf_init(LINE);
    (void)buf_put_text(&text, ".[] | (");
    for (int i = 0; i < BATCH_PROGRAMS; i++) {
        (void)buf_printf(&text, "%s(%s)", i > 0 ? ",\n" : "", batch->programs[i]);
    }
    (void)buf_put_text(&text, ")");
    (void)snprintf(path, sizeof path, "%s/program", batch->folder);
    if (!write_file(path, buf_str(&text))) return false;
    buf_clear(&text);
    (void)json_print(batch->inputs, JSON_COMPACT, &text);
    (void)snprintf(path, sizeof path, "%s/input", batch->folder);
    if (!write_file(path, buf_str(&text))) return false;
    char command[300];
    (void)snprintf(command, sizeof command, "jq -c -f %s/program %s/input", batch->folder,
                   batch->folder);
    *ret_output = popen(command, "r");
    return *ret_output != NULL;
}

static void complain(const char *program, json input, json ours, const char *theirs)
{
    CLEANUP(buf_done) struct buf text = buf_init(LINE);
    (void)buf_printf(&text, "FAILED %s\n       input ", program);
    (void)json_print(input, JSON_COMPACT, &text);
    (void)buf_put_text(&text, "\n       ours  ");
    if (ours.kind != JSON_INVALID) (void)json_print(ours, JSON_COMPACT, &text);
    (void)buf_printf(&text, "\n       jq's  %s", theirs);
    puts(buf_str(&text).ptr);
}

/* Counts the programs that differ; -1: jq did not do the batch. */
static int compare_batch(const struct batch *batch)
{
    static char line[LINE];
    FILE *output = NULL;
    int failed   = 0;
    if (!start_jq(batch, &output)) return -1;
    for (int i = 0; i < INPUTS; i++) {
        for (int k = 0; k < BATCH_PROGRAMS; k++) {
            CLEANUP(json_unrefp) json theirs = json_invalid();
            json input                       = json_at(batch->inputs, (size_t)i);
            if (!fgets(line, sizeof line, output) ||
                json_parse(str_from(line), NULL, &theirs, NULL, NULL) != STATUS_OK) {
                printf("FAILED jq stopped at %s\n", batch->programs[k]);
                (void)pclose(output);
                return -1;
            }
            CLEANUP(json_unrefp) json ours = evaluate(batch->programs[k], input);
            if (ours.kind == JSON_INVALID || !json_equal(ours, theirs)) {
                complain(batch->programs[k], input, ours, line);
                failed++;
            }
        }
    }
    (void)pclose(output);
    return failed;
}

static void generate_batch(struct generator *g, struct batch *batch)
{
    CLEANUP(buf_done) struct buf text = buf_init(LINE);
    g->out                            = &text;
    batch->inputs                     = json_array_new(INPUTS);
    for (int i = 0; i < INPUTS; i++) {
        json input = json_invalid();
        buf_clear(&text);
        generate_input(g);
        if (json_parse(buf_str(&text), NULL, &input, NULL, NULL) != STATUS_OK) abort();
        json_array_push(&batch->inputs, input);
    }
    for (int i = 0; i < BATCH_PROGRAMS; i++) {
        buf_clear(&text);
        put(g, "try [");
        generate(g, 'G', 0);
        put(g, "] catch \"raised\"");
        batch->programs[i] = buf_take(&text);
    }
}

int main(void)
{
    struct generator g = {.state = SEED};
    struct batch batch = {.folder = "/tmp/expr_differential_XXXXXX"};
    if (access("/usr/bin/jq", X_OK) != 0) {
        printf("skipped: there is no /usr/bin/jq\n");
        return 0;
    }
    if (!mkdtemp(batch.folder)) return 1;
    int failed = 0;
    for (int i = 0; i < BATCHES; i++) {
        generate_batch(&g, &batch);
        int result = compare_batch(&batch);
        failed += result < 0 ? 1 : result;
        for (int k = 0; k < BATCH_PROGRAMS; k++) free(batch.programs[k]);
        json_unref(batch.inputs);
    }
    printf("%d programs on %d inputs each, %d differ from jq\n", BATCHES * BATCH_PROGRAMS, INPUTS,
           failed);
    char path[128];
    (void)snprintf(path, sizeof path, "%s/program", batch.folder);
    (void)unlink(path);
    (void)snprintf(path, sizeof path, "%s/input", batch.folder);
    (void)unlink(path);
    return rmdir(batch.folder) != 0 || failed > 0;
}
