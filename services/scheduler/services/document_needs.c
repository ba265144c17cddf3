#include "scheduler/services/document_needs.h"

#include "base/buf.h"
#include "base/clock.h"
#include "scheduler/scheduler.h"
#include "scheduler/tables/record.h"
#include "json/json_text.h"

#include <stdarg.h>
#include <stdio.h>

enum { CREDENTIALS_MAX = 256 << 10 /* bytes of one policy with its secrets */ };

/* The secrets that a policy names. */
struct naming {
    const struct workflow *workflow;
    struct secret_source source;
    json values;      /* owned: object of those asked for so far */
    uint64_t missing; /* a bit each */
};

static void naming_done(struct naming *naming)
{
    json_unref(naming->values);
}

static void expression_begins(const struct expression *expression, void *context)
{
    struct naming *naming           = context;
    const struct workflow *workflow = naming->workflow;
    for (uint32_t i = 0; i < workflow->secret_count; i++) {
        str name = str_from(workflow->secrets[i]);
        if (!(expression->secrets_used & UINT64_C(1) << i)) continue;
        if (!json_is(json_get(naming->values, name), JSON_INVALID)) continue;
        json value =
            naming->source.get(str_from(workflow->namespace_), name, naming->source.context);
        if (json_is(value, JSON_INVALID)) {
            naming->missing |= UINT64_C(1) << i;
        } else {
            json_object_put_text(&naming->values, workflow->secrets[i], value);
        }
    }
}

static json variable_get(enum variable variable, const struct scope_variable *, void *context)
{
    const struct naming *naming = context;
    return variable == VARIABLE_SECRETS ? naming->values : json_invalid();
}

PRINTF_LIKE(3, 4)
static void found(struct diagnostics *findings, const struct document_need *need,
                  const char *format, ...)
{
    struct error text = {};
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text.text, sizeof text.text, format, args);
    va_end(args);
    (void)diagnostics_add(findings, "V14", SEVERITY_ERROR, str_from(need->pointer), need->line,
                          need->column, "%s", text.text);
}

/* The policy with its secrets in it; false after a finding. */
static bool credentials_in(struct arena *arena, struct naming *naming,
                           const struct document_need *need, struct diagnostics *findings,
                           ProtobufCBinaryData *ret_json)
{
    const struct variables variables  = {.begin   = expression_begins,
                                         .get     = variable_get,
                                         .context = naming,
                                         .now_us  = clock_unix_us()};
    CLEANUP(json_unrefp) json value   = json_invalid();
    CLEANUP(buf_done) struct buf text = buf_init(CREDENTIALS_MAX);
    struct error why                  = {};
    naming->missing                   = 0;
    status made = template_eval(need->authentication, json_null(), &variables, &value, &why);
    for (uint32_t i = 0; i < naming->workflow->secret_count; i++) {
        if (!(naming->missing & UINT64_C(1) << i)) continue;
        found(findings, need, "the secret `%s` is not configured for the namespace `%s`",
              naming->workflow->secrets[i], naming->workflow->namespace_);
        return false;
    }
    if (made != STATUS_OK || !json_print(value, JSON_COMPACT, &text)) {
        found(findings, need, "the credentials for `%s`: %s", need->url,
              made != STATUS_OK ? why.text : "they are too large");
        return false;
    }
    *ret_json = bytes_in(arena, buf_str(&text));
    return true;
}

static size_t count_of(const struct workflow *workflow)
{
    size_t count = 0;
    for (const struct document_need *need = workflow->needs; need; need = need->next) count++;
    return count;
}

status document_needs_in(struct rpc_call *call, const struct workflow *workflow,
                         struct diagnostics *findings, Pb__DocumentNeed ***ret_needs,
                         size_t *ret_count, struct error *reterr)
{
    CLEANUP(secrets_freep)
    struct secrets *secrets = secrets_new(scheduler_secrets_place(call->context));
    CLEANUP(naming_done)
    struct naming naming     = {.workflow = workflow,
                                .source   = secrets_source(secrets),
                                .values   = json_object_new(workflow->secret_count)};
    size_t count             = count_of(workflow);
    size_t errors            = findings->errors;
    Pb__DocumentNeed **needs = arena_alloc(call->arena, count * sizeof *needs);
    Pb__DocumentNeed *items  = arena_alloc(call->arena, count * sizeof *items);
    if (!needs || !items) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "no memory");
    *ret_count = 0;
    for (const struct document_need *need = workflow->needs; need; need = need->next) {
        Pb__DocumentNeed *item = &items[*ret_count];
        pb__document_need__init(item);
        item->url             = text_in(call->arena, str_from(need->url));
        needs[(*ret_count)++] = item;
        if (!need->authentication) continue;
        (void)credentials_in(call->arena, &naming, need, findings, &item->authentication_json);
    }
    *ret_needs = needs;
    if (findings->errors == errors) return STATUS_OK;
    *ret_count = 0;
    return fail_code(reterr, STATUS_INVALID_ARGUMENT, "workflow_invalid",
                     "documents cannot be asked for: %s",
                     findings->items[findings->count - 1].detail);
}
