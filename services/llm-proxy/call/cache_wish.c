#include "llm-proxy/call/cache_wish.h"

#include "base/clock.h"
#include "llm-proxy/chat/chat_plain.h"
#include "json/json_text.h"

#include <inttypes.h>

enum {
    BODY_SIZE_MAX = 64 << 20, /* bytes */
    AGE_S_MAX     = 365 * 24 * 3'600,
};

/* --- the wish ----------------------------------------------------------------------------------
 */

static bool is_word(str text, const char *word)
{
    size_t i = 0;
    for (; i < text.len && word[i]; i++) {
        char c = text.ptr[i];
        if (c >= 'A' && c <= 'Z') c = (char)(c - 'A' + 'a');
        if (c != word[i]) return false;
    }
    return i == text.len && !word[i];
}

/* -1: no number. */
static int64_t seconds_of(str text)
{
    int64_t seconds = 0;
    if (text.len == 0) return -1;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9') return -1;
        seconds = seconds * 10 + (text.ptr[i] - '0');
        if (seconds > AGE_S_MAX) seconds = AGE_S_MAX;
    }
    return seconds;
}

static void take_directive(str directive, int64_t *age_ms, bool *is_forbidden)
{
    size_t at = 0;
    while (at < directive.len && directive.ptr[at] != '=') at++;
    str name  = str_trim(str_slice(directive, 0, at), STR_BLANKS);
    str value = at < directive.len
                    ? str_trim(str_slice(directive, at + 1, directive.len), STR_BLANKS)
                    : (str){};
    if (is_word(name, "no-store")) *is_forbidden = true;
    if (is_word(name, "no-cache")) *age_ms = 0;
    if (is_word(name, "max-age") && seconds_of(value) >= 0) *age_ms = seconds_of(value) * 1'000;
}

int64_t cache_wish_age_ms(str cache_control, const struct llm_route *route)
{
    int64_t age_ms    = route->cache_age_ms > 0 ? route->cache_age_ms : -1;
    bool is_forbidden = false;
    for (size_t from = 0; from < cache_control.len;) {
        size_t to = from;
        while (to < cache_control.len && cache_control.ptr[to] != ',') to++;
        take_directive(str_trim(str_slice(cache_control, from, to), STR_BLANKS), &age_ms,
                       &is_forbidden);
        from = to + 1;
    }
    return is_forbidden ? -1 : age_ms;
}

status cache_wish_of_job(json arguments, const struct llm_route *route, int64_t *ret_age_ms,
                         struct error *reterr)
{
    json cache  = json_get_text(arguments, "cache");
    *ret_age_ms = route->cache_age_ms > 0 ? route->cache_age_ms : -1;
    if (json_is(cache, JSON_INVALID) || json_is(cache, JSON_NULL)) return STATUS_OK;
    if (json_is(cache, JSON_FALSE)) {
        *ret_age_ms = -1;
        return STATUS_OK;
    }
    int64_t age_us = 0;
    if (json_is(cache, JSON_TEXT) && duration_parse(json_str(cache), &age_us) && age_us >= 0) {
        *ret_age_ms = age_us / 1'000;
        return STATUS_OK;
    }
    return fail(reterr, STATUS_INVALID_ARGUMENT, "/cache: a duration such as \"1h\", or false");
}

/* --- the key -----------------------------------------------------------------------------------
 */

static bool is_told_apart(str member)
{
    static const char *const others[] = {"model",    "stream", "stream_options", "user",
                                         "metadata", "cache",  "repair_attempts"};
    for (size_t i = 0; i < ARRAY_LEN(others); i++) {
        if (str_is(member, others[i])) return false;
    }
    return true;
}

/* Members that nobody here reads, and that add nothing to an answer which is not kept of it. */
static bool is_harmless(str member)
{
    static const char *const known[] = {
        "metadata",
        "store",
        "verbosity",
        "service_tier",
        "presence_penalty",
        "frequency_penalty",
        "logit_bias",
        "prediction",
        "safety_identifier",
        "prompt_cache_key",
        "min_p",
        "repetition_penalty",
    };
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        if (str_is(member, known[i])) return true;
    }
    return false;
}

static bool is_known(json extra)
{
    for (size_t i = 0; i < json_count(extra); i++) {
        str member = json_key_at(extra, i);
        if (!chat_member_is_known(member) && !is_harmless(member)) return false;
    }
    return true;
}

static bool print_body(json body, struct buf *out)
{
    CLEANUP(json_unrefp) json same = json_object_new(0);
    for (size_t i = 0; i < json_count(body); i++) {
        str member = json_key_at(body, i);
        if (!is_told_apart(member)) continue;
        json_object_put(&same, member, json_ref(json_value_at(body, i)));
    }
    return json_print(same, JSON_SORTED, out);
}

static void put_text(struct buf *out, str text)
{
    (void)buf_put_u32(out, (uint32_t)text.len);
    (void)buf_put_str(out, text);
}

/* Its name may stand for another one some day, and answers are kept for days. */
static void put_provider(struct buf *out, const struct provider *provider)
{
    const char *url = provider->base_url ? provider->base_url : "";
    put_text(out, str_from(provider->name));
    put_text(out, str_from(provider->kind ? provider->kind->name : ""));
    put_text(out, str_from(url));
    (void)buf_put_u64(out, provider->simulation.seed);
}

/* What a route fills in where a request says nothing changes the answer. */
static void put_defaults(struct buf *out, const struct route_defaults *defaults)
{
    (void)buf_printf(out, "%d %.17g %d %.17g %" PRId64 ";", defaults->has_temperature,
                     defaults->has_temperature ? defaults->temperature : 0.0, defaults->has_top_p,
                     defaults->has_top_p ? defaults->top_p : 0.0, defaults->max_tokens);
}

/* The same in all protocols. */
static bool put_plain(struct buf *out, const struct chat_request *request)
{
    size_t before = out->len;
    (void)buf_put_u32(out, PROTOCOL_NONE);
    if (chat_plain_print(request, out)) return true;
    out->len     = before;
    out->is_full = false;
    return false;
}

/* Of its own protocol, as its body has it. */
static bool put_own(struct buf *out, const struct chat_request *request, json body)
{
    (void)buf_put_u32(out, (uint32_t)request->protocol);
    put_text(out, request->version);
    put_text(out, request->betas);
    return print_body(body, out) && !out->is_full;
}

bool cache_wish_key(const struct chat_request *request, json body, const struct llm_route *route,
                    const char *namespace, struct answer_key *ret_key)
{
    CLEANUP(buf_done) struct buf text = buf_init(BODY_SIZE_MAX);
    bool is_kept = is_known(request->extra) && request->input_count == 0 && !request->is_count;
    if (!is_kept) return false;
    put_text(&text, str_from(namespace));
    if (route->target_count > 1) put_text(&text, route->name);
    for (uint32_t i = 0; i < route->target_count; i++) {
        put_provider(&text, route->targets[i].provider);
        put_text(&text, route->targets[i].model);
    }
    put_defaults(&text, &route->defaults);
    (void)buf_put_u32(&text, (uint32_t)route->target_count);
    (void)buf_put_byte(&text, request->is_strict ? 1 : 0);
    if (!put_plain(&text, request) && !put_own(&text, request, body)) return false;
    sha256((bytes){text.ptr, text.len}, ret_key->digest);
    return true;
}
