#include "cli/test/outcome.h"

#include "base/mem.h"
#include "json/json_text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { TEXT_MAX = 8 << 10, PLACES_MAX = 100'000, VALUE_MAX = 64 << 20 };

static char *copy_of(str text)
{
    return mem_dup(text.ptr, text.len);
}

void outcome_done(struct outcome *outcome)
{
    size_t count = outcome->failure_count;
    if (count > OUTCOME_FAILURES_MAX) count = OUTCOME_FAILURES_MAX;
    for (size_t i = 0; i < count; i++) {
        free(outcome->failures[i].pointer);
        free(outcome->failures[i].text);
    }
    for (size_t i = 0; i < outcome->call_count; i++) {
        free(outcome->calls[i].function);
        free(outcome->calls[i].task);
        json_unref(outcome->calls[i].input);
    }
    free(outcome->calls);
    *outcome = (struct outcome){};
}

void outcome_fail(struct outcome *outcome, const char *pointer, const char *format, ...)
{
    size_t at = outcome->failure_count++;
    if (at >= OUTCOME_FAILURES_MAX) return;
    char text[TEXT_MAX];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    outcome->failures[at] =
        (struct failure){.pointer = copy_of(str_from(pointer)), .text = copy_of(str_from(text))};
}

void outcome_call(struct outcome *outcome, const char *function, const char *task, json input,
                  bool is_undo)
{
    if (outcome->call_count == outcome->call_capacity) {
        outcome->call_capacity = outcome->call_capacity ? 2 * outcome->call_capacity : 32;
        outcome->calls = mem_resize(outcome->calls, outcome->call_capacity, sizeof *outcome->calls);
    }
    outcome->calls[outcome->call_count++] = (struct made_call){
        .function = copy_of(str_from(function)),
        .task     = copy_of(str_from(task)),
        .input    = json_ref(input),
        .is_undo  = is_undo,
    };
}

void value_put(struct buf *out, json value)
{
    CLEANUP(buf_done) struct buf text = buf_init(VALUE_MAX);
    if (json_is(value, JSON_INVALID)) {
        (void)buf_put_text(out, "nothing");
        return;
    }
    (void)json_print(value, JSON_COMPACT, &text);
    bool is_long = text.len > SHOWN_MAX;
    (void)buf_put_str(out, str_slice(buf_str(&text), 0, is_long ? SHOWN_MAX : text.len));
    if (is_long) (void)buf_put_text(out, "…");
}

/* --- comparing ----------------------------------------------------------------------------------
 *
 * Pairs of values that are still to be compared stand in a list, so that depth costs no stack.
 */

struct pair {
    char *pointer; /* owned; NULL: nobody asks where */
    json wanted, actual;
};

struct pairs {
    struct pair *items; /* owned */
    size_t count, capacity;
};

/* Takes `pointer`. NOLINTNEXTLINE(readability-non-const-parameter) */
static void pairs_push(struct pairs *pairs, char *pointer, json wanted, json actual)
{
    if (pairs->count == pairs->capacity) {
        pairs->capacity = pairs->capacity ? 2 * pairs->capacity : 64;
        pairs->items    = mem_resize(pairs->items, pairs->capacity, sizeof *pairs->items);
    }
    pairs->items[pairs->count++] = (struct pair){pointer, wanted, actual};
}

static void pairs_done(struct pairs *pairs)
{
    for (size_t i = 0; i < pairs->count; i++) free(pairs->items[i].pointer);
    free(pairs->items);
}

static char *below(const char *pointer, str name)
{
    if (!pointer) return NULL;
    CLEANUP(buf_done) struct buf text = buf_init(1 << 20);
    (void)buf_printf(&text, "%s/", pointer);
    for (size_t i = 0; i < name.len; i++) {
        if (name.ptr[i] == '~') {
            (void)buf_put_text(&text, "~0");
        } else if (name.ptr[i] == '/') {
            (void)buf_put_text(&text, "~1");
        } else {
            (void)buf_put_byte(&text, name.ptr[i]);
        }
    }
    return copy_of(buf_str(&text));
}

static char *below_index(const char *pointer, size_t index)
{
    char text[32];
    (void)snprintf(text, sizeof text, "%zu", index);
    return below(pointer, str_from(text));
}

static void differ(struct outcome *outcome, const char *pointer, json wanted, json actual)
{
    CLEANUP(buf_done) struct buf a = buf_init(TEXT_MAX);
    CLEANUP(buf_done) struct buf b = buf_init(TEXT_MAX);
    value_put(&a, wanted);
    value_put(&b, actual);
    outcome_fail(outcome, pointer, "expected %s, got %s", a.ptr, b.ptr);
}

/* Members that are there and were not expected. */
static bool has_others(struct outcome *outcome, const struct pair *pair)
{
    bool found = false;
    for (size_t i = 0; i < json_count(pair->actual); i++) {
        str key = json_key_at(pair->actual, i);
        if (!json_is(json_get(pair->wanted, key), JSON_INVALID)) continue;
        found = true;
        if (!outcome) return true;
        CLEANUP(buf_done) struct buf text = buf_init(TEXT_MAX);
        value_put(&text, json_value_at(pair->actual, i));
        outcome_fail(outcome, pair->pointer, "`" STR_FMT "` was not expected: %s", STR_ARG(key),
                     text.ptr);
    }
    return found;
}

/* Compares one pair, and puts what is in it onto the list; false: it differs. */
static bool compare_one(struct pairs *pairs, const struct pair *pair, bool is_partial,
                        struct outcome *outcome)
{
    json wanted = pair->wanted;
    json actual = pair->actual;
    if (json_is(wanted, JSON_OBJECT) && json_is(actual, JSON_OBJECT)) {
        bool is_good = is_partial || !has_others(outcome, pair);
        for (size_t i = 0; i < json_count(wanted); i++) {
            str key = json_key_at(wanted, i);
            pairs_push(pairs, below(pair->pointer, key), json_value_at(wanted, i),
                       json_get(actual, key));
        }
        return is_good;
    }
    bool is_list = json_is(wanted, JSON_ARRAY) && json_is(actual, JSON_ARRAY) &&
                   json_count(wanted) == json_count(actual);
    if (is_list) {
        for (size_t i = 0; i < json_count(wanted); i++) {
            pairs_push(pairs, below_index(pair->pointer, i), json_at(wanted, i),
                       json_at(actual, i));
        }
        return true;
    }
    bool is_same = !json_is(actual, JSON_INVALID) && json_equal(wanted, actual);
    if (!is_same && outcome) differ(outcome, pair->pointer, wanted, actual);
    return is_same;
}

static bool compare(struct outcome *outcome, const char *pointer, json wanted, json actual,
                    bool is_partial)
{
    CLEANUP(pairs_done) struct pairs pairs = {};
    bool is_good                           = true;
    pairs_push(&pairs, pointer ? copy_of(str_from(pointer)) : NULL, wanted, actual);
    for (size_t i = 0; i < pairs.count && i < PLACES_MAX; i++) {
        const struct pair pair = pairs.items[i]; /* the list may move */
        is_good &= compare_one(&pairs, &pair, is_partial, outcome);
        if (!is_good && !outcome) return false;
    }
    return is_good;
}

bool json_has(json actual, json wanted)
{
    return compare(NULL, NULL, wanted, actual, true);
}

void outcome_compare(struct outcome *outcome, const char *pointer, json wanted, json actual,
                     bool is_partial)
{
    (void)compare(outcome, pointer, wanted, actual, is_partial);
}
