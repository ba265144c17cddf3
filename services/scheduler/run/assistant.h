/**
 * assistant: a prepared way to ask a model: a prompt with variables, a model, parameters, the shape
 * of the answer. docs/guide/llm.md, "Assistants".
 *
 * A template knows `{{name}}` and `{{name.field}}` and nothing else. A value is inserted as text,
 * or as compact JSON if it is none, and what was inserted is not looked at again: text from outside
 * never becomes a template.
 *
 * Pure: where definitions are kept is assistant_store.h. Threads: none of its own.
 */
#ifndef SCHEDULER_ASSISTANT_H
#define SCHEDULER_ASSISTANT_H

#include "base/arena.h"
#include "base/diagnostic.h"
#include "base/status.h"
#include "json/json.h"

enum {
    ASSISTANT_NAME_MAX      = 63,                      /* bytes: a DNS label, as of workflows */
    ASSISTANT_SIZE_MAX      = 256 << 10,               /* bytes of a definition as JSON */
    ASSISTANT_REFERENCE_MAX = ASSISTANT_NAME_MAX + 11, /* "name:4294967295" */
    ASSISTANT_SYSTEM_MAX    = 1 << 20,                 /* bytes of a rendered prompt */
};

/** "name" or "name:version"; `version` 0: the newest. The name is a view of what was read. */
struct assistant_name {
    str name;
    uint32_t version;
};

bool assistant_name_is_valid(str name);

/** False: the text has not that form. */
bool assistant_name_read(str text, struct assistant_name *ret_name);

/** Checks a definition; what is wrong becomes findings, with pointers into the definition. */
void assistant_check(json definition, struct diagnostics *list);

/**
 * The system prompt with `variables` (JSON_INVALID: none) in it. `*ret_system` is an owned text.
 * INVALID_ARGUMENT (code "input_invalid"): a variable is missing or wrong; the first in `reterr`,
 * all in `list` (may be NULL) with pointers such as "/variables/audience".
 */
status assistant_render(json definition, json variables, struct arena *scratch,
                        struct diagnostics *list, json *ret_system, struct error *reterr);

/**
 * Arguments of `llm.chat` that name an assistant as such that need none: model, system prompt,
 * parameters and answer schema of the assistant, where the arguments do not have their own.
 * `reference` ("seo-writer:3") takes the place of `assistant`, so that the journal shows it;
 * `variables` is gone. `*ret_arguments` is owned. Fails as assistant_render().
 */
status assistant_apply(json definition, str reference, json arguments, struct arena *scratch,
                       json *ret_arguments, struct error *reterr);

/** Models that are asked if that of the assistant cannot: a list of texts, or JSON_INVALID, also if
 * the arguments of a call have a `model` of their own. A view of `definition`. */
json assistant_fallbacks(json definition, json arguments);

/**
 * Where deciding finds assistants: answers for one moment, and the decision journals what it got.
 * `find`: the definition and the version it is of. NOT_FOUND. `list`: [{name, version, description,
 * labels}] of those with the label "key:value" (empty: all), by name. Values are owned.
 */
struct assistant_source {
    status (*find)(str namespace, const struct assistant_name *name, json *ret_definition,
                   uint32_t *ret_version, struct error *reterr, void *context);
    status (*list)(str namespace, str label, json *ret_assistants, struct error *reterr,
                   void *context);
    void *context;
};

#endif
