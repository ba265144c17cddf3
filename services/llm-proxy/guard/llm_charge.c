#include "llm-proxy/guard/llm_charge.h"

#include "base/clock.h"
#include "base/label.h"
#include <string.h>

enum { AGAIN_MS = 1'000, HTTP_PAYMENT_REQUIRED = 402 };

void llm_charge_fill(const Pb__LlmOpen *open, const struct token_estimate *estimate,
                     Pb__ReserveBudgets *ret_asked)
{
    *ret_asked               = (Pb__ReserveBudgets)PB__RESERVE_BUDGETS__INIT;
    ret_asked->namespace_    = open->namespace_;
    ret_asked->key           = open->key_id;
    ret_asked->input_tokens  = estimate->input;
    ret_asked->output_tokens = estimate->output;
    ret_asked->deadline_us   = open->deadline_us;
}

/* --- labels ------------------------------------------------------------------------------------
 */

/* The text before the first comma, which goes with it; all, if there is none. */
static str take_one(str *rest)
{
    size_t at = 0;
    while (at < rest->len && rest->ptr[at] != ',') at++;
    str taken = str_slice(*rest, 0, at);
    *rest     = str_slice(*rest, at < rest->len ? at + 1 : at, rest->len);
    return taken;
}

static char *text_of(struct arena *arena, str text)
{
    char *copy = arena_alloc(arena, text.len + 1);
    if (!copy) return NULL;
    if (text.len > 0) memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    return copy;
}

static bool add_label(str pair, struct arena *arena, Pb__ReserveBudgets *asked)
{
    str key   = {};
    str value = {};
    if (asked->n_labels == LLM_CHARGE_LABELS_MAX) return false;
    if (!label_read(str_trim(pair, STR_BLANKS), &key, &value)) return false;
    Pb__Label *label = arena_alloc(arena, sizeof *label);
    if (!label) return false;
    pb__label__init(label);
    label->key                       = text_of(arena, str_trim(key, STR_BLANKS));
    label->value                     = text_of(arena, str_trim(value, STR_BLANKS));
    asked->labels[asked->n_labels++] = label;
    return label->key && label->value;
}

str llm_open_header(const Pb__LlmOpen *open, const char *name)
{
    for (size_t i = 0; i < open->n_headers; i++) {
        if (strcmp(open->headers[i]->name, name) == 0) return str_from(open->headers[i]->value);
    }
    return (str){};
}

bool llm_charge_labels(const Pb__LlmOpen *open, struct arena *arena, Pb__ReserveBudgets *asked)
{
    str rest = str_trim(llm_open_header(open, "tutti-labels"), STR_BLANKS);
    if (rest.len == 0) return true;
    asked->labels = arena_alloc(arena, LLM_CHARGE_LABELS_MAX * sizeof *asked->labels);
    if (!asked->labels) return false;
    while (rest.len > 0) {
        if (!add_label(take_one(&rest), arena, asked)) return false;
    }
    return true;
}

/* --- refusals ----------------------------------------------------------------------------------
 */

static int64_t until_ms(int64_t resets_us)
{
    int64_t left_us = resets_us > 0 ? resets_us - clock_unix_us() : 0;
    return left_us > 0 ? left_us / 1'000 : 0;
}

struct llm_error llm_charge_error(enum guard_verdict verdict, const struct guard_refusal *refusal)
{
    struct llm_error error = {.class = LLM_ERROR_BUDGET, .text = refusal->reason};
    if (verdict == GUARD_LIMIT) {
        error.class          = LLM_ERROR_LIMIT;
        error.retry_after_ms = AGAIN_MS;
    } else if (verdict == GUARD_UNKNOWN) {
        error.class          = LLM_ERROR_OVERLOADED;
        error.retry_after_ms = AGAIN_MS;
    } else if (verdict == GUARD_RUN) {
        error.class       = LLM_ERROR_RUN;
        error.http_status = refusal->http;
    } else if (refusal->needs_price) {
        error.http_status = HTTP_PAYMENT_REQUIRED;
    } else {
        error.retry_after_ms = until_ms(refusal->resets_us);
    }
    return error;
}
