/* Given: what the world outside answers. */
#include "language/play.h"

#include "workflow/errors.h"
#include "json/json_text.h"

#include <stdio.h>

enum { TEXT_MAX = 64 << 20, NAME_MAX_BYTES = 1024 };

static bool add(struct play *play, const char *name, const struct script_answer *answer)
{
    struct error error = {};
    return play_ok(play, script_add(play->script, name, answer, &error), &error);
}

static const char *name_of(struct play *play, const struct match *match)
{
    return arena_strdup(play->arena, match->arguments[0]);
}

/* --- functions ---------------------------------------------------------------------------------
 */

static bool add_json(struct play *play, const char *name, struct script_answer answer, json value)
{
    CLEANUP(buf_done) struct buf text = buf_init(TEXT_MAX);
    (void)json_print(value, JSON_COMPACT, &text);
    answer.body = text.ptr;
    return add(play, name, &answer);
}

static bool answers(struct play *play, const struct gherkin_step *step, const char *name,
                    struct script_answer answer)
{
    CLEANUP(json_unrefp) json value = play_doc(play, step);
    return !json_is(value, JSON_INVALID) && add_json(play, name, answer, value);
}

static bool function_answers(struct play *play, const struct gherkin_step *step,
                             const struct match *match)
{
    return answers(play, step, name_of(play, match), (struct script_answer){});
}

static bool function_answers_times(struct play *play, const struct gherkin_step *step,
                                   const struct match *match)
{
    return answers(play, step, name_of(play, match),
                   (struct script_answer){.times = match_number(match->arguments[1])});
}

static bool function_echoes(struct play *play, const struct gherkin_step *,
                            const struct match *match)
{
    return add(play, name_of(play, match), &(struct script_answer){.kind = SCRIPT_ECHO});
}

static bool function_is_silent(struct play *play, const struct gherkin_step *,
                               const struct match *match)
{
    return add(play, name_of(play, match), &(struct script_answer){.kind = SCRIPT_NEVER});
}

/* An HTTP status as the suite's own workers would report it. */
static bool fails_with_status(struct play *play, const struct match *match, uint32_t times)
{
    uint32_t http_status = match_number(match->arguments[1]);
    CLEANUP(json_unrefp)
    json error                        = error_new(ERROR_COMMUNICATION, http_status,
                                                  str_from("the stand-in was told to fail"), (str){});
    const struct script_answer answer = {
        .kind         = SCRIPT_FAIL,
        .is_transient = http_status >= 500 || http_status == 408 || http_status == 429,
        .times        = times,
    };
    return add_json(play, name_of(play, match), answer, error);
}

static bool function_fails(struct play *play, const struct gherkin_step *,
                           const struct match *match)
{
    return fails_with_status(play, match, 0);
}

static bool function_fails_times(struct play *play, const struct gherkin_step *,
                                 const struct match *match)
{
    return fails_with_status(play, match, match_number(match->arguments[2]));
}

static bool function_fails_with(struct play *play, const struct gherkin_step *step,
                                const struct match *match)
{
    return answers(play, step, name_of(play, match), (struct script_answer){.kind = SCRIPT_FAIL});
}

static bool function_fails_with_transient(struct play *play, const struct gherkin_step *step,
                                          const struct match *match)
{
    return answers(play, step, name_of(play, match),
                   (struct script_answer){.kind = SCRIPT_FAIL, .is_transient = true});
}

/* --- endpoints ---------------------------------------------------------------------------------
 */

/* "GET https://a.test/x?y" becomes "GET a.test/x?y": the scheme has no part in a request. */
static const char *endpoint_of(struct play *play, const struct match *match)
{
    str target = match->arguments[1];
    for (size_t i = 0; i + 3 <= target.len; i++) {
        if (memcmp(target.ptr + i, "://", 3) != 0) continue;
        target = str_slice(target, i + 3, target.len);
        break;
    }
    return arena_printf(play->arena, STR_FMT " " STR_FMT, STR_ARG(match->arguments[0]),
                        STR_ARG(target));
}

/* YAML that is no text goes out as JSON. */
static bool server_answers(struct play *play, const struct gherkin_step *step,
                           const struct match *match, uint32_t times)
{
    struct script_answer answer = {.times       = times,
                                   .http_status = (int)match_number(match->arguments[2])};
    if (!step->doc) return add(play, endpoint_of(play, match), &answer);
    CLEANUP(json_unrefp) json value = play_doc(play, step);
    if (json_is(value, JSON_INVALID)) return false;
    if (json_is(value, JSON_TEXT)) {
        answer.body = arena_strdup(play->arena, json_str(value));
        answer.type = "text/plain; charset=utf-8";
        return add(play, endpoint_of(play, match), &answer);
    }
    answer.type = "application/json";
    return add_json(play, endpoint_of(play, match), answer, value);
}

static bool server_answers_always(struct play *play, const struct gherkin_step *step,
                                  const struct match *match)
{
    return server_answers(play, step, match, 0);
}

static bool server_answers_times(struct play *play, const struct gherkin_step *step,
                                 const struct match *match)
{
    return server_answers(play, step, match, match_number(match->arguments[3]));
}

static bool server_cuts(struct play *play, const struct gherkin_step *, const struct match *match)
{
    return add(play, endpoint_of(play, match), &(struct script_answer){.kind = SCRIPT_FAIL});
}

static bool server_is_silent(struct play *play, const struct gherkin_step *,
                             const struct match *match)
{
    return add(play, endpoint_of(play, match), &(struct script_answer){.kind = SCRIPT_NEVER});
}

static bool answer_has_header(struct play *play, const struct gherkin_step *,
                              const struct match *match)
{
    struct error error = {};
    status code = script_add_header(play->script, arena_strdup(play->arena, match->arguments[0]),
                                    arena_strdup(play->arena, match->arguments[1]), &error);
    return play_ok(play, code, &error);
}

static bool answer_is_undone_by(struct play *play, const struct gherkin_step *step,
                                const struct match *)
{
    CLEANUP(json_unrefp) json calls = play_doc(play, step);
    if (json_is(calls, JSON_INVALID)) return false;
    CLEANUP(buf_done) struct buf text = buf_init(TEXT_MAX);
    (void)json_print(calls, JSON_COMPACT, &text);
    struct error error = {};
    return play_ok(play, script_add_undo(play->script, text.ptr, &error), &error);
}

const struct step_rule outside_steps[] = {
    {"the function {name} answers:", function_answers},
    {"the function {name} answers {number} times:", function_answers_times},
    {"the function {name} answers with its input", function_echoes},
    {"the function {name} never answers", function_is_silent},
    {"the function {name} fails with status {number}", function_fails},
    {"the function {name} fails with status {number} {number} times", function_fails_times},
    {"the function {name} fails with error:", function_fails_with},
    {"the function {name} fails with transient error:", function_fails_with_transient},
    {"the server answers {word} {name} with status {number}", server_answers_always},
    {"the server answers {word} {name} with status {number}:", server_answers_always},
    {"the server answers {word} {name} with status {number} {number} times", server_answers_times},
    {"the server answers {word} {name} with status {number} {number} times:", server_answers_times},
    {"the server answers {word} {name} with a cut connection", server_cuts},
    {"the server answers {word} {name} never", server_is_silent},
    {"it is undone by:", answer_is_undone_by},
    {"its answer has the header {text} {text}", answer_has_header},
    {},
};
