#include "llm-proxy/call/attempts.h"

#include "base/money.h"
#include "llm-proxy/call/call_internal.h"
#include "json/json_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { LIST_MAX = 1 << 20, ENTRY_MAX = 1'024, MORE_SIZE = 32 /* bytes */ };

static int64_t or_zero(int64_t counter)
{
    return counter > 0 ? counter : 0;
}

void call_note_attempt(struct llm_call *call)
{
    const struct route_target *target = call_target(call);
    struct llm_attempt *attempt       = arena_alloc(call->request->arena, sizeof *attempt);
    struct llm_usage used             = call->answer.usage;
    bool has_used                     = used.input_tokens >= 0 || used.output_tokens >= 0;
    enum cost_kind kind               = COST_KIND_REPORTED;
    if (!attempt) return; /* of a request that large nobody hears them */
    int64_t took_ms    = loop_now_ms(call->pipeline->options.loop) - call->try_started_ms;
    used.input_tokens  = or_zero(used.input_tokens);
    used.output_tokens = or_zero(used.output_tokens);
    const struct llm_error *error = &call->answer.error;
    *attempt                      = (struct llm_attempt){.provider      = target->provider->name,
                                                         .model         = target->model,
                                                         .key           = call_key_name(call),
                                                         .duration_ms   = took_ms,
                                                         .input_tokens  = used.input_tokens,
                                                         .output_tokens = used.output_tokens};
    attempt->outcome = call->answer.is_failed ? llm_error_class_name(error->class) : "ok";
    if (has_used) {
        attempt->cost_usd_nanos =
            catalog_cost(call->pipeline->options.catalog, target, &used, &kind);
    }
    attempt->is_unpriced      = kind == COST_KIND_UNKNOWN;
    struct llm_attempt **last = &call->attempts;
    while (*last) last = &(*last)->next;
    *last = attempt;
}

static void write_one(const struct llm_attempt *attempt, struct json_writer *w)
{
    CLEANUP(buf_done) struct buf model = buf_init(SAVED_NAME_SIZE * 2);
    CLEANUP(buf_done) struct buf money = buf_init(MONEY_TEXT_MAX);
    (void)buf_printf(&model, "%s/" STR_FMT, attempt->provider, STR_ARG(attempt->model));
    json_begin_object(w);
    json_put_text(w, "model", buf_str(&model));
    if (attempt->key) json_put_text(w, "key", str_from(attempt->key));
    json_put_text(w, "outcome", str_from(attempt->outcome));
    json_put_int(w, "duration_ms", attempt->duration_ms);
    json_put_int(w, "input_tokens", attempt->input_tokens);
    json_put_int(w, "output_tokens", attempt->output_tokens);
    json_member(w, "cost_usd");
    if (attempt->is_unpriced) {
        json_write_null(w);
    } else {
        (void)money_print(attempt->cost_usd_nanos, &money);
        json_write_text(w, buf_str(&money));
    }
    json_end_object(w);
}

void attempts_write(const struct llm_attempt *first, struct json_writer *w)
{
    json_begin_array(w);
    for (const struct llm_attempt *attempt = first; attempt; attempt = attempt->next) {
        write_one(attempt, w);
    }
    json_end_array(w);
}

json attempts_value_new(const struct llm_attempt *first)
{
    CLEANUP(buf_done) struct buf text = buf_init(LIST_MAX);
    json value                        = json_invalid();
    struct json_writer w              = json_writer_init(&text);
    if (!first) return value;
    attempts_write(first, &w);
    bool is_fine =
        !text.is_full && json_parse(buf_str(&text), NULL, &value, NULL, NULL) == STATUS_OK;
    return is_fine ? value : json_invalid();
}

void attempts_copy(const struct llm_attempt *first, struct arena *arena, struct llm_attempt **list)
{
    while (*list) list = &(*list)->next;
    for (; first; first = first->next) {
        struct llm_attempt *copy = arena_alloc(arena, sizeof *copy);
        char *model              = arena_strdup(arena, first->model);
        if (!copy || !model) return;
        *copy       = *first;
        copy->model = (str){.ptr = model, .len = first->model.len};
        copy->next  = NULL;
        *list       = copy;
        list        = &copy->next;
    }
}

/* What is no token of a header is not said there. */
static bool is_token(str text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c        = text.ptr[i];
        bool is_other = c <= ' ' || c > '~' || strchr("\"(),;<=>?@[\\]{}", c);
        if (is_other) return false;
    }
    return text.len > 0;
}

static void put_entry(const struct llm_attempt *attempt, struct buf *out)
{
    str model = is_token(attempt->model) ? attempt->model : str_from("*");
    (void)buf_printf(out, "%s/" STR_FMT ";outcome=%s;ms=%" PRId64, attempt->provider,
                     STR_ARG(model), attempt->outcome, attempt->duration_ms);
    if (attempt->input_tokens > 0) (void)buf_printf(out, ";input=%" PRId64, attempt->input_tokens);
    if (attempt->output_tokens > 0) {
        (void)buf_printf(out, ";output=%" PRId64, attempt->output_tokens);
    }
    if (attempt->is_unpriced) {
        (void)buf_put_text(out, ";cost=unknown");
    } else if (attempt->cost_usd_nanos > 0) {
        (void)buf_put_text(out, ";cost=");
        (void)money_print(attempt->cost_usd_nanos, out);
    }
}

void attempts_print(const struct llm_attempt *first, size_t size, struct buf *out)
{
    size_t begin = out->len;
    for (; first; first = first->next) {
        CLEANUP(buf_done) struct buf entry = buf_init(ENTRY_MAX);
        put_entry(first, &entry);
        const char *between = out->len > begin ? ", " : "";
        if (entry.is_full || out->len - begin + entry.len + MORE_SIZE > size) break;
        (void)buf_printf(out, "%s" STR_FMT, between, STR_ARG(buf_str(&entry)));
    }
    uint32_t more = 0;
    for (; first; first = first->next) more++;
    if (more > 0) (void)buf_printf(out, "%smore;count=%u", out->len > begin ? ", " : "", more);
}
