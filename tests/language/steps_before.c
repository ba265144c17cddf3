/* Given and When: the workflow, its input, and what happens to the run. */
#include "language/play.h"

#include "base/hash.h"
#include "base/random.h"

#include "json/json_text.h"

static status put(struct play *play, const char *definition, struct error *reterr)
{
    json_unref(json_take(&play->findings));
    return play->backend->put(play->backend->context, str_from(definition), &play->findings,
                              reterr);
}

/* A refusal is an answer: the steps that follow say whether it was expected. */
static bool note(struct play *play, status code, const char *what, const struct error *error)
{
    switch ((int)code) {
    case STATUS_OK: return true;
    case STATUS_INVALID_ARGUMENT:
    case STATUS_NOT_FOUND:
    case STATUS_FAILED_PRECONDITION:
    case STATUS_ALREADY_EXISTS:
    case STATUS_PERMISSION_DENIED:
    case STATUS_RESOURCE_EXHAUSTED:
        play->refused = what;
        play->refusal = *error;
        return true;
    default: return play_ok(play, code, error);
    }
}

static bool put_first(struct play *play, const char *definition)
{
    struct error error   = {};
    play->has_definition = true;
    if (!note(play, put(play, definition, &error), "definition", &error)) return false;
    json findings = json_ref(play->findings); /* the steps that follow ask for those of this one */
    for (size_t i = 0; i < play->other_count && !play->refused; i++) {
        if (!play_ok(play, put(play, play->others[i], &error), &error)) break;
    }
    json_unref(json_take(&play->findings));
    play->findings    = findings;
    play->other_count = 0;
    return play->failure.len == 0;
}

/* The back-end runs what is put first, so what comes before that waits for it. */
static bool put_other(struct play *play, const char *definition)
{
    if (play->has_definition) return put_first(play, definition);
    if (play->other_count == PLAY_OTHERS_MAX) {
        return play_fail(play, "at most %d other workflows", PLAY_OTHERS_MAX);
    }
    play->others[play->other_count++] = definition;
    return true;
}

static bool given_definition(struct play *play, const struct gherkin_step *step,
                             const struct match *)
{
    if (!step->doc) return play_fail(play, "this step needs a doc string");
    return put_first(play, step->doc);
}

static bool given_other(struct play *play, const struct gherkin_step *step, const struct match *)
{
    if (!step->doc) return play_fail(play, "this step needs a doc string");
    return put_other(play, step->doc);
}

static const char *example(struct play *play, const struct match *match)
{
    return play_text(play, LANGUAGE_FOLDER "/../../compose/examples", match->arguments[0]);
}

static bool given_example(struct play *play, const struct gherkin_step *, const struct match *match)
{
    const char *text = example(play, match);
    return text && put_first(play, text);
}

static bool given_other_example(struct play *play, const struct gherkin_step *,
                                const struct match *match)
{
    const char *text = example(play, match);
    return text && put_other(play, text);
}

static bool given_input(struct play *play, const struct gherkin_step *step, const struct match *)
{
    json_unref(json_take(&play->input));
    play->input = play_doc(play, step);
    return !json_is(play->input, JSON_INVALID);
}

static bool given_request(struct play *play, const struct gherkin_step *step, const struct match *)
{
    json_unref(json_take(&play->extra));
    play->extra = play_doc(play, step);
    return !json_is(play->extra, JSON_INVALID);
}

static bool when_executed(struct play *play, const struct gherkin_step *, const struct match *)
{
    if (play->refused) return true; /* what follows finds it */
    struct error error = {};
    status code = play->backend->start(play->backend->context, play->input, play->extra, &error);
    return note(play, code, "start", &error);
}

static bool when_passes(struct play *play, const struct gherkin_step *, const struct match *match)
{
    struct error error = {};
    int64_t us         = match_duration_us(match->arguments[0]);
    return play_ok(play, play->backend->pass(play->backend->context, us, &error), &error);
}

static bool send_signal(struct play *play, str name, json data)
{
    struct error error = {};
    const char *text   = arena_strdup(play->arena, name);
    return note(play, play->backend->signal(play->backend->context, text, data, &error), "signal",
                &error);
}

static bool when_signal(struct play *play, const struct gherkin_step *, const struct match *match)
{
    return send_signal(play, match->arguments[0], json_invalid());
}

static bool when_signal_data(struct play *play, const struct gherkin_step *step,
                             const struct match *match)
{
    CLEANUP(json_unrefp) json data = play_doc(play, step);
    if (json_is(data, JSON_INVALID)) return false;
    return send_signal(play, match->arguments[0], data);
}

static void put_if_missing(json *event, const char *name, const char *value)
{
    if (!json_is(json_get_text(*event, name), JSON_INVALID)) return;
    json_object_put_text(event, name, json_text_from(value));
}

/* A CloudEvent; what every one needs is filled in. */
static bool when_published(struct play *play, const struct gherkin_step *step, const struct match *)
{
    CLEANUP(json_unrefp) json event = play_doc(play, step);
    if (json_is(event, JSON_INVALID)) return false;
    uint8_t random[8];
    char id[2 * sizeof random + 1];
    random_bytes(random, sizeof random);
    hex_encode(random, sizeof random, id);
    put_if_missing(&event, "specversion", "1.0");
    put_if_missing(&event, "source", "/tests/language");
    put_if_missing(&event, "id", id);
    struct error error = {};
    return note(play, play->backend->publish(play->backend->context, event, &error), "event",
                &error);
}

static bool decide(struct play *play, bool is_approved, json data)
{
    struct error error = {};
    return note(play, play->backend->decide(play->backend->context, is_approved, data, &error),
                "decision", &error);
}

static bool when_approved(struct play *play, const struct gherkin_step *, const struct match *)
{
    return decide(play, true, json_invalid());
}

static bool when_approved_data(struct play *play, const struct gherkin_step *step,
                               const struct match *)
{
    CLEANUP(json_unrefp) json data = play_doc(play, step);
    return !json_is(data, JSON_INVALID) && decide(play, true, data);
}

static bool when_rejected(struct play *play, const struct gherkin_step *, const struct match *)
{
    return decide(play, false, json_invalid());
}

static bool control(struct play *play, const char *verb)
{
    struct error error = {};
    return note(play, play->backend->control(play->backend->context, verb, &error), verb, &error);
}

static bool when_cancelled(struct play *play, const struct gherkin_step *, const struct match *)
{
    return control(play, "cancel");
}

static bool when_terminated(struct play *play, const struct gherkin_step *, const struct match *)
{
    return control(play, "terminate");
}

static bool when_suspended(struct play *play, const struct gherkin_step *, const struct match *)
{
    return control(play, "pause");
}

static bool when_resumed(struct play *play, const struct gherkin_step *, const struct match *)
{
    return control(play, "resume");
}

static bool when_restarted(struct play *play, const struct gherkin_step *, const struct match *)
{
    struct error error = {};
    return play_ok(play, play->backend->crash(play->backend->context, &error), &error);
}

static bool when_requested(struct play *play, const struct gherkin_step *,
                           const struct match *match)
{
    return play_request(play, match->arguments[0], match->arguments[1], json_invalid());
}

static bool when_requested_with(struct play *play, const struct gherkin_step *step,
                                const struct match *match)
{
    CLEANUP(json_unrefp) json body = play_doc(play, step);
    return !json_is(body, JSON_INVALID) &&
           play_request(play, match->arguments[0], match->arguments[1], body);
}

/* The core asks nobody who they are. */
static bool given_approver(struct play *play, const struct gherkin_step *,
                           const struct match *match)
{
    struct error error = {};
    if (!play->backend->label) return true;
    status code = play->backend->label(play->backend->context,
                                       arena_strdup(play->arena, match->arguments[0]), &error);
    return play_ok(play, code, &error);
}

const struct step_rule given_steps[] = {
    {"a workflow with definition:", given_definition},
    {"another workflow with definition:", given_other},
    {"the workflow of the example {text}", given_example},
    {"another workflow of the example {text}", given_other_example},
    {"the approver has the label {text}", given_approver},
    {"given the workflow input is:", given_input},
    {"the workflow input is:", given_input},
    {"the start request says:", given_request},
    {},
};

const struct step_rule when_steps[] = {
    {"the workflow is executed", when_executed},
    {"{duration} pass", when_passes},
    {"{duration} passes", when_passes},
    {"the signal {name} is sent", when_signal},
    {"the signal {name} is sent with:", when_signal_data},
    {"the event is published:", when_published},
    {"the approval is approved", when_approved},
    {"the approval is approved with:", when_approved_data},
    {"the approval is rejected", when_rejected},
    {"the run is cancelled", when_cancelled},
    {"the run is terminated", when_terminated},
    {"the run is suspended", when_suspended},
    {"the run is resumed", when_resumed},
    {"the engine is killed and restarted", when_restarted},
    {"the API gets {word} {name}", when_requested},
    {"the API gets {word} {name} with:", when_requested_with},
    {},
};
