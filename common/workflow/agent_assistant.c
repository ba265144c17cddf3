/*
 * The assistant of `agent.run`. Its tools become tasks, so it is looked up when the workflow is
 * registered, and pinned as it is then. A name that an expression computes is looked up by the run,
 * and such an assistant has no tools.
 */
#include "workflow/agent_tools.h"
#include "workflow/link.h"
#include "workflow/task_read.h"

#include <stdio.h>

enum { PIN_NAME_MAX = 256 /* bytes of a pin's name; references are shorter */ };

/* What an agent before this one has pinned, or the stored workflow. */
static json pinned_find(struct reader *reader, const char *name, bool *ret_is_own)
{
    for (const struct workflow_pin *pin = reader->workflow->pins; pin; pin = pin->next) {
        *ret_is_own = strcmp(pin->name, name) == 0;
        if (*ret_is_own) return pin->source;
    }
    return json_get_text(reader->pins, name);
}

static void not_found(struct reader *reader, status code, const struct error *why)
{
    struct diagnostic *finding = NULL;
    if (code != STATUS_NOT_FOUND) {
        refuse(reader, "V14", value_place(reader), "%s", why->text);
        return;
    }
    finding = warn(reader, "V14", value_place(reader), "%s", why->text);
    hint(reader, finding,
         "put it before the workflow, which takes its tools when it is registered");
}

/* {version, definition}, owned; JSON_INVALID: nobody knows it yet. */
static json ask_new(struct reader *reader, str reference)
{
    json definition  = json_invalid();
    uint32_t version = 0;
    struct error why = {};
    if (!reader->assistants) return json_invalid();
    status found =
        reader->assistants->find(str_from(reader->workflow->namespace_), reference, &definition,
                                 &version, &why, reader->assistants->context);
    if (found != STATUS_OK) {
        not_found(reader, found, &why);
        return json_invalid();
    }
    json pin = json_object_new(2);
    json_object_put_text(&pin, "version", json_int(version));
    json_object_put_text(&pin, "definition", definition);
    return pin;
}

/* The pin of the assistant, which the workflow owns. */
static json assistant_pin(struct reader *reader, str reference)
{
    char name[PIN_NAME_MAX];
    bool is_own = false;
    int length  = snprintf(name, sizeof name, "assistant " STR_FMT, STR_ARG(reference));
    if (length < 0 || (size_t)length >= sizeof name) return json_invalid();
    json there = pinned_find(reader, name, &is_own);
    if (is_own) return there;

    CLEANUP(json_unrefp)
    json found       = json_is(there, JSON_INVALID) ? ask_new(reader, reference) : json_ref(there);
    json copy        = json_invalid();
    struct error why = {};
    if (json_is(found, JSON_INVALID)) return json_invalid();
    if (reader_copy(reader, found, &copy, &why) != STATUS_OK) {
        refuse(reader, "V14", value_place(reader), "%s", why.text);
        return json_invalid();
    }
    pin_add(reader, str_from(name), copy);
    return copy;
}

/* Findings in them name the assistant and stand where the workflow names it. */
static void tools_read(struct reader *reader, str reference, struct agent_body *agent)
{
    json version      = json_get_text(agent->assistant, "version");
    json definition   = json_get_text(agent->assistant, "definition");
    int64_t number    = 0;
    const char *colon = memchr(reference.ptr, ':', reference.len);
    str name = str_slice(reference, 0, colon ? (size_t)(colon - reference.ptr) : reference.len);
    struct source *source = scratch_alloc(reader, 1, sizeof *source);
    char *url             = scratch_alloc(reader, PIN_NAME_MAX, 1);
    char *pointer         = scratch_alloc(reader, reader->pointer.len + 1, 1);
    (void)json_to_int(version, &number);
    (void)snprintf(url, PIN_NAME_MAX, "assistant " STR_FMT ":%lld", STR_ARG(name),
                   (long long)number);
    memcpy(pointer, reader->pointer.ptr, reader->pointer.len);
    *source = (struct source){.url = url, .where = value_place(reader), .pointer = pointer};
    struct visit visit = visit_begin(reader, source, "/tools");
    agent_lent_tools_read(reader, json_get_text(definition, "tools"), agent);
    visit_end(reader, &visit);
}

void agent_assistant_read(struct reader *reader, json value, struct agent_body *agent)
{
    json reference = json_get_text(value, "assistant");
    if (!json_is(reference, JSON_TEXT) || is_expression(reference)) return;
    size_t back      = pointer_enter(reader, str_from("assistant"));
    agent->assistant = assistant_pin(reader, json_str(reference));
    if (!json_is(agent->assistant, JSON_INVALID)) tools_read(reader, json_str(reference), agent);
    pointer_leave(reader, back);
}
