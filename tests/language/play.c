#include "language/play.h"

#include "base/clock.h"
#include "base/mem.h"
#include "yaml/yaml.h"
#include "json/json_text.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>

enum {
    FAILURE_MAX   = 256 << 10,
    VALUE_MAX     = 64 << 20,
    ARENA_MAX     = 64 << 20,
    LOOK_AGAIN_MS = 20, /* a live run that is not as it should be yet */
    LOOK_UNTIL_MS = 20'000,
    PATH_SIZE     = 1024,
    TEXT_FILE_MAX = 512 << 10, /* bytes: the most that a definition has */
    SHOWN_MAX     = 4 << 10,   /* bytes of a value in a failure */
};

/* --- failures ----------------------------------------------------------------------------------
 */

bool play_fail(struct play *play, const char *format, ...)
{
    char text[SHOWN_MAX];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    buf_clear(&play->failure);
    (void)buf_put_text(&play->failure, text);
    return false;
}

bool play_ok(struct play *play, status code, const struct error *error)
{
    if (code == STATUS_OK) return true;
    play->is_hopeless = true;
    return play_fail(play, "%s: %s", status_name(code), error->text);
}

static void put_shown(struct buf *out, json value)
{
    CLEANUP(buf_done) struct buf text = buf_init(VALUE_MAX);
    if (json_is(value, JSON_INVALID)) {
        (void)buf_put_text(out, "nothing");
        return;
    }
    (void)json_print(value, JSON_COMPACT, &text);
    (void)buf_put_str(out, str_slice(buf_str(&text), 0, SHOWN_MAX));
    if (text.len > SHOWN_MAX) (void)buf_put_text(out, " ...");
}

bool play_differs(struct play *play, const char *what, json expected, json got)
{
    buf_clear(&play->failure);
    (void)buf_printf(&play->failure, "%s\n    expected ", what);
    put_shown(&play->failure, expected);
    (void)buf_put_text(&play->failure, "\n    got      ");
    put_shown(&play->failure, got);
    return false;
}

/* --- values ------------------------------------------------------------------------------------
 */

static json parse_yaml(struct play *play, const char *text)
{
    CLEANUP(yaml_freep) struct yaml_document *document = NULL;
    struct error error                                 = {};
    if (yaml_parse(str_from(text), NULL, &document, &error) != STATUS_OK) {
        play->is_hopeless = true;
        (void)play_fail(play, "this is no YAML: %s", error.text);
        return json_invalid();
    }
    return json_ref(yaml_root(document));
}

json play_doc(struct play *play, const struct gherkin_step *step)
{
    if (step->doc) return parse_yaml(play, step->doc);
    (void)play_fail(play, "this step needs a doc string");
    return json_invalid();
}

const char *play_text(struct play *play, const char *folder, str name)
{
    char path[PATH_SIZE];
    (void)snprintf(path, sizeof path, "%s/" STR_FMT, folder, STR_ARG(name));
    FILE *file = fopen(path, "re");
    char *text = arena_alloc(play->arena, TEXT_FILE_MAX + 1);
    if (!file || !text) {
        (void)play_fail(play, "%s cannot be read", path);
        return NULL;
    }
    (void)fread(text, 1, TEXT_FILE_MAX, file); /* the rest stays NUL */
    (void)fclose(file);
    return text;
}

json play_file(struct play *play, const char *folder, str name)
{
    const char *text = play_text(play, folder, name);
    return text ? parse_yaml(play, text) : json_invalid();
}

json value_at_path(json value, str path)
{
    while (path.len > 0 && !json_is(value, JSON_INVALID)) {
        const char *dot = memchr(path.ptr, '.', path.len);
        str name        = str_slice(path, 0, dot ? (size_t)(dot - path.ptr) : path.len);
        if (json_is(value, JSON_ARRAY)) {
            bool is_index = name.len > 0 && name.ptr[0] >= '0' && name.ptr[0] <= '9';
            value         = is_index ? json_at(value, match_number(name)) : json_invalid();
        } else {
            value = json_get(value, name);
        }
        path = str_slice(path, name.len + 1, path.len);
    }
    return value;
}

json play_view(struct play *play)
{
    struct error error = {};
    json run           = json_invalid();
    if (!play_ok(play, play->backend->view(play->backend->context, &run, &error), &error)) {
        return json_invalid();
    }
    return run;
}

json play_history(struct play *play)
{
    struct error error = {};
    json events        = json_invalid();
    if (!play_ok(play, play->backend->history(play->backend->context, &events, &error), &error)) {
        return json_invalid();
    }
    return events;
}

/* Without a definition or a start there is no run; a signal that came too late does not end one. */
static bool has_no_run(const struct play *play)
{
    return play->refused &&
           (strcmp(play->refused, "definition") == 0 || strcmp(play->refused, "start") == 0);
}

json play_end(struct play *play)
{
    struct error error = {};
    if (has_no_run(play)) {
        play->is_hopeless = true;
        (void)play_fail(play, "the %s was refused: %s", play->refused, play->refusal.text);
        return json_invalid();
    }
    if (!play_ok(play, play->backend->finish(play->backend->context, &error), &error)) {
        return json_invalid();
    }
    play->has_ended = true;
    return play_view(play);
}

bool play_request(struct play *play, str method, str path, json body)
{
    struct error error = {};
    json_unref(json_take(&play->answer));
    status code =
        play->backend->request(play->backend->context, arena_strdup(play->arena, method),
                               arena_strdup(play->arena, path), body, &play->answer, &error);
    return play_ok(play, code, &error);
}

/* --- steps -------------------------------------------------------------------------------------
 */

static const struct step_rule *rule_in(const struct step_rule *rules, str text,
                                       struct match *ret_match)
{
    for (; rules->pattern; rules++) {
        if (pattern_matches(rules->pattern, text, ret_match)) return rules;
    }
    return NULL;
}

static const struct step_rule *rule_of(const struct gherkin_step *step, struct match *ret_match)
{
    str text                                  = str_from(step->text);
    const struct step_rule *const tables[][4] = {
        [GHERKIN_GIVEN] = {given_steps, outside_steps, function_steps, when_steps},
        [GHERKIN_WHEN]  = {when_steps, given_steps, outside_steps},
        [GHERKIN_THEN]  = {then_steps, history_steps},
    };
    for (size_t i = 0; i < ARRAY_LEN(tables[0]); i++) {
        if (!tables[step->kind][i]) continue;
        const struct step_rule *rule = rule_in(tables[step->kind][i], text, ret_match);
        if (rule) return rule;
    }
    return NULL;
}

static bool play_step(struct play *play, const struct gherkin_step *step)
{
    struct match match           = {};
    const struct step_rule *rule = rule_of(step, &match);
    play->is_hopeless            = false;
    if (!rule) return play_fail(play, "no such step: %s", step->text);
    bool is_live     = play->backend->is_live && step->kind == GHERKIN_THEN;
    int64_t until_ms = clock_mono_ms() + LOOK_UNTIL_MS;
    for (;;) {
        if (rule->run(play, step, &match)) return true;
        if (!is_live || play->is_hopeless || play->has_ended) return false;
        if (clock_mono_ms() >= until_ms) return false;
        const struct timespec pause = {.tv_nsec = LOOK_AGAIN_MS * 1'000'000L};
        (void)nanosleep(&pause, NULL);
    }
}

bool play_scenario(struct play *play, const struct gherkin_scenario *scenario, uint32_t *ret_line)
{
    struct error error = {};
    script_clear(play->script);
    play->arena   = arena_new(ARENA_MAX);
    play->failure = buf_init(FAILURE_MAX);
    *ret_line     = scenario->line;
    if (!play_ok(play, play->backend->begin(play->backend->context, &error), &error)) return false;
    play->functions = json_object_new(0);
    if (!play_offer(play, scenario)) return false;
    for (size_t i = 0; i < scenario->step_count; i++) {
        *ret_line = scenario->steps[i].line;
        if (!play_step(play, &scenario->steps[i])) return false;
    }
    return true;
}

void play_done(struct play *play)
{
    json_unref(json_take(&play->input));
    json_unref(json_take(&play->extra));
    json_unref(json_take(&play->findings));
    json_unref(json_take(&play->answer));
    json_unref(json_take(&play->functions));
    arena_free(play->arena);
    play->arena = NULL;
    buf_done(&play->failure);
}
