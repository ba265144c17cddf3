/* Expressions: what programs yield, what does not compile and why, and where budgets end. */
#include "expr/expr.h"

#include "cmocka.h"
#include "json/json_text.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

static json parsed(const char *text)
{
    static const struct json_limits limits = {
        .depth_max = 10'000, .values_max = 1'000'000, .allow_nan = true};
    json value = json_invalid();
    assert_int_equal(json_parse(str_from(text), &limits, &value, NULL, NULL), STATUS_OK);
    return value;
}

static struct expr *compiled(const char *source, const struct expr_names *names)
{
    CLEANUP(arena_freep) struct arena *arena = arena_new(1 << 16);
    struct expr *expr                        = NULL;
    struct error error                       = {};
    if (expr_compile(str_from(source), names, arena, &expr, NULL, &error) != STATUS_OK) {
        fail_msg("%s: %s", source, error.text);
    }
    return expr;
}

/* --- what programs yield -----------------------------------------------------------------------
 */

/* clang-format off */
static const struct row {
    const char *name;
    const char *program;
    const char *input;
    const char *outputs; /* as the elements of an array */
} rows[] = {
    {"identity",                        ".",                          "5",            "[5]"},
    {"nothing is identity",             "",                           "5",            "[5]"},
    {"a path",                          ".a.b[1]",                    "{\"a\":{\"b\":[1,2]}}", "[2]"},
    {"a path through null",             ".a.b[1]",                    "null",         "[null]"},
    {"a negative index",                ".[-1]",                      "[1,2]",        "[2]"},
    {"the right side is the outer loop","(1,2) + (10,20)",            "null",         "[11,12,21,22]"},
    {"keys before values",              "{(\"a\",\"b\"): (1,2)}",     "null",
     "[{\"a\":1},{\"a\":2},{\"b\":1},{\"b\":2}]"},
    {"the last argument is outer",      "[pow(2,3; 1,2)]",            "null",         "[[2,3,4,9]]"},
    {"the last part of a string is outer", "\"\\(1,2)\\(3,4)\"",      "null",
     "[\"13\",\"23\",\"14\",\"24\"]"},
    {"a constant in a string is formatted too", "@sh \"echo \\(\"a b\")\", @json \"\\(\"x\")\"", "null",
     "[\"echo 'a b'\",\"\\\"x\\\"\"]"},
    {"a mark belongs to the last step", ".[].a?",               "[1,{\"a\":2},null]", "[2,null]"},
    {"a mark after a key that is computed", "[.[] | .[1,0]?], [.[][\"a\",\"b\"]?]", "[[1],{\"b\":3},4]", "[[null,1],[null,3]]"},
    {"a mark after a slice",            "[.[][1:]?, .[][:1 + 1]?]", "[[1,2],3,\"ab\"]", "[[[2],\"b\",[1,2],\"ab\"]]"},
    {"a mark after all members",        "[.[][]?]",                   "[[1,2],3,{\"a\":4}]", "[[1,2,4]]"},
    {"a mark is no mark for what is before it", "try (.a.b?) catch \"no\"", "1",       "[\"no\"]"},
    {"a mark around parentheses ends them", "[(.[].a)?]",             "[{\"a\":1},2,{\"a\":3}]", "[[1]]"},
    {"a mark keeps paths",              "[path(.[].a?)], [paths] == [path(..)|select(length>0)]", "[{\"a\":1},2]", "[[[0,\"a\"]],true]"},
    {"a mark in an update",             "(.[].a?) |= 7",              "[{\"a\":1},2]",  "[[{\"a\":7},2]]"},
    {"two marks",                       "[.[].a??]",                  "[2,{\"a\":1}]",  "[[1]]"},
    {"base32 and back",                 "@base32, (@base32 | @base32d)", "\"hub\"", "[\"NB2WE===\",\"hub\"]"},
    {"integers are exact",              ". + 1",                      "9007199254740993", "[9007199254740994]"},
    {"integers overflow into doubles",  ". + 1",                      "9223372036854775807", "[9223372036854775808.0]"},
    {"exact division stays whole",      "9007199254740993 / 3",       "null",         "[3002399751580331]"},
    {"inexact division is a double",    "1 / 4",                      "null",         "[0.25]"},
    {"the smallest integer modulo -1",  ". % -1",                     "-9223372036854775808", "[0]"},
    {"an input stays for its other users", "{a: ., b: (. + [1])}",    "[0]",          "[{\"a\":[0],\"b\":[0,1]}]"},
    {"an operand is no victim of the other", "tojson + .",            "\"a\"",        "[\"\\\"a\\\"a\"]"},
    {"doubling does not eat itself",    ". + .",                      "[1]",          "[[1,1]]"},
    {"forks keep what they come back to", "[1] as $x | ($x + [2]), $x", "null",       "[[1,2],[1]]"},
    {"a branch may change its copy only", "(. + [1]), .",             "[0]",          "[[0,1],[0]]"},
    {"reduce changes in place",         "reduce range(3) as $i ([]; . + [$i])", "null", "[[0,1,2]]"},
    {"reduce forgets when nothing comes", "reduce (1,2) as $x (0; empty)", "null",    "[null]"},
    {"reduce keeps the last of several", "reduce (1,2) as $x (0; ., 10 + $x)", "null", "[12]"},
    {"foreach",                         "[foreach (1,2,3) as $x (0; . + $x; [$x, .])]", "null",
     "[[[1,1],[2,3],[3,6]]]"},
    {"sub with one new text",           "sub(\"(?<l>[a-z])\"; .l + \"!\"), gsub(\"\";\"-\"), sub(\"z\"; \"y\")", "\"ab\"",
     "[\"a!b\",\"-a-b-\",\"ab\"]"},
    {"sub with several new texts",      "[sub(\"a\"; \"x\", \"y\"), gsub(\"[ab]\"; \"x\", \"y\"), sub(\"a\"; empty)]", "\"ab\"",
     "[[\"xb\",\"yb\",\"xx\",\"yy\",\"ab\"]]"},
    {"sub with what is no text",        "try sub(\"a\"; 1) catch \"no\"",  "\"ab\"",      "[\"no\"]"},
    {"scan with and without groups",    "[scan(\"[a-z]\")], [scan(\"([a-z])([0-9])?\")], [scan(\"B\"; \"i\")]", "\"a1b\"",
     "[[\"a\",\"b\"],[[\"a\",\"1\"],[\"b\",null]],[\"b\"]]"},
    {"one place is updated in place",   ".a.b = 1, (.a.b |= . + 1), (.a.c[1] = 2), (.a.b += 5), (.x //= 3)", "{\"a\":{\"b\":7}}",
     "[{\"a\":{\"b\":1}},{\"a\":{\"b\":8}},{\"a\":{\"b\":7,\"c\":[null,2]}},{\"a\":{\"b\":12}},{\"a\":{\"b\":7},\"x\":3}]"},
    {"an update that yields nothing deletes", "(.a |= empty), (.b[0] |= empty), (.z |= empty)", "{\"a\":1,\"b\":[2,3]}",
     "[{\"b\":[2,3]},{\"a\":1,\"b\":[3]},{\"a\":1,\"b\":[2,3]}]"},
    {"what was shared stays as it was", ". as $before | (.a.b[0] |= 9), $before, (.a.b = 1 | .a.b), .", "{\"a\":{\"b\":[1]}}",
     "[{\"a\":{\"b\":[9]}},{\"a\":{\"b\":[1]}},1,{\"a\":{\"b\":[1]}}]"},
    {"a key that is read from the input", ".[.[0]] = 9, (.[.[0]] |= [.]), try (.[.] = 1) catch \"no\"", "[1,5]",
     "[[1,9],[1,[5]],\"no\"]"},
    {"keys that are computed",          ".[.k] = 1, (.[.k] |= 2), (del(.[.k])), [path(.[.k])]", "{\"k\":\"n\",\"n\":0}",
     "[{\"k\":\"n\",\"n\":1},{\"k\":\"n\",\"n\":2},{\"k\":\"n\"},[[\"n\"]]]"},
    {"paths that are one place",        "path(.a.b), [path(.a, .b)], (try path(.a.b.c) catch \"no\"), path(.z[0].y)", "{\"a\":{\"b\":1}}",
     "[[\"a\",\"b\"],[[\"a\"],[\"b\"]],\"no\",[\"z\",0,\"y\"]]"},
    {"the input itself is a place",     "(. = 1), (. |= . + 1), (. += 2), (. //= 3), path(.), del(.)", "5",  "[1,6,7,5,[],null]"},
    {"del of one place",                "del(.a.b), del(.a.z), del(.q.r), del(.a), del(.)", "{\"a\":{\"b\":1}}",
     "[{\"a\":{}},{\"a\":{\"b\":1}},{\"a\":{\"b\":1}},{},null]"},
    {"errors that nobody reads",        "[.[] | (.a.b)?, (try .c catch .), (try error(.) catch .)]", "[1]",
     "[[\"Cannot index number with string (\\\"c\\\")\",1]]"},
    {"the inner handler reads",         "(try (try error(\"x\") catch (. + \"y\" | error)) catch .), ((try error(\"x\") catch error(.))?)", "null", "[\"xy\"]"},
    {"select in a branch",              "[.[] | if . > 1 then . * 10 else empty end, (if . then empty else 1 end)]", "[1,2,null]", "[[20,1]]"},
    {"alternatives of one value",       "(.a // .b), (.b // 1 | . + 1), [.a // .c // 3], (false // null // 4)", "{\"b\":2}", "[2,3,[3],4]"},
    {"tuples",                          "[.a, .b, [.c]], [1, .a // 0], [[.], .a], [.a, (.a, .b)]", "{\"a\":1,\"b\":2}",
     "[[1,2,[null]],[1,1],[[{\"a\":1,\"b\":2}],1],[1,1,2]]"},
    {"errors after try are not caught", "try ((try 1 catch 2) | error(\"x\")) catch .", "null", "[\"x\"]"},
    {"errors of a // are raised",       "try (error(\"x\") // 3) catch .", "null",    "[\"x\"]"},
    {"errors after // are not caught",  "try ((1 // 2) | error(\"x\")) catch .", "null", "[\"x\"]"},
    {"limit stops its source",          "[limit(2; 1, 2, error(\"x\"))]", "null",     "[[1,2]]"},
    {"first cuts",                      "first(range(10; 0; -1))",    "null",         "[10]"},
    {"a label of the right activation", "def f(g): label $l | g, break $l; [f(f(1, 2), 3)]", "null", "[[1,2,3]]"},
    {"break leaves the inner label alone", "[label $a | (label $b | 1, break $b, 2), 3, break $a, 4]", "null", "[[1,3]]"},
    {"a closure sees its own variables","def f(g): 1 as $x | g; 2 as $x | f($x)", "null", "[2]"},
    {"a function in a function",        "def f($n): def g: . + $n; g | g; 1 | f(10)", "null", "[21]"},
    {"recursion with closures",         "def w(f): if type == \"array\" then map(w(f)) else f end; w(. + 1)", "[1,[2]]", "[[2,[3]]]"},
    {"tail calls are free",             "def f: if . < 30000 then . + 1 | f else . end; f", "0", "[30000]"},
    {"mutual recursion",                "def even: if . == 0 then true else . - 1 | if . == 0 then false else . - 1 | even end end; even", "1000", "[true]"},
    {"paths",                           "[paths]",                    "{\"a\":[1]}",  "[[[\"a\"],[\"a\",0]]]"},
    {"a variable is a place if it is the input", "path(. as $x | $x | .a)", "{\"a\":1}", "[[\"a\"]]"},
    {"last knows its place",            "path(last(.a, .b))",         "{}",           "[[\"b\"]]"},
    {"limit knows its places",          "[path(limit(2; .a, .b, .c))]", "{}",         "[[[\"a\"],[\"b\"]]]"},
    {"getpath in a path",               "path(getpath([\"a\",0]) | .b)", "null",      "[[\"a\",0,\"b\"]]"},
    {"update deletes what becomes nothing", "(.[] | select(. > 1)) |= empty", "[1,2,3,0]", "[[1,0]]"},
    {"update takes the first",          ".a |= (1, error(\"x\"))",    "{}",           "[{\"a\":1}]"},
    {"an assignment per right side",    ".a = (1, 2)",                "{}",           "[{\"a\":1},{\"a\":2}]"},
    {"an assignment sees the whole",    ".a += .b",                   "{\"a\":1,\"b\":2}", "[{\"a\":3,\"b\":2}]"},
    {"a new member in place",           "reduce range(3) as $i ({}; .[\"k\\($i)\"] = $i)", "null", "[{\"k0\":0,\"k1\":1,\"k2\":2}]"},
    {"an assignment of the whole",      ".a = .",                     "{\"b\":1}",    "[{\"b\":1,\"a\":{\"b\":1}}]"},
    {"an update of nothing deletes",    ".a |= empty",                "{\"a\":1,\"b\":2}", "[{\"b\":2}]"},
    {"an update of nothing in null",    ".a.b |= empty",              "null",         "[null]"},
    {"a default",                       ".a //= 5 | .b //= 6",        "{\"a\":1}",    "[{\"a\":1,\"b\":6}]"},
    {"a computed place",                ".[.k + \"2\"] += 1",         "{\"k\":\"a\"}", "[{\"k\":\"a\",\"a2\":1}]"},
    {"the input of an update stays",    ". as $o | .a |= 2 | [., $o]", "{\"a\":1}",   "[[{\"a\":2},{\"a\":1}]]"},
    {"slices can be assigned",          ".[1:3] = [9]",               "[0,1,2,3]",    "[[0,9,3]]"},
    {"deleting in a slice",             "del(.[1:][0], .[2:][-1])",   "[0,1,2,3]",    "[[0,2]]"},
    {"alternative patterns",            ".[] as [$a] ?// $a | [$a]",  "[[1],2]",      "[[1],[2]]"},
    {"dates",                           "\"2024-02-29T12:00:00Z\" | fromdate | todate", "null", "[\"2024-02-29T12:00:00Z\"]"},
    {"names of days",                   "0 | strftime(\"%a %j %V\")", "null",         "[\"Thu 001 01\"]"},
    {"now is given",                    "now",                        "null",         "[1.5]"},
    {"replacing with names",            "gsub(\"(?<c>[a-z])(?<d>[0-9])\"; \"\\(.d)\\(.c)\")", "\"a1b2\"", "[\"1a2b\"]"},
    {"walk",                            "walk(if type == \"number\" then . + 1 else . end)", "[1,{\"a\":2}]", "[[2,{\"a\":3}]]"},
    {"tostream and back",               "fromstream(tostream)",       "{\"a\":[1,{\"b\":2}]}", "[{\"a\":[1,{\"b\":2}]}]"},
    {"comments",                        "1 # one\n+ 2",               "null",         "[3]"},
};
/* clang-format on */

static void check_row(void **state)
{
    const struct row *row                        = *state;
    CLEANUP(expr_freep) struct expr *expr        = compiled(row->program, NULL);
    CLEANUP(json_unrefp) json input              = parsed(row->input);
    CLEANUP(json_unrefp) json expected           = parsed(row->outputs);
    CLEANUP(json_unrefp) json outputs            = json_array_new(0);
    struct expr_input given                      = {.value = input, .now_us = 1'500'000};
    CLEANUP(expr_run_freep) struct expr_run *run = expr_run_new(expr, &given);
    for (;;) {
        json value         = json_invalid();
        struct error error = {};
        if (expr_run_next(run, &value, NULL, &error) != STATUS_OK) fail_msg("%s", error.text);
        if (value.kind == JSON_INVALID) break;
        json_array_push(&outputs, value);
    }
    CLEANUP(buf_done) struct buf text = buf_init(1 << 16);
    assert_true(json_print(outputs, JSON_COMPACT, &text));
    if (!json_equal(outputs, expected)) {
        fail_msg("%s: got %s", row->program, buf_str(&text).ptr);
    }
}

/* --- what does not compile ---------------------------------------------------------------------
 */

/* clang-format off */
static const struct fault_row {
    const char          *program;
    size_t               offset;
    enum expr_fault_kind kind;
    const char          *detail;
    const char          *name;
} faults[] = {
    {"1 +",            3, EXPR_FAULT_SYNTAX,   "syntax error, unexpected end of the expression", ""},
    {"{a:1",           4, EXPR_FAULT_SYNTAX,   "syntax error, unexpected end of the expression", ""},
    {".a + \u00fc",    5, EXPR_FAULT_SYNTAX,   "syntax error, unexpected \u00fc", ""},
    {".a == 1 == 2",   8, EXPR_FAULT_SYNTAX,   "syntax error, unexpected ==", ""},
    {"\"abc",          0, EXPR_FAULT_SYNTAX,   "syntax error, unexpected end of the expression", ""},
    {"\"a\\q\"",       3, EXPR_FAULT_SYNTAX,   "Invalid escape", ""},
    {"$foo",           0, EXPR_FAULT_VARIABLE, "$foo is not defined", "foo"},
    {". | bar(1)",     4, EXPR_FAULT_FUNCTION, "bar/1 is not defined", "bar"},
    {"map",            0, EXPR_FAULT_FUNCTION, "map/0 is not defined", "map"},
    {"break $x",       0, EXPR_FAULT_VARIABLE, "$*label-x is not defined", "x"},
    {"env.HOME",       0, EXPR_FAULT_FUNCTION, "env/0 is not available", "env"},
    {"$ENV.HOME",      0, EXPR_FAULT_VARIABLE, "$ENV is not available", "ENV"},
    {"input",          0, EXPR_FAULT_FUNCTION, "input/0 is not available", "input"},
    {"halt",           0, EXPR_FAULT_FUNCTION, "halt/0 is not available", "halt"},
    {"import \"a\" as a; .", 0, EXPR_FAULT_FUNCTION, "modules are not supported", "import"},
    {"\"a\xff\"",     2, EXPR_FAULT_SYNTAX,   "expression is not valid UTF-8", ""},
    {"@nope",          0, EXPR_FAULT_FUNCTION, "nope is not a valid format", "nope"},
};
/* clang-format on */

static void check_fault(void **state)
{
    const struct fault_row *row              = *state;
    CLEANUP(arena_freep) struct arena *arena = arena_new(1 << 16);
    struct expr *expr                        = NULL;
    struct expr_fault fault                  = {};
    assert_int_equal(expr_compile(str_from(row->program), NULL, arena, &expr, &fault, NULL),
                     STATUS_INVALID_ARGUMENT);
    assert_null(expr);
    assert_string_equal(fault.detail, row->detail);
    assert_string_equal(fault.name, row->name);
    assert_int_equal(fault.offset, row->offset);
    assert_int_equal(fault.kind, row->kind);
    assert_non_null(fault.hint);
}

/* --- variables ---------------------------------------------------------------------------------
 */

static const char *const variable_names[] = {"steps", "workflow", "item"};
static const struct expr_names names      = {variable_names, ARRAY_LEN(variable_names)};

static void variables_are_given(void **state)
{
    (void)state;
    CLEANUP(expr_freep) struct expr *expr = compiled("[$steps.a, $workflow, $item]", &names);
    CLEANUP(json_unrefp) json steps       = parsed("{\"a\":1}");
    json variables[]                      = {steps, json_invalid(), json_int(3)};
    struct expr_input input               = {.variables = variables};
    CLEANUP(json_unrefp) json value       = json_invalid();
    CLEANUP(json_unrefp) json expected    = parsed("[1,null,3]");
    assert_int_equal(expr_eval(expr, &input, &value, NULL, NULL), STATUS_OK);
    assert_true(json_equal(value, expected));
    assert_int_equal(expr_variables_used(expr), 7);
}

static void collect(str member, void *context)
{
    char *members = context;
    size_t len    = strlen(members);
    (void)snprintf(members + len, 64 - len, STR_FMT " ", STR_ARG(member));
}

static void members_are_known(void **state)
{
    (void)state;
    static const struct {
        const char *program;
        const char *members;
        bool is_exact;
    } uses[] = {
        {"$steps.a.b, $steps[\"c\"]", "a c ", true},
        {"$steps | .a", "", false},
        {"[$steps.a, $steps]", "a ", false},
        {"$steps[.x]", "", false},
        {"$item.a", "", true},
        {"map($steps.z)", "z ", true},
    };
    for (size_t i = 0; i < ARRAY_LEN(uses); i++) {
        CLEANUP(expr_freep) struct expr *expr = compiled(uses[i].program, &names);
        char members[64]                      = "";
        assert_int_equal(expr_members_used(expr, 0, collect, members), uses[i].is_exact);
        assert_string_equal(members, uses[i].members);
    }
}

/* What comes out must not need the program any more. */
static void values_outlive_programs(void **state)
{
    (void)state;
    static const char *const programs[] = {
        "\"text\"",
        "{\"key\": \"value\", n: [1, [\"deep\", {\"a\": {}}]]}",
        "{a: 1, b: .}",
        "[\"x\"][0]",
        "path(.a.b)",
        "[{\"x\": [\"y\"]}[] | .[]]",
        ".q = \"r\"",
        "null + \"z\"",
        "[\"a\", \"b\"] - [\"a\"]",
        "{\"a\": {\"b\": \"c\"}} * {\"a\": {\"d\": \"e\"}}",
        "{\"k\": 1} | to_entries",
        "\"abc\" | match(\"(?<n>b)\")",
        "error(\"e\")?, \"f\"",
        "{\"a\": 1} | with_entries(.value += 1)",
        "\"x\" | ltrimstr(\"a\")",
        "\"x\" | trimstr(\"y\")",
        "\"a-b\" | split(\"-\"), split(\"b\"; null)",
        "[1, \"b\"] | join(\"-\")",
        "setpath([\"a\", \"b\"]; [\"v\"])",
        "path(getpath([\"a\", \"b\"]))",
        "\"q\" as $x | [$x, $x, {$x}]",
        ".a // \"none\"",
        "[.a, \"b\"]",
        "\"\\(\"a\") b\"",
        "\"ab\" | sub(\"a\"; \"c\"), sub(\"z\"; \"c\")",
        "{(\"a\", \"b\"): \"c\"}",
        "[\"b\", \"a\"] | sort_by(.), group_by(\"k\"), max_by(\"k\"), index(\"a\")",
        "[limit(1; \"a\", \"b\")]",
        "reduce (\"a\", \"b\") as $x (\"\"; . + $x)",
        "first(\"a\", \"b\")",
        "if . then 1 else \"else\" end",
        "\"a text of more than sixty-four bytes, so that it is copied alone, not with others\"",
        "{} | del(.a), delpaths([[\"a\"]]) | . + {k: \"v\"}",
        "try error(\"raised\") catch .",
        "\"a\" | ascii_downcase, @json, tojson, tostring, ltrimstr(\"b\")",
        "[\"a\"] | contains([\"a\"]), tojson, . + [\"b\"]",
        ".k |= \"v\" | .k += \"w\" | .l //= \"x\"",
        "[.[]?, \"a\"] | map({key: ., value: \"v\"}) | from_entries",
    };
    for (size_t i = 0; i < ARRAY_LEN(programs); i++) {
        struct expr *expr               = compiled(programs[i], NULL);
        struct expr_input input         = {.value = json_null()};
        CLEANUP(json_unrefp) json value = json_invalid();
        assert_int_equal(expr_eval(expr, &input, &value, NULL, NULL), STATUS_OK);
        expr_free(expr);
        CLEANUP(buf_done) struct buf text = buf_init(1 << 16);
        assert_true(json_print(value, JSON_COMPACT, &text));
    }
}

static void *evaluate_often(void *context)
{
    const struct expr *expr = context;
    size_t good             = 0;
    for (int64_t i = 0; i < 50; i++) {
        json object = json_object_new(1);
        json_object_put_text(&object, "n", json_int(i));
        struct expr_input input = {.value = object};
        json value              = json_invalid();
        if (expr_eval(expr, &input, &value, NULL, NULL) == STATUS_OK) {
            good += str_is(json_str(value), "{\"k\":[\"b\",true]}");
        }
        json_unref(value);
        json_unref(object);
    }
    return good == 50 ? context : NULL;
}

/* For the thread sanitizer: constants, literal patterns and code are shared. */
static void threads_share_programs(void **state)
{
    (void)state;
    CLEANUP(expr_freep)
    struct expr *expr =
        compiled("{k: [(\"abc\" | match(\"b\").string), (.n >= 0)]} | tojson", NULL);
    pthread_t threads[4];
    for (size_t i = 0; i < ARRAY_LEN(threads); i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, evaluate_often, expr), 0);
    }
    for (size_t i = 0; i < ARRAY_LEN(threads); i++) {
        void *done = NULL;
        assert_int_equal(pthread_join(threads[i], &done), 0);
        assert_non_null(done);
    }
}

/* --- budgets and errors ------------------------------------------------------------------------
 */

static status eval_within(const char *program, const struct expr_limits *limits, char *text)
{
    CLEANUP(expr_freep) struct expr *expr = compiled(program, NULL);
    struct expr_input input               = {.value = json_null(), .limits = limits};
    CLEANUP(json_unrefp) json value       = json_invalid();
    struct error error                    = {};
    status result                         = expr_eval(expr, &input, &value, NULL, &error);
    (void)snprintf(text, ERROR_TEXT_MAX, "%s", error.text);
    return result;
}

static void fuel_ends(void **state)
{
    (void)state;
    char text[ERROR_TEXT_MAX];
    struct expr_limits limits = expr_limits_default();
    limits.fuel               = 100;
    assert_int_equal(eval_within("[range(1000)]", &limits, text), STATUS_RESOURCE_EXHAUSTED);
    assert_string_equal(text, "expression ran out of fuel");
    assert_int_equal(eval_within("[range(10)]", &limits, text), STATUS_OK);
    /* No handler catches a budget. */
    assert_int_equal(eval_within("try [range(1000)] catch 1", &limits, text),
                     STATUS_RESOURCE_EXHAUSTED);
}

/* What a deletion walks through or moves is paid for, however few instructions ask for it. */
static void deleting_costs_fuel(void **state)
{
    (void)state;
    static const char *const programs[] = {
        "([range(2000) | \"k\"] + [\"x\"]) as $path | (reduce range(2000) as $i ({x: 1}; {k: .})) |"
        " reduce range(300) as $i (.; delpaths([$path]))",
        "[range(2000) | {key: tostring, value: 1}] | from_entries |"
        " reduce range(1500) as $i (.; del(.[$i | tostring]))",
    };
    char text[ERROR_TEXT_MAX];
    struct expr_limits limits = expr_limits_default();
    limits.fuel               = 200'000;
    for (size_t i = 0; i < ARRAY_LEN(programs); i++) {
        assert_int_equal(eval_within(programs[i], &limits, text), STATUS_RESOURCE_EXHAUSTED);
        assert_string_equal(text, "expression ran out of fuel");
    }
}

static void memory_ends(void **state)
{
    (void)state;
    char text[ERROR_TEXT_MAX];
    struct expr_limits limits = expr_limits_default();
    limits.memory             = 100'000;
    assert_int_equal(eval_within("\"x\" * 200000", &limits, text), STATUS_RESOURCE_EXHAUSTED);
    assert_string_equal(text, "expression ran out of memory");
    assert_int_equal(eval_within("\"x\" * 20000", &limits, text), STATUS_OK);
}

static void depth_ends(void **state)
{
    (void)state;
    char text[ERROR_TEXT_MAX];
    struct expr_limits limits = expr_limits_default();
    limits.depth              = 10;
    const char *just          = "def f: if . > 8 then . else (. + 1 | f) + 1 end; 0 | f";
    const char *over          = "def f: if . > 20 then . else (. + 1 | f) + 1 end; 0 | f";
    assert_int_equal(eval_within(just, &limits, text), STATUS_OK);
    assert_int_equal(eval_within(over, &limits, text), STATUS_RESOURCE_EXHAUSTED);
    assert_string_equal(text, "expression ran out of call depth");
}

static void errors_have_values(void **state)
{
    (void)state;
    CLEANUP(expr_freep) struct expr *expr = compiled("error({a: 1})", NULL);
    struct expr_input input               = {.value = json_null()};
    json value                            = json_invalid();
    CLEANUP(json_unrefp) json raised      = json_invalid();
    CLEANUP(json_unrefp) json expected    = parsed("{\"a\":1}");
    struct error error                    = {};
    assert_int_equal(expr_eval(expr, &input, &value, &raised, &error), STATUS_INVALID_ARGUMENT);
    assert_true(json_equal(raised, expected));
    assert_string_equal(error.text, "(not a string): {\"a\":1}");
    assert_int_equal(value.kind, JSON_INVALID);
}

static void no_output_is_null(void **state)
{
    (void)state;
    CLEANUP(expr_freep) struct expr *expr = compiled("empty", NULL);
    struct expr_input input               = {.value = json_int(1)};
    json value                            = json_invalid();
    assert_int_equal(expr_eval(expr, &input, &value, NULL, NULL), STATUS_OK);
    assert_int_equal(value.kind, JSON_NULL);
}

static void source_is_bounded(void **state)
{
    (void)state;
    CLEANUP(arena_freep) struct arena *arena = arena_new(1 << 16);
    enum { SIZE = EXPR_SOURCE_MAX + 1 };
    char *source = malloc(SIZE);
    assert_non_null(source);
    memset(source, ' ', SIZE);
    source[0]               = '1';
    struct expr *expr       = NULL;
    struct expr_fault fault = {};
    str just                = {.ptr = source, .len = EXPR_SOURCE_MAX};
    str over                = {.ptr = source, .len = SIZE};
    assert_int_equal(expr_compile(just, NULL, arena, &expr, &fault, NULL), STATUS_OK);
    expr_free(expr);
    assert_int_equal(expr_compile(over, NULL, arena, &expr, &fault, NULL), STATUS_INVALID_ARGUMENT);
    assert_int_equal(fault.kind, EXPR_FAULT_LIMIT);
    static const char *const nests[] = {
        "(",   "[",       "{a:",       "-",       "try ", "1+(",   "\"\\(",
        "if ", "def f: ", ". as [[[[", "reduce ", ".[",   "1 // ", "def f(g): g; f("};
    for (size_t i = 0; i < ARRAY_LEN(nests); i++) {
        size_t len = strlen(nests[i]);
        for (size_t at = 0; at + len <= EXPR_SOURCE_MAX; at += len) {
            memcpy(source + at, nests[i], len);
        }
        assert_int_equal(expr_compile(just, NULL, arena, &expr, &fault, NULL),
                         STATUS_INVALID_ARGUMENT);
    }
    free(source);
}

int main(void)
{
    struct CMUnitTest tests[ARRAY_LEN(rows) + ARRAY_LEN(faults) + 11];
    size_t count = 0;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        tests[count++] = row_test(rows[i].name, check_row, &rows[i]);
    }
    for (size_t i = 0; i < ARRAY_LEN(faults); i++) {
        tests[count++] = row_test(faults[i].program, check_fault, &faults[i]);
    }
    tests[count++] = row_test("variables are given", variables_are_given, NULL);
    tests[count++] = row_test("members that are read", members_are_known, NULL);
    tests[count++] = row_test("values outlive programs", values_outlive_programs, NULL);
    tests[count++] = row_test("threads share programs", threads_share_programs, NULL);
    tests[count++] = row_test("fuel ends", fuel_ends, NULL);
    tests[count++] = row_test("deleting costs fuel", deleting_costs_fuel, NULL);
    tests[count++] = row_test("memory ends", memory_ends, NULL);
    tests[count++] = row_test("depth ends", depth_ends, NULL);
    tests[count++] = row_test("errors have values", errors_have_values, NULL);
    tests[count++] = row_test("no output is null", no_output_is_null, NULL);
    tests[count++] = row_test("the source is bounded", source_is_bounded, NULL);
    return cmocka_run_group_tests_name("expr", tests, NULL, NULL);
}
