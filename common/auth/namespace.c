#include "auth/namespace.h"

static bool is_all(str name)
{
    return str_is(name, "*");
}

bool namespace_is_valid(str name)
{
    if (name.len == 0 || name.len > NAMESPACE_MAX) return false;
    for (size_t i = 0; i < name.len; i++) {
        char c         = name.ptr[i];
        bool is_letter = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
        bool is_inner  = c == '-' && i > 0 && i + 1 < name.len;
        if (!is_letter && !is_inner) return false;
    }
    return true;
}

bool namespace_reaches(str scope, str owner)
{
    return is_all(scope) || str_equal(scope, owner);
}

/* --- Workflows -------------------------------------------------------------------------------- */

/* Splits at the first `separator`; the part behind it is empty if there is none. */
static bool split(str text, char separator, str *ret_before, str *ret_behind)
{
    const char *at = text.len > 0 ? memchr(text.ptr, separator, text.len) : NULL;
    if (!at) return false;
    size_t before = (size_t)(at - text.ptr);
    *ret_before   = str_slice(text, 0, before);
    *ret_behind   = str_slice(text, before + 1, text.len);
    return true;
}

static bool is_version(str text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c     = text.ptr[i];
        bool is_ok = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     c == '.' || c == '-' || c == '+';
        if (!is_ok) return false;
    }
    return text.len > 0;
}

/* Names of workflows have the form of namespaces (the DSL's `document.name`). */
bool workflow_reference_parse(str text, struct workflow_reference *ret_name)
{
    struct workflow_reference workflow = {.name = text};
    str rest                           = text;
    bool has_namespace                 = split(rest, '/', &workflow.namespace, &rest);
    workflow.name                      = rest;
    bool has_version                   = split(rest, ':', &workflow.name, &workflow.version);
    if (has_namespace && !namespace_is_valid(workflow.namespace)) return false;
    if (has_version && !is_version(workflow.version)) return false;
    if (!namespace_is_valid(workflow.name)) return false;
    *ret_name = workflow;
    return true;
}

status namespace_of_start(str scope, const struct workflow_reference *workflow, str *ret_namespace,
                          struct error *reterr)
{
    bool is_bare = workflow->namespace.len == 0;
    if (is_all(scope)) {
        *ret_namespace = is_bare ? str_from("default") : workflow->namespace;
        return STATUS_OK;
    }
    if (!is_bare && !str_equal(workflow->namespace, scope)) {
        return fail(reterr, STATUS_NOT_FOUND, "no workflow " STR_FMT "/" STR_FMT,
                    STR_ARG(workflow->namespace), STR_ARG(workflow->name));
    }
    *ret_namespace = scope;
    return STATUS_OK;
}

status namespace_of_document(str scope, str document_namespace, str *ret_namespace,
                             struct error *reterr)
{
    if (!namespace_is_valid(document_namespace)) {
        return fail_code(reterr, STATUS_INVALID_ARGUMENT, "namespace_mismatch",
                         "document.namespace is not a namespace's name");
    }
    if (!namespace_reaches(scope, document_namespace)) {
        return fail_code(reterr, STATUS_INVALID_ARGUMENT, "namespace_mismatch",
                         "document.namespace is " STR_FMT ", but the request's is " STR_FMT,
                         STR_ARG(document_namespace), STR_ARG(scope));
    }
    *ret_namespace = document_namespace;
    return STATUS_OK;
}
