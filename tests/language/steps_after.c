/* Then: how the workflow ended, its output, and what was refused. */
#include "language/play.h"

#include "json/json_text.h"

enum { TEXT_MAX = 1 << 20 };

/* --- the end -----------------------------------------------------------------------------------
 */

/* The run after its end, which must be `wanted`. Owned. */
static json ended_as(struct play *play, const char *wanted)
{
    CLEANUP(json_unrefp) json run = play_end(play);
    if (json_is(run, JSON_INVALID)) return json_invalid();
    CLEANUP(json_unrefp) json expected = json_text_from(wanted);
    json got                           = json_get_text(run, "status");
    if (json_equal(expected, got)) return json_take(&run);
    json error = json_get_text(run, "error");
    json shown = json_is(error, JSON_INVALID) ? json_get_text(run, "output") : error;
    CLEANUP(buf_done) struct buf text = buf_init(TEXT_MAX);
    if (!json_is(shown, JSON_INVALID)) (void)json_print(shown, JSON_COMPACT, &text);
    (void)play_fail(play, "the run is " STR_FMT ", not %s: " STR_FMT, STR_ARG(json_str(got)),
                    wanted, STR_ARG(str_slice(buf_str(&text), 0, 1500)));
    return json_invalid();
}

static bool then_ends_as(struct play *play, const char *wanted)
{
    CLEANUP(json_unrefp) json run = ended_as(play, wanted);
    return !json_is(run, JSON_INVALID);
}

static bool then_completes(struct play *play, const struct gherkin_step *, const struct match *)
{
    return then_ends_as(play, "completed");
}

static bool then_faults(struct play *play, const struct gherkin_step *, const struct match *)
{
    return then_ends_as(play, "faulted");
}

static bool then_cancelled(struct play *play, const struct gherkin_step *, const struct match *)
{
    return then_ends_as(play, "cancelled");
}

static bool then_terminated(struct play *play, const struct gherkin_step *, const struct match *)
{
    return then_ends_as(play, "terminated");
}

static json output_of(struct play *play)
{
    CLEANUP(json_unrefp) json run = ended_as(play, "completed");
    if (json_is(run, JSON_INVALID)) return json_invalid();
    json output = json_get_text(run, "output");
    return json_is(output, JSON_INVALID) ? json_null() : json_ref(output);
}

static bool then_completes_with(struct play *play, const struct gherkin_step *step,
                                const struct match *)
{
    CLEANUP(json_unrefp) json expected = play_doc(play, step);
    if (json_is(expected, JSON_INVALID)) return false;
    CLEANUP(json_unrefp) json output = output_of(play);
    if (json_is(output, JSON_INVALID)) return false;
    return json_equal(expected, output) || play_differs(play, "output", expected, output);
}

/* Every member that is expected must be there and equal. */
static bool check_members(struct play *play, json expected, json got)
{
    for (size_t i = 0; i < json_count(expected); i++) {
        json member = json_get(got, json_key_at(expected, i));
        if (!json_equal(json_value_at(expected, i), member)) {
            return play_differs(play, "error", expected, got);
        }
    }
    return true;
}

static bool then_faults_with(struct play *play, const struct gherkin_step *step,
                             const struct match *)
{
    CLEANUP(json_unrefp) json expected = play_doc(play, step);
    if (json_is(expected, JSON_INVALID)) return false;
    CLEANUP(json_unrefp) json run = ended_as(play, "faulted");
    if (json_is(run, JSON_INVALID)) return false;
    return check_members(play, expected, json_get_text(run, "error"));
}

static bool then_error_says(struct play *play, const struct gherkin_step *,
                            const struct match *match)
{
    CLEANUP(json_unrefp) json run = ended_as(play, "faulted");
    if (json_is(run, JSON_INVALID)) return false;
    json detail = json_get_text(json_get_text(run, "error"), "detail");
    str text    = json_is(detail, JSON_TEXT) ? json_str(detail) : (str){"", 0};
    str wanted  = match->arguments[0];
    if (memmem(text.ptr, text.len, wanted.ptr, wanted.len)) return true;
    return play_fail(play, "the error's detail is \"" STR_FMT "\", without \"" STR_FMT "\"",
                     STR_ARG(text), STR_ARG(wanted));
}

/* --- output ------------------------------------------------------------------------------------
 */

static json property_of(json output, str path)
{
    json direct = json_get(output, path); /* a key may hold a dot */
    return json_is(direct, JSON_INVALID) ? value_at_path(output, path) : direct;
}

static bool then_has_properties(struct play *play, const struct gherkin_step *,
                                const struct match *match)
{
    CLEANUP(json_unrefp) json output = output_of(play);
    if (json_is(output, JSON_INVALID)) return false;
    str names[MATCH_LIST_MAX];
    size_t count = match_list(match->arguments[0], names, MATCH_LIST_MAX);
    for (size_t i = 0; i < count; i++) {
        if (!json_is(property_of(output, names[i]), JSON_INVALID)) continue;
        CLEANUP(json_unrefp) json name = json_text_new(names[i]);
        return play_differs(play, "a property is missing", name, output);
    }
    return count > 0;
}

static bool then_has_no_property(struct play *play, const struct gherkin_step *,
                                 const struct match *match)
{
    CLEANUP(json_unrefp) json output = output_of(play);
    if (json_is(output, JSON_INVALID)) return false;
    json value = property_of(output, match->arguments[0]);
    if (json_is(value, JSON_INVALID)) return true;
    return play_differs(play, "a property is there", json_invalid(), value);
}

static bool then_property_is(struct play *play, const struct gherkin_step *step,
                             const struct match *match)
{
    CLEANUP(json_unrefp) json expected = play_doc(play, step);
    CLEANUP(json_unrefp) json output   = output_of(play);
    if (json_is(expected, JSON_INVALID) || json_is(output, JSON_INVALID)) return false;
    json value = property_of(output, match->arguments[0]);
    return json_equal(expected, value) || play_differs(play, "property", expected, value);
}

static bool then_property_counts(struct play *play, const struct gherkin_step *,
                                 const struct match *match)
{
    CLEANUP(json_unrefp) json output = output_of(play);
    if (json_is(output, JSON_INVALID)) return false;
    json value  = property_of(output, match->arguments[0]);
    bool is_set = json_is(value, JSON_ARRAY) || json_is(value, JSON_OBJECT);
    if (is_set && json_count(value) == match_number(match->arguments[1])) return true;
    return play_differs(play, "number of items", json_int(match_number(match->arguments[1])),
                        value);
}

/* --- a run that has not ended ------------------------------------------------------------------
 */

static bool then_status(struct play *play, const struct gherkin_step *, const struct match *match)
{
    if (play->refused) return play_fail(play, "the %s was refused", play->refused);
    CLEANUP(json_unrefp) json run = play_view(play);
    if (json_is(run, JSON_INVALID)) return false;
    json got = json_get_text(run, "status");
    if (str_equal(json_str(got), match->arguments[0])) return true;
    CLEANUP(json_unrefp) json wanted = json_text_new(match->arguments[0]);
    return play_differs(play, "status", wanted, got);
}

static bool then_took(struct play *play, const struct gherkin_step *, const struct match *match)
{
    CLEANUP(json_unrefp) json run = play_view(play);
    if (json_is(run, JSON_INVALID)) return false;
    int64_t wanted_us = match_duration_us(match->arguments[0]);
    int64_t got_us    = -1;
    (void)json_to_int(json_get_text(run, "taken_us"), &got_us);
    if (got_us == wanted_us) return true;
    if (got_us < 0) {
        play->is_hopeless = true;
        return play_fail(play, "time is measured in the core only: mark the scenario @core");
    }
    return play_differs(play, "microseconds", json_int(wanted_us), json_int(got_us));
}

static bool then_run_has(struct play *play, const struct gherkin_step *step,
                         const struct match *match)
{
    CLEANUP(json_unrefp) json expected = play_doc(play, step);
    CLEANUP(json_unrefp) json run      = play_view(play);
    if (json_is(expected, JSON_INVALID) || json_is(run, JSON_INVALID)) return false;
    json value = property_of(run, match->arguments[0]);
    return json_equal(expected, value) || play_differs(play, "of the run", expected, value);
}

/* --- refusals ----------------------------------------------------------------------------------
 */

static bool was_refused(struct play *play, const char *what)
{
    if (play->refused && strcmp(play->refused, what) == 0) return true;
    play->is_hopeless = true;
    return play_differs(play, "the definition was accepted, with findings", json_invalid(),
                        play->findings);
}

/* `line`, `column` 0: anywhere. */
static bool has_finding(const struct play *play, str code, const char *severity, uint32_t line,
                        uint32_t column)
{
    for (size_t i = 0; i < json_count(play->findings); i++) {
        json finding = json_at(play->findings, i);
        json kind    = json_get_text(finding, "severity");
        if (!str_equal(json_str(json_get_text(finding, "code")), code)) continue;
        if (severity && !str_is(json_str(kind), severity)) continue;
        int64_t at_line   = 0;
        int64_t at_column = 0;
        (void)json_to_int(json_get_text(finding, "line"), &at_line);
        (void)json_to_int(json_get_text(finding, "column"), &at_column);
        if (line > 0 && at_line != (int64_t)line) continue;
        if (column > 0 && at_column != (int64_t)column) continue;
        return true;
    }
    return false;
}

static bool finding(struct play *play, const struct match *match, const char *severity)
{
    uint32_t line   = match->count > 1 ? match_number(match->arguments[1]) : 0;
    uint32_t column = match->count > 2 ? match_number(match->arguments[2]) : 0;
    if (has_finding(play, match->arguments[0], severity, line, column)) return true;
    CLEANUP(json_unrefp) json code = json_text_new(match->arguments[0]);
    play->is_hopeless              = true;
    return play_differs(play, "findings", code, play->findings);
}

static bool then_refused(struct play *play, const struct gherkin_step *, const struct match *match)
{
    return was_refused(play, "definition") && (match->count == 0 || finding(play, match, "error"));
}

static bool then_accepted(struct play *play, const struct gherkin_step *, const struct match *)
{
    if (!play->refused && json_is(play->findings, JSON_ARRAY)) return true;
    play->is_hopeless = true;
    return play_differs(play, "the definition was refused", json_invalid(), play->findings);
}

static bool then_accepted_quietly(struct play *play, const struct gherkin_step *step,
                                  const struct match *match)
{
    if (!then_accepted(play, step, match)) return false;
    if (json_count(play->findings) == 0) return true;
    return play_differs(play, "findings", json_invalid(), play->findings);
}

static bool then_warned(struct play *play, const struct gherkin_step *step,
                        const struct match *match)
{
    return then_accepted(play, step, match) && finding(play, match, "warning");
}

static bool finding_says(struct play *play, const char *member, str wanted)
{
    for (size_t i = 0; i < json_count(play->findings); i++) {
        json text = json_get_text(json_at(play->findings, i), member);
        if (!json_is(text, JSON_TEXT)) continue;
        if (memmem(json_str(text).ptr, json_str(text).len, wanted.ptr, wanted.len)) return true;
    }
    CLEANUP(json_unrefp) json expected = json_text_new(wanted);
    return play_differs(play, member, expected, play->findings);
}

static bool then_finding_says(struct play *play, const struct gherkin_step *,
                              const struct match *match)
{
    return finding_says(play, "detail", match->arguments[0]);
}

static bool then_fix_says(struct play *play, const struct gherkin_step *, const struct match *match)
{
    return finding_says(play, "hint", match->arguments[0]);
}

static bool then_findings(struct play *play, const struct gherkin_step *, const struct match *match)
{
    size_t wanted = match_number(match->arguments[0]);
    if (json_count(play->findings) == wanted) return true;
    return play_differs(play, "number of findings", json_int((int64_t)wanted), play->findings);
}

static bool then_refused_with(struct play *play, const struct gherkin_step *,
                              const struct match *match)
{
    const char *what = arena_strdup(play->arena, match->arguments[0]);
    if (!play->refused || strcmp(play->refused, what) != 0) {
        play->is_hopeless = true;
        return play_fail(play, "the %s was not refused", what);
    }
    const char *code = play->refusal.code ? play->refusal.code : "";
    if (str_is(match->arguments[1], code)) return true;
    return play_fail(play, "the %s was refused with \"%s\" (%s), not \"" STR_FMT "\"", what, code,
                     play->refusal.text, STR_ARG(match->arguments[1]));
}

/* --- the API -----------------------------------------------------------------------------------
 */

static bool then_answer_status(struct play *play, const struct gherkin_step *,
                               const struct match *match)
{
    json got            = json_get_text(play->answer, "status");
    int64_t http_status = 0;
    bool is_number      = json_to_int(got, &http_status);
    if (is_number && http_status == (int64_t)match_number(match->arguments[0])) return true;
    play->is_hopeless = true;
    return play_differs(play, "status", json_int(match_number(match->arguments[0])), play->answer);
}

static bool check_answer(struct play *play, const struct gherkin_step *step, str path)
{
    CLEANUP(json_unrefp) json expected = play_doc(play, step);
    if (json_is(expected, JSON_INVALID)) return false;
    json value = property_of(json_get_text(play->answer, "body"), path);
    return json_equal(expected, value) || play_differs(play, "answer", expected, value);
}

static bool then_answer_has(struct play *play, const struct gherkin_step *step,
                            const struct match *match)
{
    play->is_hopeless = true;
    return check_answer(play, step, match->arguments[0]);
}

/* Asked again until it is so. */
static bool then_comes(struct play *play, const struct gherkin_step *step,
                       const struct match *match)
{
    return play_request(play, str_from("GET"), match->arguments[0], json_invalid()) &&
           check_answer(play, step, match->arguments[1]);
}

const struct step_rule then_steps[] = {
    {"the workflow should complete", then_completes},
    {"the workflow should complete with output:", then_completes_with},
    {"the workflow output should be:", then_completes_with},
    {"the workflow should fault", then_faults},
    {"the workflow should fault with error:", then_faults_with},
    {"the error should say {text}", then_error_says},
    {"the workflow should cancel", then_cancelled},
    {"the workflow should be cancelled", then_cancelled},
    {"the workflow should be terminated", then_terminated},
    {"the workflow output should have properties {list}", then_has_properties},
    {"the workflow output should have property {text}", then_has_properties},
    {"the workflow output should have a {text} property", then_has_properties},
    {"the workflow output should not have a {text} property", then_has_no_property},
    {"the workflow output should have a {text} property with value:", then_property_is},
    {"the workflow output should have a {text} property containing {number} items",
     then_property_counts},
    {"the run should be {word}", then_status},
    {"the run should have taken {duration}", then_took},
    {"the run's {text} should be:", then_run_has},
    {"the workflow should be refused", then_refused},
    {"the workflow should be refused with {word}", then_refused},
    {"the workflow should be refused with {word} at line {number}", then_refused},
    {"the workflow should be refused with {word} at line {number}, column {number}", then_refused},
    {"the workflow should be accepted", then_accepted},
    {"the workflow should be accepted without findings", then_accepted_quietly},
    {"the workflow should be accepted with warning {word}", then_warned},
    {"the workflow should be accepted with warning {word} at line {number}", then_warned},
    {"the workflow should be accepted with warning {word} at line {number}, column {number}",
     then_warned},
    {"the finding should say {text}", then_finding_says},
    {"the fix should say {text}", then_fix_says},
    {"there should be {number} findings", then_findings},
    {"the {word} should be refused with code {name}", then_refused_with},
    {"the answer should have status {number}", then_answer_status},
    {"the answer's {text} should be:", then_answer_has},
    {"the answer of {name} should come to have {text}:", then_comes},
    {},
};
