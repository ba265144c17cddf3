/* Then: what happened on the way, in the history and in the world outside. */
#include "language/play.h"

#include "json/json_text.h"

#include <stdio.h>

/* --- history -----------------------------------------------------------------------------------
 */

/* The history of the whole run. What is asked about order and numbers is asked at the end, but for
 * runs that are waiting. Owned. */
static json history_of(struct play *play)
{
    if (play->refused) {
        (void)play_fail(play, "the %s was refused: %s", play->refused, play->refusal.text);
        return json_invalid();
    }
    return play_history(play);
}

static bool is_type(json event, const char *type)
{
    json text = json_get_text(event, "type");
    return json_is(text, JSON_TEXT) && str_is(json_str(text), type);
}

/* A task by its name or by the end of its reference: "setRed", "do/0/setRed", "/do/0/setRed". */
static bool is_of_task(json event, str name)
{
    json task = json_get_text(event, "task");
    if (!json_is(task, JSON_TEXT)) return false;
    str reference = json_str(task);
    if (reference.len < name.len) return false;
    if (!str_equal(str_slice(reference, reference.len - name.len, reference.len), name)) {
        return false;
    }
    bool is_whole = reference.len == name.len || name.ptr[0] == '/';
    return is_whole || reference.ptr[reference.len - name.len - 1] == '/';
}

enum { NOWHERE = -1 };

static int64_t first_start(json events, str task)
{
    for (size_t i = 0; i < json_count(events); i++) {
        json event = json_at(events, i);
        if (is_type(event, "task.started") && is_of_task(event, task)) return (int64_t)i;
    }
    return NOWHERE;
}

/* The first (or last) task that started. */
static json start_at_end(json events, bool is_first)
{
    json found = json_invalid();
    for (size_t i = 0; i < json_count(events); i++) {
        json event = json_at(events, i);
        if (!is_type(event, "task.started")) continue;
        found = event;
        if (is_first) break;
    }
    return found;
}

static bool runs_at_end(struct play *play, str task, bool is_first)
{
    CLEANUP(json_unrefp) json events = history_of(play);
    if (json_is(events, JSON_INVALID)) return false;
    json event = start_at_end(events, is_first);
    if (is_of_task(event, task)) return true;
    CLEANUP(json_unrefp) json name = json_text_new(task);
    return play_differs(play, is_first ? "first task" : "last task", name,
                        json_get_text(event, "task"));
}

static bool then_first(struct play *play, const struct gherkin_step *, const struct match *match)
{
    return runs_at_end(play, match->arguments[0], true);
}

static bool then_last(struct play *play, const struct gherkin_step *, const struct match *match)
{
    return runs_at_end(play, match->arguments[0], false);
}

static bool in_order(struct play *play, str before, str after)
{
    CLEANUP(json_unrefp) json events = history_of(play);
    if (json_is(events, JSON_INVALID)) return false;
    int64_t first  = first_start(events, before);
    int64_t second = first_start(events, after);
    if (first != NOWHERE && second != NOWHERE && first < second) return true;
    return play_fail(play, STR_FMT " started as event %lld, " STR_FMT " as event %lld (-1: never)",
                     STR_ARG(before), (long long)first, STR_ARG(after), (long long)second);
}

static bool then_after(struct play *play, const struct gherkin_step *, const struct match *match)
{
    return in_order(play, match->arguments[1], match->arguments[0]);
}

static bool then_before(struct play *play, const struct gherkin_step *, const struct match *match)
{
    return in_order(play, match->arguments[0], match->arguments[1]);
}

static bool check_count(struct play *play, const char *type, str task, uint32_t wanted)
{
    CLEANUP(json_unrefp) json events = history_of(play);
    if (json_is(events, JSON_INVALID)) return false;
    uint32_t count = 0;
    for (size_t i = 0; i < json_count(events); i++) {
        json event = json_at(events, i);
        count += is_type(event, type) && (task.len == 0 || is_of_task(event, task));
    }
    if (count == wanted) return true;
    return play_fail(play, "%s " STR_FMT ": expected %u, got %u", type, STR_ARG(task), wanted,
                     count);
}

static bool then_runs_times(struct play *play, const struct gherkin_step *,
                            const struct match *match)
{
    return check_count(play, "task.started", match->arguments[0],
                       match_number(match->arguments[1]));
}

static bool then_never_runs(struct play *play, const struct gherkin_step *,
                            const struct match *match)
{
    return check_count(play, "task.started", match->arguments[0], 0);
}

static bool then_skipped(struct play *play, const struct gherkin_step *, const struct match *match)
{
    return check_count(play, "task.skipped", match->arguments[0], 1);
}

static bool then_task_was(struct play *play, const struct gherkin_step *, const struct match *match)
{
    const char *type = arena_printf(play->arena, "task." STR_FMT, STR_ARG(match->arguments[1]));
    return check_count(play, type, match->arguments[0], 1);
}

static bool then_events(struct play *play, const struct gherkin_step *, const struct match *match)
{
    const char *type = arena_strdup(play->arena, match->arguments[1]);
    return check_count(play, type, (str){"", 0}, match_number(match->arguments[0]));
}

static bool then_events_of(struct play *play, const struct gherkin_step *,
                           const struct match *match)
{
    const char *type = arena_strdup(play->arena, match->arguments[1]);
    return check_count(play, type, match->arguments[2], match_number(match->arguments[0]));
}

/* The lines are found in this order; others may stand between them. A line is a type, and a task
 * if one is named. */
static bool then_history(struct play *play, const struct gherkin_step *step, const struct match *)
{
    CLEANUP(json_unrefp) json events = history_of(play);
    if (json_is(events, JSON_INVALID)) return false;
    size_t at = 0;
    for (size_t i = 0; i < step->table.count; i++) {
        const struct gherkin_row *row = &step->table.rows[i];
        const char *task              = row->count > 1 ? row->cells[1] : "";
        for (;; at++) {
            json event = json_at(events, at);
            if (json_is(event, JSON_INVALID)) {
                play->is_hopeless = false;
                return play_fail(play, "there is no `%s %s` after the lines before it",
                                 row->cells[0], task);
            }
            if (!is_type(event, row->cells[0])) continue;
            if (!*task || is_of_task(event, str_from(task))) break;
        }
        at++;
    }
    return step->table.count > 0 || play_fail(play, "this step needs a table");
}

/* --- the world outside -------------------------------------------------------------------------
 */

static bool check_asked(struct play *play, const char *name, uint32_t wanted)
{
    uint32_t count = script_count(play->script, name);
    if (count == wanted) return true;
    return play_fail(play, "%s: asked %u times, not %u", name ? name : "the server", count, wanted);
}

static bool then_called(struct play *play, const struct gherkin_step *, const struct match *match)
{
    return check_asked(play, arena_strdup(play->arena, match->arguments[0]),
                       match_number(match->arguments[1]));
}

/* As then_history(), of the calls of all functions. */
static bool then_called_in_order(struct play *play, const struct gherkin_step *step,
                                 const struct match *)
{
    size_t at = 0;
    for (size_t i = 0; i < step->table.count; i++) {
        const char *wanted = step->table.rows[i].cells[0];
        const char *called = script_called(play->script, at++);
        while (called && strcmp(called, wanted) != 0) called = script_called(play->script, at++);
        if (!called) return play_fail(play, "no call of %s after the lines before it", wanted);
    }
    return step->table.count > 0 || play_fail(play, "this step needs a table");
}

static const char *endpoint_in(struct play *play, str method, str target)
{
    const char *scheme = memmem(target.ptr, target.len, "://", 3);
    if (scheme) target = str_slice(target, (size_t)(scheme - target.ptr) + 3, target.len);
    return arena_printf(play->arena, STR_FMT " " STR_FMT, STR_ARG(method), STR_ARG(target));
}

static bool then_requests(struct play *play, const struct gherkin_step *, const struct match *match)
{
    return check_asked(play, NULL, match_number(match->arguments[0]));
}

static bool then_requests_of(struct play *play, const struct gherkin_step *,
                             const struct match *match)
{
    return check_asked(play, endpoint_in(play, match->arguments[1], match->arguments[2]),
                       match_number(match->arguments[0]));
}

/* Objects need only hold the members that are expected, at every level. No recursion: features are
 * small, but so is a stack of pairs. */
static bool holds(json expected, json got)
{
    enum { PAIRS_MAX = 256 };
    json pairs[PAIRS_MAX][2] = {{expected, got}};
    size_t count             = 1;
    while (count > 0) {
        json wanted = pairs[--count][0];
        json value  = pairs[count][1];
        if (!json_is(wanted, JSON_OBJECT)) {
            if (!json_equal(wanted, value)) return false;
            continue;
        }
        for (size_t i = 0; i < json_count(wanted); i++) {
            if (count == PAIRS_MAX) return false;
            pairs[count][0]   = json_value_at(wanted, i);
            pairs[count++][1] = json_get(value, json_key_at(wanted, i));
        }
    }
    return true;
}

static bool check_call(struct play *play, const struct gherkin_step *step, const char *name,
                       uint32_t number)
{
    CLEANUP(json_unrefp) json expected = play_doc(play, step);
    if (json_is(expected, JSON_INVALID)) return false;
    const char *text              = script_asked(play->script, name, number);
    CLEANUP(json_unrefp) json got = json_invalid();
    if (text && json_parse(str_from(text), NULL, &got, NULL, NULL) != STATUS_OK) {
        return play_fail(play, "what was sent is no JSON");
    }
    return holds(expected, got) || play_differs(play, name ? name : "request", expected, got);
}

static bool then_called_with(struct play *play, const struct gherkin_step *step,
                             const struct match *match)
{
    return check_call(play, step, arena_strdup(play->arena, match->arguments[0]), 0);
}

static bool then_call_was(struct play *play, const struct gherkin_step *step,
                          const struct match *match)
{
    return check_call(play, step, arena_strdup(play->arena, match->arguments[1]),
                      match_number(match->arguments[0]));
}

static bool then_request_was(struct play *play, const struct gherkin_step *step,
                             const struct match *match)
{
    return check_call(play, step, NULL, match_number(match->arguments[0]));
}

static bool then_last_request(struct play *play, const struct gherkin_step *step,
                              const struct match *)
{
    return check_call(play, step, NULL, 0);
}

const struct step_rule history_steps[] = {
    {"{name} should run first", then_first},
    {"{name} should run last", then_last},
    {"{name} should run after {name}", then_after},
    {"{name} should run before {name}", then_before},
    {"the task {name} should run {number} times", then_runs_times},
    {"the task {name} should run {number} time", then_runs_times},
    {"the task {name} should not run", then_never_runs},
    {"the task {name} should be skipped", then_skipped},
    {"the task {name} should be {word}", then_task_was},
    {"the history should have {number} {name}", then_events},
    {"the history should have {number} {name} of {name}", then_events_of},
    {"the history should have in this order:", then_history},
    {"the function {name} should be called {number} times", then_called},
    {"the function {name} should be called {number} time", then_called},
    {"the function {name} should be called with:", then_called_with},
    {"functions should be called in this order:", then_called_in_order},
    {"call {number} of the function {name} should be:", then_call_was},
    {"the server should get {number} requests", then_requests},
    {"the server should get {number} request", then_requests},
    {"the server should get {number} requests of {word} {name}", then_requests_of},
    {"the server should get {number} request of {word} {name}", then_requests_of},
    {"request {number} should be:", then_request_was},
    {"the last request should be:", then_last_request},
    {},
};
