#include "generate.h"

#include "base/attr.h"

#include <ctype.h>
#include <string.h>

enum { DEPTH = 4 };

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

/* What 1.6 does not know, or does wrongly: for 1.7. Messages of errors differ, so they are not
 * shown. In 1.7 a reduce or foreach with several starts goes on from where the start before ended,
 * and ?// takes the end of a `first` for an error: neither occurs. */
static const struct {
    char letter;
    const char *template;
} newer[] = {
    {'N', "(N | if . > 2 then . + 1 end)"},
    {'N', "([limit(0; G)] | length)"},
    {'N', "(O | pick(.a) | length)"},
    {'N', "(N | pow(.; 2))"},
    {'N', "(N | [., 1] | min_by(-.))"},
    {'N', "(try error(null) catch 1)"},
    {'N', "(\"\" + S | ltrimstr(\"a\") | length)"},
    {'N', "(\"2015-03-05T23:51:47Z\" | strptime(\"%Y-%m-%dT%H:%M:%SZ\") | mktime)"},
    {'N', "(K * 86400 | gmtime | mktime)"},
    {'N', "(A | getpath([0, \"x\"])? // 4 | numbers // 5)"},
    {'S', "(S | @uri)"},
    {'S', "(S | @html)"},
    {'S', "(K * 86400 | strftime(\"%Y-%m-%d %H:%M\"))"},
    {'S', "@json \"v: \\(V)\""},
    {'S', "@sh \"echo \\(S)\""},
    {'S', "(\"\" + S | ltrimstr(\"\" + S))"},
    {'S', "(\"\" + S | rtrimstr(\"\" + S))"},
    {'A', "(A | pick(.[1]))"},
    {'A', "(A | pick(first))"},
    {'A', "(A | del(.[1], .[0]))"},
    {'A', "(A | .[-1:])"},
    {'A', "(A | .[1:] = [V])"},
    {'A', "(A | .[] |= V)"},
    {'A', "(A | (.[0], .[1]) = V)"},
    {'A', "(A | map(. as {a: $x} ?// [$x] | $x))"},
    {'A', "(A | sort_by(V))"},
    {'A', "(A | group_by(V))"},
    {'A', "(A | sort_by(type, .))"},
    {'A', "(A | map(select(V)) | map(V))"},
    {'A', "[A | limit(2; .[])]"},
    {'A', "[A[] | try error catch .]"},
    {'A', "[G | try error({a: .}) catch .a]"},
    {'A', "(A | to_entries)"},
    {'A', "(A | until(length < 2; .[1:]))"},
    {'A', "(A | walk(if type == \"array\" then reverse else . end))"},
    {'A', "([A, A] | transpose)"},
    {'A', "(A | [limit(3; repeat(1))])"},
    {'A', "([A | combinations(1)])"},
    {'O', "(O | pick(.a))"},
    {'O', "(O | pick(.a, .b))"},
    {'O', "(O | .[\"a\", \"b\"] = V)"},
    {'O', "(O | del(..))"},
    {'O', "(O | with_entries(select(.value | V)))"},
    {'O', "(O | to_entries | map(.value |= V) | from_entries)"},
    {'O', "(O | paths as $p | {p: $p})"},
    {'O', "(O | .a += V)"},
    {'O', "(O | .a |= (., 1))"},
    {'O', "({} | .a.b.c = V)"},
    {'O', "({a: 1} * {a: {b: V}})"},
    {'O', "(A | INDEX(type))"},
    {'B', "(V | IN(A[]))"},
    {'B', "(A | any(.[]; V))"},
    {'B', "(A | all(.[]; V))"},
    {'B', "(O | has(\"a\", \"b\"))"},
    {'G', "(A | .[]?.a?)"},
    {'N', "(\"a\" + S | [match(\"a\"; \"ig\").offset] | length)"},
    {'S', "(\"ab\" + S | gsub(\"(?<l>[a-c])\"; \"<\\(.l)>\"))"},
    {'A', "[S | ascii_upcase | scan(\"b\"; \"i\")]"},
    {'A', "[S | ascii_upcase | splits(\"a+\"; \"i\")]"},
    {'B', "(S | ascii_upcase | test(\"b\"; \"i\"))"},
    {'G', "(A | .[].a?)"},
    {'G', "(A | .[][0]?)"},
    {'G', "(A | .[][1:]?)"},
    {'G', "(O | .[][]?)"},
    {'G', "(V | .a?.b?)"},
    {'G', "(G | ..)"},
    {'G', "(G | if V then . end)"},
    {'G', "(A | to_entries[])"},
    {'G', "(O | to_entries[] | .value)"},
    {'G', "limit(0; G)"},
    {'G', "(G | getpath([\"a\"])?)"},
    {'G', "(A | first, last)"},
    {'G', "(try (G, error(\"x\")) catch (if . == \"x\" then . else \"e\" end))"},
    {'G', "(label $a | label $b | G, break $b, 1)"},
    {'G', "(def f(g): g, g; f(G))"},
    {'G', "(def f($x; g): $x, g; f(V; G))"},
    {'G', "(G | tostream)"},
    {'G', "fromstream(V | tostream)"},
    {'G', "(V | paths)"},
    {'G', "(V | [paths(..)][])"},
    {'G', "(V | tojson | fromjson)"},
    {'G', "([V, V, V] | min_by(type), max_by(type))"},
    {'G', "([G] | .[1:3][])"},
};

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

/* A template of that kind among the newer ones; false if there is none. */
static bool expand_newer(struct generator *g, char letter, uint32_t depth)
{
    uint32_t count = 0;
    for (size_t i = 0; i < ARRAY_LEN(newer); i++) count += newer[i].letter == letter;
    if (count == 0) return false;
    uint32_t chosen = below(g, count);
    for (size_t i = 0; i < ARRAY_LEN(newer); i++) {
        if (newer[i].letter != letter || chosen-- > 0) continue;
        expand(g, newer[i].template, depth);
        break;
    }
    return true;
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
        bool is_leaf   = depth >= DEPTH;
        uint32_t count = is_leaf ? kinds[i].leaves : kinds[i].count;
        if (g->is_newer && !is_leaf && below(g, 2) == 0 && expand_newer(g, letter, depth)) return;
        expand(g, kinds[i].templates[below(g, count)], depth);
    }
}

/* Each after {"n": and a digit. */
void generate_input(struct generator *g)
{
    static const char *const inputs[] = {
        ",\"s\":\"abcabc\",\"obj\":{\"a\":1,\"b\":[1,2]},\"list\":[3,1,2],"
        "\"items\":[{\"x\":1,\"name\":\"ann\"},{\"x\":2,\"name\":\"bob\"}]}",
        ",\"s\":\"\",\"obj\":{},\"list\":[],\"items\":[]}",
        ",\"s\":\"a,b;c\",\"obj\":{\"b\":\"x\",\"a\":[{\"a\":2}]},\"list\":[true,false,null,0],"
        "\"items\":[{\"x\":null},{\"x\":7,\"name\":\"\"}]}",
        ".5,\"s\":\"zz a b\",\"obj\":{\"c\":null,\"a\":{\"b\":true}},"
        "\"list\":[[1],\"a\",null,{\"q\":2}],\"items\":[{\"x\":-1},{\"name\":\"c\"}]}",
    };
    (void)buf_printf(g->out, "{\"n\":%u", below(g, 10));
    put(g, inputs[below(g, ARRAY_LEN(inputs))]);
}

void generate_program(struct generator *g)
{
    put(g, "try [");
    generate(g, 'G', 0);
    put(g, "] catch \"raised\"");
}
