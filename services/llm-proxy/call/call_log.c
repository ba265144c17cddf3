#include "llm-proxy/call/call_log.h"

#include "base/attr.h"
#include "base/money.h"

#include <assert.h>
#include <string.h>

enum { TARGET_MAX = 1'024 /* bytes of PROVIDER/MODEL */ };

static const char *end_of(const struct llm_outcome *outcome)
{
    if (!outcome->is_ok) return "failed";
    if (outcome->is_stopped) return "stopped";
    if (outcome->cached == CACHED_HIT) return "hit";
    return outcome->cached == CACHED_JOINED ? "joined" : "complete";
}

/* PROVIDER/MODEL, as in routes; without what is not known. */
static void print_target(const struct llm_outcome *outcome, struct buf *out)
{
    if (outcome->provider) (void)buf_put_text(out, outcome->provider);
    if (outcome->model.len > 0) (void)buf_put_byte(out, '/');
    (void)buf_put_str(out, str_slice(outcome->model, 0, TARGET_MAX / 2));
}

void call_log(const struct llm_outcome *outcome, str model,
              const struct log_field ids[static CALL_LOG_IDS])
{
    enum log_level level = outcome->is_ok ? LOG_INFO : LOG_WARN;
    if (!log_is_written(level)) return;
    CLEANUP(buf_done) struct buf target = buf_init(TARGET_MAX);
    CLEANUP(buf_done) struct buf losses = buf_init(LOSSES_TEXT_MAX);
    CLEANUP(buf_done) struct buf cost   = buf_init(MONEY_TEXT_MAX);
    bool is_unknown = outcome->usage.cost_source == PB__COST_SOURCE__COST_SOURCE_UNKNOWN;
    (void)(is_unknown ? buf_put_text(&cost, "unknown")
                      : money_print(outcome->usage.cost_usd_nanos, &cost));
    if (outcome->losses) losses_print_text(outcome->losses, &losses);
    print_target(outcome, &target);
    const struct log_field said[] = {
        LOG_STR("model", model),
        LOG_STR("target", buf_str(&target)),
        LOG_TEXT_OF("end", end_of(outcome)),
        LOG_INT("tries", outcome->tries),
        LOG_INT("duration_ms", outcome->duration_ms),
        LOG_INT("first_token_ms", outcome->first_ms),
        LOG_INT("input_tokens", outcome->usage.input_tokens),
        LOG_INT("output_tokens", outcome->usage.output_tokens),
        LOG_STR("cost_usd", buf_str(&cost)),
        LOG_BOOLEAN("simulated", outcome->is_simulated),
        LOG_STR("losses", buf_str(&losses)),
        LOG_STR("error.message", outcome->is_ok ? (str){} : outcome->error.text),
    };
    struct log_field all[CALL_LOG_IDS + ARRAY_LEN(said)];
    static_assert(ARRAY_LEN(all) <= LOG_FIELDS_MAX, "a line has no more fields");
    memcpy(all, ids, CALL_LOG_IDS * sizeof *ids);
    memcpy(all + CALL_LOG_IDS, said, sizeof said);
    log_fields(level, "llm.response", all, ARRAY_LEN(all));
}
