/*
 * The notes for other runtimes. Expressions are looked at where they are compiled; all else is
 * found in the definition as it was written, since most of it is not what a task becomes but how it
 * was said. Notes do not displace findings: they come in a list of their own, which is added last.
 */
#include "workflow/portability.h"

#include "workflow/task_read.h"
#include "json/json_pointer.h"

#include <stdarg.h>
#include <stdio.h>

enum { NESTING_MAX = 64 /* strings and interpolations in an expression */ };

PRINTF_LIKE(5, 6)
static void note(struct reader *reader, const char *code, struct yaml_place where, const char *fix,
                 const char *format, ...)
{
    char detail[512];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(detail, sizeof detail, format, args);
    va_end(args);
    struct diagnostic *finding =
        diagnostics_add(reader->notes, code, SEVERITY_NOTE, buf_str(&reader->pointer), where.line,
                        where.column, "%s", detail);
    if (fix) diagnostic_hint(reader->notes, finding, "%s", fix);
}

/* --- expressions ------------------------------------------------------------------------------ */

static bool is_name_start(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_name_part(char c)
{
    return is_name_start(c) || (c >= '0' && c <= '9');
}

/* Builtins that jq 1.7 does not have; `arity` 1 only counts with an argument. */
static const struct {
    const char *name;
    unsigned arity;
} newer[] = {
    {"add", 1},  {"have_decnum", 0}, {"ltrim", 0},     {"rtrim", 0},   {"skip", 1},
    {"trim", 0}, {"trimstr", 1},     {"toboolean", 0}, {"toarray", 0}, {"@urid", 0},
};

static void check_word(struct reader *reader, str source, size_t offset, size_t from, size_t to)
{
    str word    = str_slice(source, from, to);
    size_t next = to;
    while (next < source.len && source.ptr[next] == ' ') next++;
    bool has_argument = next < source.len && source.ptr[next] == '(';
    for (size_t i = 0; i < ARRAY_LEN(newer); i++) {
        if (!str_is(word, newer[i].name) || (newer[i].arity > 0) != has_argument) continue;
        note(reader, "P06", text_place(reader, offset + from),
             "say it with what jq 1.7 has, if another runtime has to understand it",
             "`%s`%s is newer than jq 1.7", newer[i].name,
             newer[i].arity ? " with an argument" : "");
    }
}

/* A walk over the words of a program outside of its strings. */
struct walk {
    str source;
    size_t at;
    char open[NESTING_MAX]; /* '"' or '(' of an interpolation */
    size_t depth;
};

static void walk_open(struct walk *walk, char bracket)
{
    if (walk->depth < NESTING_MAX) walk->open[walk->depth++] = bracket;
}

static void step_in_string(struct walk *walk)
{
    char c = walk->source.ptr[walk->at];
    if (c == '"') {
        walk->depth--;
    } else if (c == '\\' && walk->at + 1 < walk->source.len) {
        walk->at++;
        if (walk->source.ptr[walk->at] == '(') walk_open(walk, '(');
    }
}

static void skip_while(struct walk *walk, bool (*is_inside)(char c))
{
    while (walk->at + 1 < walk->source.len && is_inside(walk->source.ptr[walk->at + 1])) walk->at++;
}

static bool is_of_line(char c)
{
    return c != '\n';
}

/* Fields (`.add`), variables (`$trim`) and keys (`add:`) are no words. */
static void step_over_word(struct walk *walk, struct reader *reader, size_t offset)
{
    str source  = walk->source;
    size_t from = walk->at;
    skip_while(walk, is_name_part);
    size_t end    = walk->at + 1;
    bool is_other = from > 0 && strchr(".$:", source.ptr[from - 1]);
    bool is_key   = end < source.len && source.ptr[end] == ':';
    if (!is_other && !is_key) check_word(reader, source, offset, from, end);
}

static void step_in_program(struct walk *walk, struct reader *reader, size_t offset)
{
    char c = walk->source.ptr[walk->at];
    if (c == '"') {
        walk_open(walk, '"');
    } else if (c == '(' && walk->depth > 0) {
        walk_open(walk, '(');
    } else if (c == ')' && walk->depth > 0) {
        walk->depth--;
    } else if (c == '#') {
        skip_while(walk, is_of_line);
    } else if (is_name_start(c) || c == '@') {
        step_over_word(walk, reader, offset);
    }
}

static void check_words(struct reader *reader, str source, size_t offset)
{
    for (struct walk walk = {.source = source}; walk.at < source.len; walk.at++) {
        if (walk.depth > 0 && walk.open[walk.depth - 1] == '"') {
            step_in_string(&walk);
        } else {
            step_in_program(&walk, reader, offset);
        }
    }
}

static void check_steps(struct reader *reader, str source, size_t offset)
{
    static const char name[] = "$steps";
    const char *at           = memmem(source.ptr, source.len, name, sizeof name - 1);
    size_t from              = at ? (size_t)(at - source.ptr) : 0;
    note(reader, "P01", text_place(reader, offset + from),
         "`export.as` of that task, and `$context`", "no other runtime has `$steps`");
}

void portability_of_expression(struct reader *reader, str source, size_t offset, uint32_t used)
{
    if (!reader->notes) return;
    if (used & (1U << VARIABLE_STEPS)) check_steps(reader, source, offset);
    check_words(reader, source, offset);
}

/* --- members of the definition ---------------------------------------------------------------- */

/* Steps to a member, or to one of a member, "backoff/exponential", that is there; false and no step
 * otherwise. */
static bool enter(struct reader *reader, json map, const char *path, size_t *ret_back,
                  json *ret_value)
{
    size_t back = reader->pointer.len;
    json value  = map;
    for (str rest = str_from(path); rest.len > 0;) {
        const char *slash = memchr(rest.ptr, '/', rest.len);
        str key           = str_slice(rest, 0, slash ? (size_t)(slash - rest.ptr) : rest.len);
        value             = json_get(value, key);
        if (json_is(value, JSON_INVALID)) {
            pointer_leave(reader, back);
            return false;
        }
        (void)pointer_enter(reader, key);
        rest = str_slice(rest, key.len + (slash != NULL), rest.len);
    }
    *ret_back  = back;
    *ret_value = value;
    return true;
}

static void note_member(struct reader *reader, json map, const char *path, const char *code,
                        const char *fix, const char *detail)
{
    size_t back;
    json value;
    if (!enter(reader, map, path, &back, &value)) return;
    note(reader, code, key_place(reader), fix, "%s", detail);
    pointer_leave(reader, back);
}

/* What `metadata.tutti` changes about results. */
static const struct {
    const char *key, *detail, *fix;
} conventions[] = {
    {"saga", "elsewhere `saga` is ignored: nothing is undone", "a `try` whose `catch.do` undoes"},
    {"compensate", "elsewhere `compensate` is ignored: nothing is undone",
     "a `try` whose `catch.do` undoes"},
    {"retry", "elsewhere `retry` is ignored: a failure is not tried again",
     "a `try` around the task, with `catch.retry`"},
    {"parallel",
     "elsewhere `parallel` is ignored: one iteration after the other, and the output is that of "
     "the "
     "last",
     "a `fork` where the number of branches is known"},
    {"deadLetter", "elsewhere `deadLetter` is ignored: nothing is kept of a failure",
     "a `try` whose `catch.do` emits `dev.tutti.deadletter.v1`"},
    {"onExhausted", "elsewhere `onExhausted` is ignored: a call that was tried in vain faults",
     NULL},
    {"cache", "elsewhere `cache` is ignored: the function is called every time", NULL},
};

static void check_metadata(struct reader *reader, json owner)
{
    size_t back;
    json tutti;
    if (!enter(reader, owner, "metadata/tutti", &back, &tutti)) return;
    for (size_t i = 0; i < ARRAY_LEN(conventions); i++) {
        note_member(reader, tutti, conventions[i].key, "P02", conventions[i].fix,
                    conventions[i].detail);
    }
    note_member(reader, tutti, "approval/payload", "P02", NULL,
                "elsewhere `payload` is ignored: the decision does not carry it");
    pointer_leave(reader, back);
}

/* --- retries ---------------------------------------------------------------------------------- */

static void check_policy(struct reader *reader, json policy)
{
    note_member(reader, policy, "backoff/exponential/multiplier", "P04", NULL,
                "elsewhere `multiplier` is ignored: runtimes have a factor of their own");
    note_member(reader, policy, "backoff/exponential/maxDelay", "P04",
                "`limit.duration` bounds all of it",
                "elsewhere `maxDelay` is ignored: waits grow without bound");
}

static void check_policies(struct reader *reader, json root)
{
    size_t back;
    json retries;
    if (!enter(reader, root, "use/retries", &back, &retries)) return;
    for (size_t i = 0; i < json_count(retries) && json_is(retries, JSON_OBJECT); i++) {
        size_t innermost = pointer_enter(reader, json_key_at(retries, i));
        check_policy(reader, json_value_at(retries, i));
        pointer_leave(reader, innermost);
    }
    pointer_leave(reader, back);
}

/* --- tasks ------------------------------------------------------------------------------------ */

static const char only_main[] = "leave it out for runtimes of 1.0.3";

static void check_catch(struct reader *reader, json definition)
{
    size_t back;
    json catch;
    if (!enter(reader, definition, "catch", &back, &catch)) return;
    bool has_do = !json_is(json_get_text(catch, "do"), JSON_INVALID);
    size_t inner;
    json retry;
    if (enter(reader, catch, "retry", &inner, &retry)) {
        if (has_do) {
            note(
                reader, "P07", key_place(reader),
                "two `try`s, one in the other: the inner one with `retry`, the outer one with `do`",
                "runtimes read `retry` beside `do` in three ways");
        }
        check_policy(reader, retry);
        pointer_leave(reader, inner);
    }
    note_member(reader, catch, "errors/with/detail", "P05", "`details`, for runtimes of 1.0.3",
                "only the main dialect calls it `detail`");
    note_member(reader, catch, "then", "P05", only_main, "only the main dialect has `catch.then`");
    pointer_leave(reader, back);
}

/* The six calls of the language, functions of the document and those of other catalogs are
 * everybody's; what is left is ours. */
static bool is_ours(const struct reader *reader, str call)
{
    static const char *const calls[] = {"http", "openapi", "grpc", "asyncapi", "a2a", "mcp"};
    for (size_t i = 0; i < ARRAY_LEN(calls); i++) {
        if (str_is(call, calls[i])) return false;
    }
    json functions = json_get_text(json_get_text(reader->workflow->document, "use"), "functions");
    const char *at = call.len ? memchr(call.ptr, '@', call.len) : NULL;
    str catalog = at ? str_slice(call, (size_t)(at - call.ptr) + 1, call.len) : str_from("default");
    bool is_default = str_is(catalog, "default");
    bool is_url     = memmem(call.ptr, call.len, "://", 3) != NULL;
    return is_default && !is_url && json_is(json_get(functions, call), JSON_INVALID);
}

static void check_call(struct reader *reader, json definition)
{
    size_t back;
    json call;
    if (!enter(reader, definition, "call", &back, &call)) return;
    if (json_is(call, JSON_TEXT) && is_ours(reader, json_str(call))) {
        str name = shown(json_str(call));
        note(reader, "P03", value_place(reader),
             "declare a function of this name in `use.functions`, or call the service by HTTP",
             "`" STR_FMT "` is a function of tutti, with its default of retries", STR_ARG(name));
    }
    pointer_leave(reader, back);
}

static void check_loop(struct reader *reader, json definition)
{
    size_t back;
    json loop;
    if (!enter(reader, definition, "for", &back, &loop)) return;
    if (json_is(json_get_text(loop, "in"), JSON_ARRAY)) {
        note_member(reader, loop, "in", "P05", "an expression that yields the list",
                    "only the main dialect has a list in `for.in`");
    }
    pointer_leave(reader, back);
}

static void check_emit(struct reader *reader, json definition)
{
    json event = json_get_text(json_get_text(definition, "emit"), "event");
    json with  = json_get_text(event, "with");
    if (!json_is(with, JSON_OBJECT)) return;
    if (!json_is(json_get_text(with, "source"), JSON_INVALID)) return;
    size_t back = pointer_enter(reader, str_from("emit"));
    note(reader, "P05", key_place(reader), "give the event a `source`",
         "only the main dialect emits without `source`");
    pointer_leave(reader, back);
}

static void check_task(struct reader *reader, json definition)
{
    check_metadata(reader, definition);
    check_call(reader, definition);
    check_loop(reader, definition);
    check_emit(reader, definition);
    check_catch(reader, definition);
    size_t back = reader->pointer.len;
    json retry  = json_pointer_get(definition, str_from("/metadata/tutti/retry"));
    if (!json_is(retry, JSON_OBJECT)) return;
    (void)pointer_enter(reader, str_from("metadata"));
    (void)pointer_enter(reader, str_from("tutti"));
    (void)pointer_enter(reader, str_from("retry"));
    check_policy(reader, retry);
    pointer_leave(reader, back);
}

void portability_check(struct reader *reader)
{
    if (!reader->notes) return;
    json root = reader->workflow->document;
    buf_clear(&reader->pointer);
    size_t back = pointer_enter(reader, str_from("document"));
    check_metadata(reader, json_get_text(root, "document"));
    pointer_leave(reader, back);
    note_member(reader, root, "evaluate", "P05", only_main, "only the main dialect has `evaluate`");
    size_t inner;
    json schedule;
    if (enter(reader, root, "schedule", &inner, &schedule)) {
        note_member(reader, schedule, "read", "P05", only_main,
                    "only the main dialect has `schedule.read`");
        pointer_leave(reader, inner);
    }
    check_policies(reader, root);
    for (uint32_t i = 0; i < reader->draft_count; i++) {
        str reference    = str_from(reader->drafts[i]->task.reference);
        struct jump jump = pointer_jump(reader, reference);
        check_task(reader, json_pointer_get(root, reference));
        pointer_return(reader, &jump);
    }
    for (size_t i = 0; i < reader->notes->count && reader->list->count < DIAGNOSTICS_MAX; i++) {
        reader->list->items[reader->list->count++] = reader->notes->items[i];
    }
}
