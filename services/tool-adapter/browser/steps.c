#include "tool-adapter/browser/steps.h"

#include "base/mem.h"
#include "base/utf8.h"
#include "css/selector.h"
#include "http/url.h"
#include "tool-adapter/browser/keys.h"
#include "tool-adapter/connections/module.h"
#include "json/json_text.h"

#include <stdlib.h>

enum { QUALITY = 80, CLICKS_MAX = 3 };

struct reading {
    struct page_steps *steps;
    const struct secret_source *secrets;
    json names; /* of what the output holds, so far; an object, owned */
};

static const char *const names[STEP_KIND_COUNT] = {
    [STEP_GOTO] = "goto",       [STEP_WAIT_FOR] = "wait_for",
    [STEP_CLICK] = "click",     [STEP_FILL] = "fill",
    [STEP_TYPE] = "type",       [STEP_SELECT] = "select",
    [STEP_PRESS] = "press",     [STEP_SCROLL] = "scroll",
    [STEP_EXTRACT] = "extract", [STEP_SCREENSHOT] = "screenshot",
};

const char *step_kind_name(enum step_kind kind)
{
    return names[kind];
}

/* --- members ---------------------------------------------------------------------------------- */

static str text_of(json settings, const char *name)
{
    json value = json_get_text(settings, name);
    return json_is(value, JSON_TEXT) ? json_str(value) : (str){};
}

/* The one thing that most steps are about may stand for all of their settings. */
static str short_or(json settings, const char *name)
{
    return json_is(settings, JSON_TEXT) ? json_str(settings) : text_of(settings, name);
}

static status read_selector(json settings, bool is_needed, struct page_step *step,
                            struct error *reterr)
{
    CLEANUP(selector_freep) struct selector *selector = NULL;
    step->selector                                    = short_or(settings, "selector");
    if (step->selector.len > 0) return selector_parse(step->selector, &selector, reterr);
    if (!is_needed) return STATUS_OK;
    return fail(reterr, STATUS_INVALID_ARGUMENT, "`selector` must be a CSS selector");
}

static status read_name(struct reading *reading, str name, struct error *reterr)
{
    if (name.len == 0 || name.len > STEP_NAME_MAX) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "a name has 1 to %d bytes", STEP_NAME_MAX);
    }
    if (!json_is(json_get(reading->names, name), JSON_INVALID)) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "an earlier step has the name `" STR_FMT "`",
                    STR_ARG(name));
    }
    json_object_put(&reading->names, name, json_bool(true));
    return STATUS_OK;
}

static status read_secret(struct reading *reading, str slot, struct page_step *step,
                          struct error *reterr)
{
    struct error error = {};
    if (json_count(reading->steps->hosts) == 0) {
        return fail(
            reterr, STATUS_FAILED_PRECONDITION,
            "the connection's `secret_hosts` name no host on whose pages its secrets may be "
            "typed");
    }
    step->is_secret = true;
    status code     = STATUS_NOT_FOUND;
    if (reading->secrets) {
        code = reading->secrets->find(slot.ptr, &step->text, &error, reading->secrets->context);
    }
    if (code == STATUS_OK) return STATUS_OK;
    return fail(reterr, STATUS_FAILED_PRECONDITION, "the secret `" STR_FMT "` is not set",
                STR_ARG(slot));
}

/* --- steps ------------------------------------------------------------------------------------ */

static status read_goto(struct reading *, json settings, struct page_step *step,
                        struct error *reterr)
{
    struct url url;
    step->text = json_is(settings, JSON_TEXT) ? json_str(settings) : (str){};
    if (url_parse(step->text, &url) && url.user_info.len == 0) return STATUS_OK;
    return fail(reterr, STATUS_INVALID_ARGUMENT,
                "must be an http or https URL without user and password");
}

static status read_wait_for(struct reading *, json settings, struct page_step *step,
                            struct error *reterr)
{
    static const char *const states[] = {"visible", "hidden", "attached", NULL};
    unsigned state                    = 0;
    TRY(module_choice(settings, "state", states, &state, reterr));
    step->state = (enum step_state)state;
    return read_selector(settings, true, step, reterr);
}

static status read_click(struct reading *, json settings, struct page_step *step,
                         struct error *reterr)
{
    static const char *const buttons[] = {"left", "right", "middle", NULL};
    TRY(module_choice(settings, "button", buttons, &step->button, reterr));
    TRY(module_int(settings, "count", 1, 1, CLICKS_MAX, &step->count, reterr));
    return read_selector(settings, true, step, reterr);
}

static status read_fill(struct reading *reading, json settings, struct page_step *step,
                        struct error *reterr)
{
    json text   = json_get_text(settings, "text");
    str slot    = text_of(settings, "secret");
    step->text  = text_of(settings, "text");
    size_t most = step->kind == STEP_TYPE ? STEP_TYPED_MAX : STEP_TEXT_MAX;
    TRY(read_selector(settings, true, step, reterr));
    if (json_is(text, JSON_TEXT) == (slot.len > 0)) {
        return fail(reterr, STATUS_INVALID_ARGUMENT,
                    step->kind == STEP_TYPE ? "`text` must be given"
                                            : "one of `text` and `secret` must be given");
    }
    if (step->text.len > most) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "`text` has more than %zu bytes", most);
    }
    return slot.len > 0 ? read_secret(reading, slot, step, reterr) : STATUS_OK;
}

static status read_select(struct reading *, json settings, struct page_step *step,
                          struct error *reterr)
{
    json value   = json_get_text(settings, "value");
    bool is_fine = json_is(value, JSON_TEXT) ||
                   (json_is(value, JSON_ARRAY) && json_count(value) <= STEP_VALUES_MAX);
    for (size_t i = 0; is_fine && json_is(value, JSON_ARRAY) && i < json_count(value); i++) {
        is_fine = json_is(json_at(value, i), JSON_TEXT);
    }
    if (!is_fine) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "`value` must be a text, or at most %d",
                    STEP_VALUES_MAX);
    }
    if (json_is(value, JSON_TEXT)) {
        step->value = json_array_new(1);
        json_array_push(&step->value, json_ref(value));
    } else {
        step->value = json_ref(value);
    }
    return read_selector(settings, true, step, reterr);
}

static status read_press(struct reading *, json settings, struct page_step *step,
                         struct error *reterr)
{
    TRY(key_read(short_or(settings, "key"), &step->value, reterr));
    if (json_is(settings, JSON_TEXT)) return STATUS_OK;
    return read_selector(settings, false, step, reterr);
}

static status read_scroll(struct reading *, json settings, struct page_step *step,
                          struct error *reterr)
{
    if (json_is(settings, JSON_TEXT)) {
        bool is_top = str_is(json_str(settings), "top");
        step->count = is_top ? -STEP_SCROLL_MAX : STEP_SCROLL_MAX;
        if (is_top || str_is(json_str(settings), "bottom")) return STATUS_OK;
        return fail(reterr, STATUS_INVALID_ARGUMENT,
                    "must be `top`, `bottom`, {selector} or {by: pixels}");
    }
    TRY(module_int(settings, "by", 0, -STEP_SCROLL_MAX, STEP_SCROLL_MAX, &step->count, reterr));
    return read_selector(settings, step->count == 0, step, reterr);
}

static status read_extract(struct reading *reading, json settings, struct page_step *step,
                           struct error *reterr)
{
    if (!json_is(settings, JSON_OBJECT) || json_count(settings) == 0) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "must be names and selectors");
    }
    for (size_t i = 0; i < json_count(settings); i++) {
        TRY(read_name(reading, json_key_at(settings, i), reterr));
    }
    return extraction_read(settings, &step->extraction, reterr);
}

static status read_screenshot(struct reading *reading, json settings, struct page_step *step,
                              struct error *reterr)
{
    static const char *const formats[] = {"png", "jpeg", "webp", NULL};
    step->text                         = short_or(settings, "as");
    step->is_whole                     = json_is_truthy(json_get_text(settings, "whole"));
    TRY(module_choice(settings, "format", formats, &step->format, reterr));
    TRY(module_int(settings, "quality", QUALITY, 1, 100, &step->quality, reterr));
    return read_name(reading, step->text, reterr);
}

/* --- the list --------------------------------------------------------------------------------- */

typedef status read_step_fn(struct reading *reading, json settings, struct page_step *step,
                            struct error *reterr);

static read_step_fn *const readers[STEP_KIND_COUNT] = {
    [STEP_GOTO] = read_goto,       [STEP_WAIT_FOR] = read_wait_for,
    [STEP_CLICK] = read_click,     [STEP_FILL] = read_fill,
    [STEP_TYPE] = read_fill,       [STEP_SELECT] = read_select,
    [STEP_PRESS] = read_press,     [STEP_SCROLL] = read_scroll,
    [STEP_EXTRACT] = read_extract, [STEP_SCREENSHOT] = read_screenshot,
};

static bool kind_of(json map, enum step_kind *ret_kind, json *ret_settings)
{
    size_t count = 0;
    for (unsigned i = 0; i < STEP_KIND_COUNT; i++) {
        json settings = json_get_text(map, names[i]);
        if (json_is(settings, JSON_INVALID)) continue;
        *ret_kind     = (enum step_kind)i;
        *ret_settings = settings;
        count++;
    }
    return count == 1;
}

static status read_step(struct reading *reading, size_t index, struct error *reterr)
{
    json map               = json_at(reading->steps->list, index);
    struct page_step *step = &reading->steps->items[index];
    json settings          = json_invalid();
    int64_t seconds        = 0;
    struct error error     = {};
    if (!kind_of(map, &step->kind, &settings)) {
        return fail(
            reterr, STATUS_INVALID_ARGUMENT,
            "/steps/%zu: a step is one of goto, wait_for, click, fill, type, select, press, "
            "scroll, extract, screenshot",
            index);
    }
    if (index == 0 && step->kind != STEP_GOTO) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "/steps/0: the first step is a `goto`");
    }
    status code =
        module_int(map, "timeout", STEP_TIMEOUT_S, 1, STEP_TIMEOUT_S_MAX, &seconds, &error);
    if (code == STATUS_OK) code = readers[step->kind](reading, settings, step, &error);
    step->timeout_ms = seconds * 1'000;
    if (code == STATUS_OK) return STATUS_OK;
    return fail(reterr, code, "/steps/%zu/%s: %s", index, names[step->kind], error.text);
}

status page_steps_read(json list, json secret_hosts, const struct secret_source *secrets,
                       struct page_steps **ret_steps, struct error *reterr)
{
    size_t count = json_count(list);
    if (!json_is(list, JSON_ARRAY) || count == 0 || count > STEPS_MAX) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "`steps` is a list of 1 to %d", STEPS_MAX);
    }
    struct page_steps *steps = mem_new(1, sizeof *steps);
    struct reading reading   = {
          .steps = steps, .secrets = secrets, .names = json_object_new(STEPS_MAX)};
    steps->users = 1;
    steps->list  = json_copy_new(list);
    steps->hosts = json_is(secret_hosts, JSON_ARRAY) ? json_copy_new(secret_hosts) : json_invalid();
    status code  = STATUS_OK;
    if (json_is(steps->list, JSON_INVALID)) {
        code = fail(reterr, STATUS_RESOURCE_EXHAUSTED, "`steps` is too large");
    }
    while (code == STATUS_OK && steps->count < count) {
        code = read_step(&reading, steps->count, reterr);
        steps->count++;
    }
    json_unref(reading.names);
    if (code == STATUS_OK) {
        *ret_steps = steps;
    } else {
        page_steps_unref(steps);
    }
    return code;
}

struct page_steps *page_steps_ref(struct page_steps *steps)
{
    steps->users++;
    return steps;
}

void page_steps_unref(struct page_steps *steps)
{
    if (!steps || --steps->users > 0) return;
    for (size_t i = 0; i < steps->count; i++) {
        extraction_free(steps->items[i].extraction);
        json_unref(steps->items[i].value);
    }
    json_unref(steps->list);
    json_unref(steps->hosts);
    free(steps);
}
