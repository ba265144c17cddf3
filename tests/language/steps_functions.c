/*
 * Functions that stand-ins do: they are offered before the scenario begins, so that a definition
 * may come before the step that says what they answer. A step may describe one (its schemas, what
 * it does to the world, how it is undone); the others take anything.
 */
#include "language/play.h"

#include "workflow/function_catalog.h"

enum { NAME_SIZE = 128 };

static json described(const char *name, json description)
{
    static const struct {
        const char *member, *value;
    } defaults[] = {{"version", "1.0.0"}, {"effect", "update"}, {"idempotency", "key"}};
    json all     = json_object_new(8);
    json_object_put_text(&all, "name", json_text_from(name));
    for (size_t i = 0; i < json_count(description); i++) {
        json_object_put(&all, json_key_at(description, i), json_ref(json_value_at(description, i)));
    }
    for (size_t i = 0; i < ARRAY_LEN(defaults); i++) {
        if (!json_is(json_get_text(all, defaults[i].member), JSON_INVALID)) continue;
        json_object_put_text(&all, defaults[i].member, json_text_from(defaults[i].value));
    }
    return all;
}

static bool is_offered(str name)
{
    return name.len > 0 && memchr(name.ptr, '.', name.len) && !function_is_builtin(name) &&
           !str_starts_with(name, str_from("worker."));
}

/* The function that a step is about; empty if it is about none. */
static str function_of(const struct gherkin_step *step)
{
    static const char prefix[] = "the function ";
    str text                   = str_from(step->text);
    if (step->kind != GHERKIN_GIVEN || !str_starts_with(text, str_from(prefix))) return (str){};
    text            = str_slice(text, sizeof prefix - 1, text.len);
    const char *end = memchr(text.ptr, ' ', text.len);
    return str_slice(text, 0, end ? (size_t)(end - text.ptr) : text.len);
}

/* "the functions of the file 'samples/functions.yaml' are there": all that stand in it. */
static bool read_file(struct play *play, const struct gherkin_step *step)
{
    struct match match = {};
    if (!pattern_matches(function_steps[1].pattern, str_from(step->text), &match)) return true;
    CLEANUP(json_unrefp) json list = play_file(play, LANGUAGE_FOLDER, match.arguments[0]);
    if (json_is(list, JSON_INVALID)) return false;
    for (size_t i = 0; i < json_count(list); i++) {
        json item = json_at(list, i);
        str name  = json_str(json_get_text(item, "name"));
        json_object_put(&play->functions, name, described(arena_strdup(play->arena, name), item));
    }
    return true;
}

static bool is_description(const struct gherkin_step *step)
{
    struct match match = {};
    return pattern_matches(function_steps[0].pattern, str_from(step->text), &match);
}

bool play_offer(struct play *play, const struct gherkin_scenario *scenario)
{
    for (size_t i = 0; i < scenario->step_count; i++) {
        const struct gherkin_step *step = &scenario->steps[i];
        if (!read_file(play, step)) return false;
        str name = function_of(step);
        if (!is_offered(name)) continue;
        bool is_there = !json_is(json_get(play->functions, name), JSON_INVALID);
        if (is_there && !is_description(step)) continue;
        CLEANUP(json_unrefp)
        json given = is_description(step) ? play_doc(play, step) : json_object_new(0);
        if (json_is(given, JSON_INVALID)) return false;
        json_object_put(&play->functions, name, described(arena_strdup(play->arena, name), given));
    }
    CLEANUP(json_unrefp) json list = json_array_new(json_count(play->functions));
    for (size_t i = 0; i < json_count(play->functions); i++) {
        json_array_push(&list, json_ref(json_value_at(play->functions, i)));
    }
    struct error error = {};
    return play_ok(play, play->backend->offer(play->backend->context, list, &error), &error);
}

static bool given_description(struct play *, const struct gherkin_step *, const struct match *)
{
    return true; /* play_offer() has read it */
}

const struct step_rule function_steps[] = {
    {"the function {name} is described by:", given_description},
    {"the functions of the file {text} are there", given_description},
    {},
};
