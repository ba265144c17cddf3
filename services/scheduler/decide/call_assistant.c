#include "scheduler/decide/call_assistant.h"

#include "scheduler/run/assistant.h"

#include <stdio.h>

static str namespace_of(const struct scene *scene)
{
    return str_from(scene->run->workflow->namespace_);
}

/* The store's refusals as errors of the language. */
static status store_fail(const struct scene *scene, status code, const struct error *error,
                         json *ret_error)
{
    enum error_kind kind = ERROR_CONFIGURATION;
    if (code == STATUS_INVALID_ARGUMENT) kind = ERROR_VALIDATION;
    return scene_fail(scene, kind, error->text, ret_error);
}

json assistant_reference_new(str name, uint32_t version)
{
    char text[ASSISTANT_REFERENCE_MAX + 1];
    (void)snprintf(text, sizeof text, STR_FMT ":%u", STR_ARG(name), version);
    return json_text_from(text);
}

status assistant_find(struct scene *scene, json reference, json *ret_definition, json *ret_pinned,
                      json *ret_error)
{
    struct assistant_name name = {};
    if (!json_is(reference, JSON_TEXT) || !assistant_name_read(json_str(reference), &name)) {
        return scene_fail(scene, ERROR_VALIDATION, "assistant: write `name` or `name:version`",
                          ret_error);
    }
    const struct assistant_source *source = scene->env->assistants;
    if (!source) {
        return scene_fail(scene, ERROR_CONFIGURATION, "assistants cannot be read here", ret_error);
    }
    uint32_t version   = 0;
    struct error error = {};
    status found =
        source->find(namespace_of(scene), &name, ret_definition, &version, &error, source->context);
    if (found != STATUS_OK) return store_fail(scene, found, &error, ret_error);
    *ret_pinned = assistant_reference_new(name.name, version);
    return STATUS_OK;
}

status call_assistant(struct scene *scene, json *arguments, json *ret_error)
{
    bool is_chat = str_is(str_from(scene->task->call.function), "llm.chat");
    if (!is_chat || json_get_text(*arguments, "assistant").kind == JSON_INVALID) return STATUS_OK;

    CLEANUP(json_unrefp) json definition = json_invalid();
    CLEANUP(json_unrefp) json pinned     = json_invalid();
    json applied                         = json_invalid();
    struct error error                   = {};
    TRY(assistant_find(scene, json_get_text(*arguments, "assistant"), &definition, &pinned,
                       ret_error));
    arena_clear(scene->env->scratch);
    status code = assistant_apply(definition, json_str(pinned), *arguments, scene->env->scratch,
                                  &applied, &error);
    if (code != STATUS_OK) return scene_fail(scene, ERROR_VALIDATION, error.text, ret_error);
    json_replace(arguments, applied);
    return STATUS_OK;
}

status assistant_list(struct scene *scene, json with, json *ret_output, json *ret_error)
{
    const struct assistant_source *source = scene->env->assistants;
    json label                            = json_get_text(with, "label");
    json items                            = json_invalid();
    struct error error                    = {};
    bool has_label                        = label.kind != JSON_INVALID;
    if (has_label && !json_is(label, JSON_TEXT)) {
        return scene_fail(scene, ERROR_VALIDATION, "label: must be a text, key:value", ret_error);
    }
    if (!source) {
        return scene_fail(scene, ERROR_CONFIGURATION, "assistants cannot be read here", ret_error);
    }
    status listed = source->list(namespace_of(scene), has_label ? json_str(label) : (str){}, &items,
                                 &error, source->context);
    if (listed != STATUS_OK) return store_fail(scene, listed, &error, ret_error);
    *ret_output = json_object_new(1);
    json_object_put_text(ret_output, "assistants", items);
    return STATUS_OK;
}
