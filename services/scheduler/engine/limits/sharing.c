/* Limits over all partitions: who has how many permits. */
#include "base/log.h"
#include "scheduler/breaker/breaker_rules.h"
#include "scheduler/breaker/target_name.h"
#include "scheduler/engine/limits/engine_limits.h"
#include "scheduler/engine/limits/token_limit.h"
#include "scheduler/engine/rows.h"

enum { ASKS_PER_MESSAGE_MAX = 1'000 };
#define SPARE_US          INT64_C(2'000'000)
#define UNKNOWN_TOKENS    10'000
#define UNKNOWN_PERIOD_US INT64_C(60'000'000)

static struct limits *limits_of(const struct engine *engine)
{
    return job_queues_limits(engine->queues);
}

struct queue_limits limit_rule_from(const Pb__LimitRule *rule)
{
    if (!rule) return (struct queue_limits){};
    return (struct queue_limits){.concurrency    = rule->concurrency,
                                 .rate_count     = rule->rate_count,
                                 .rate_period_us = rule->rate_period_us,
                                 .rate_unit      = rule->rate_unit};
}

static Pb__LimitRule rule_to(const struct queue_limits *rule)
{
    Pb__LimitRule wire  = PB__LIMIT_RULE__INIT;
    wire.concurrency    = rule->concurrency;
    wire.rate_count     = rule->rate_count;
    wire.rate_period_us = rule->rate_period_us;
    wire.rate_unit      = rule->rate_unit;
    return wire;
}

/* What is configured of a target, or of its tokens; all zero: nothing is. */
static struct queue_limits configured(const struct engine *engine, str name)
{
    struct target_limit limit = {};
    str tokens_of             = token_limit_target(name);
    bool is_of_tokens         = tokens_of.len > 0;
    (void)breaker_rules_limit(engine->options.breakers, is_of_tokens ? tokens_of : name, &limit);
    if (is_of_tokens) return token_limit_rule(limit.token_count, limit.token_period_us);
    return (struct queue_limits){.concurrency    = limit.concurrency,
                                 .rate_count     = limit.rate_count,
                                 .rate_period_us = limit.rate_period_us};
}

void engine_limit_known(struct engine *engine, str target)
{
    const struct queue_limits rule = configured(engine, target);
    if (rule.concurrency == 0 && rule.rate_count == 0) return;
    if (limits_find(limits_of(engine), target)) return;
    struct limit *limit = limits_at(limits_of(engine), target);
    if (limit) limit_set(limits_of(engine), limit, &rule, engine->now_us);
}

/* --- rows --------------------------------------------------------------------------------------
 */

static status put_row(struct engine *engine, const struct limit *limit, struct error *reterr)
{
    struct key key;
    Pb__LimitRule rule       = rule_to(&limit->rule);
    Pb__LimitRecord record   = PB__LIMIT_RECORD__INIT;
    uint16_t partitions      = limit->shares ? engine->partition->count : 0;
    size_t count             = partitions + limit->holder_count;
    Pb__LimitShare *shares   = arena_alloc(engine->arena, (partitions + 1) * sizeof *shares);
    record.shares            = arena_alloc(engine->arena, (count + 1) * sizeof *record.shares);
    record.holders           = arena_alloc(engine->arena, (count + 1) * sizeof *record.holders);
    Pb__LimitHolder *holders = arena_alloc(engine->arena, (count + 1) * sizeof *holders);
    if (!shares || !record.shares || !record.holders || !holders) {
        return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "no memory");
    }
    record.rule         = &rule;
    record.is_set       = limit->is_set;
    record.rate_full_us = limit->rate.full_us;
    record.given        = limit->given;
    for (uint16_t i = 0; i < partitions; i++) {
        const struct limit_share *share = &limit->shares[i];
        if (share->given == 0 && share->wanted == 0) continue;
        shares[i]                        = (Pb__LimitShare)PB__LIMIT_SHARE__INIT;
        shares[i].partition              = i;
        shares[i].given                  = share->given;
        shares[i].wanted                 = share->wanted;
        record.shares[record.n_shares++] = &shares[i];
    }
    for (size_t i = 0; i < limit->holder_count; i++) {
        holders[i]          = (Pb__LimitHolder)PB__LIMIT_HOLDER__INIT;
        holders[i].name     = limit->holders[i].name;
        holders[i].given    = limit->holders[i].given;
        holders[i].until_us = limit->holders[i].until_us;
        record.holders[i]   = &holders[i];
    }
    record.n_holders = limit->holder_count;
    limit_key(&key, limit->name);
    return record_put(engine->txn, TABLE_LIMITS, key_bytes(&key), &record.base, reterr);
}

static status write_row(struct engine *engine, struct limit *limit, struct error *reterr)
{
    bool needs_row = limit_needs_row(limits_of(engine), limit, engine->now_us);
    bool had_row   = limit->has_row;
    struct key key;
    limit->has_row = needs_row;
    if (needs_row && !limit->is_set) limits_want_care(limits_of(engine), engine->now_us);
    if (needs_row) return put_row(engine, limit, reterr);
    if (!had_row) return STATUS_OK;
    limit_key(&key, limit->name);
    status deleted = txn_delete(engine->txn, TABLE_LIMITS, key_bytes(&key), NULL);
    if (deleted == STATUS_OK || deleted == STATUS_NOT_FOUND) return STATUS_OK;
    return fail(reterr, deleted, "the row of a limit cannot be deleted");
}

/* --- the system partition gives ----------------------------------------------------------------
 */

static status tell(struct engine *engine, uint16_t partition, Pb__LimitNews *news,
                   struct error *reterr)
{
    Pb__Message message  = PB__MESSAGE__INIT;
    message.content_case = PB__MESSAGE__CONTENT_LIMIT_NEWS;
    message.limit_news   = news;
    return engine_tell(engine, partition, &message, reterr);
}

/* One after the other, each as much as it wants of what is there. */
static status give_to_others(struct engine *engine, struct limit *limit, struct error *reterr)
{
    uint16_t count = engine->partition->count;
    for (uint16_t i = 0; limit->shares && i < count; i++) {
        uint16_t partition        = (uint16_t)((limit->next_partition + i) % count);
        struct limit_share *share = &limit->shares[partition];
        uint32_t room = limit_room(limits_of(engine), limit, share->wanted, engine->now_us);
        if (room == 0) continue;
        share->wanted -= room;
        share->given += room;
        limit_give(limits_of(engine), limit, room, engine->now_us);
        limit->next_partition = (uint16_t)((partition + 1) % count);
        limit->favours_others = false;
        Pb__LimitNews news    = PB__LIMIT_NEWS__INIT;
        Pb__LimitRule rule    = rule_to(&limit->rule);
        news.name             = text_in(engine->arena, limit->name);
        news.rule             = &rule;
        news.granted          = room;
        TRY(tell(engine, partition, &news, reterr));
    }
    return STATUS_OK;
}

/* What no change says: that a replica is gone, a bucket full, a permit not needed. */
static void look_after(struct engine *engine, struct limit *limit)
{
    struct limits *limits = limits_of(engine);
    for (size_t i = limit->holder_count; i-- > 0;) {
        struct limit_holder *holder = &limit->holders[i];
        if (holder->until_us > engine->now_us) continue;
        limit_take_back(limits, limit, holder->given, 0, engine->now_us);
        limit_holder_drop(limit, holder);
    }
    bool is_rested = limit->has_row && !limit_needs_row(limits, limit, engine->now_us);
    if (is_rested || limit->is_idle || limit->spare_since_us > 0) limit_note(limits, limit);
    if (is_rested) limit_unshow(limit);
    limit->is_idle = false;
    bool goes_on =
        limit->holder_count > 0 || (limit->has_row && limit->rate.full_us > engine->now_us);
    if (goes_on) limits_want_care(limits, engine->now_us);
}

static void care(struct engine *engine)
{
    struct limits *limits = limits_of(engine);
    size_t cursor         = 0;
    struct limit *limit;
    if (!limits_take_care(limits, engine->now_us)) return;
    while ((limit = limits_next(limits, &cursor))) {
        look_after(engine, limit);
        (void)limits_drop(limits, limit, engine->now_us);
    }
}

status engine_limits_share(struct engine *engine, struct error *reterr)
{
    care(engine);
    if (!limits_is_owner(limits_of(engine))) return STATUS_OK;
    struct limit *limit = limits_first_changed(limits_of(engine));
    for (; limit; limit = limit->next_changed) {
        bool is_theirs        = limit->waiting_count == 0 || limit->favours_others;
        limit->favours_others = true; /* the next time, unless they got something now */
        if (is_theirs) TRY(give_to_others(engine, limit, reterr));
    }
    return STATUS_OK;
}

/* What a partition says of permits that it never had is not believed. */
static void take_back(struct engine *engine, struct limit *limit, uint16_t partition,
                      const Pb__LimitAsk *ask)
{
    struct limit_share *share = limit_share_of(limits_of(engine), limit, partition);
    uint32_t ended            = ask->ended < share->given ? ask->ended : share->given;
    uint32_t unused           = share->given - ended;
    if (ask->unused < unused) unused = ask->unused;
    share->given -= ended + unused;
    share->wanted = ask->wanted;
    limit_take_back(limits_of(engine), limit, ended, unused, engine->now_us);
}

status engine_take_limit_asks(struct engine *engine, const Pb__LimitAsks *asks, struct error *)
{
    if (!limits_is_owner(limits_of(engine)) || asks->partition >= engine->partition->count) {
        return STATUS_OK;
    }
    for (size_t i = 0; i < asks->n_asks; i++) {
        const Pb__LimitAsk *ask        = asks->asks[i];
        const struct queue_limits rule = limit_rule_from(ask->rule);
        str name                       = str_from(ask->name);
        if (!ask->is_of_jobs) engine_limit_known(engine, name);
        struct limit *limit = limits_at(limits_of(engine), name);
        if (!limit) {
            log_write(LOG_WARN, "limit.too_many", LOG_STR("limit", name));
            continue;
        }
        bool is_other = ask->is_of_jobs && !queue_limits_are_same(&limit->rule, &rule);
        if (is_other) limit_set(limits_of(engine), limit, &rule, engine->now_us);
        take_back(engine, limit, (uint16_t)asks->partition, ask);
    }
    return STATUS_OK;
}

/* --- others ask --------------------------------------------------------------------------------
 */

static bool is_of_jobs(const struct limit *limit)
{
    return !target_name_is_valid(limit->name);
}

/* A worker may poll now and then: permits that no job takes are kept for a while, then they are
 * somebody else's, and asked for again a little later. */
static void give_up_unused(struct engine *engine, struct limit *limit)
{
    uint32_t spare   = limit->given > limit->used ? limit->given - limit->used : 0;
    int64_t since_us = limit->spare_since_us;
    bool is_wanted   = limit_usable(limit) > 0;
    bool is_long     = since_us > 0 && engine->now_us - since_us >= SPARE_US;
    if (spare == 0) {
        limit->spare_since_us = 0;
    } else if (is_wanted && !is_long) {
        if (since_us == 0) limit->spare_since_us = engine->now_us;
        limits_want_care(limits_of(engine), engine->now_us);
    } else {
        limit->given -= spare;
        limit->unused += spare;
        limit->spare_since_us = 0;
        limit->is_idle        = is_wanted;
        limits_want_care(limits_of(engine), engine->now_us);
    }
}

/* False: there is nothing to say. */
static bool fill_ask(struct engine *engine, struct limit *limit, Pb__LimitAsk *ask,
                     Pb__LimitRule *rule)
{
    uint64_t usable = limit->is_idle ? 0 : limit_usable(limit);
    uint32_t wants  = usable < LIMIT_ASKED_MAX ? (uint32_t)usable : LIMIT_ASKED_MAX;
    bool says       = wants != limit->wanted || limit->ended > 0 || limit->unused > 0;
    if (!limit_has_rule(limit)) says = limit->ended > 0 || limit->unused > 0;
    if (!says) return false;
    *rule           = rule_to(&limit->rule);
    *ask            = (Pb__LimitAsk)PB__LIMIT_ASK__INIT;
    ask->name       = text_in(engine->arena, limit->name);
    ask->rule       = rule;
    ask->is_of_jobs = is_of_jobs(limit);
    ask->wanted     = wants;
    ask->ended      = limit->ended;
    ask->unused     = limit->unused;
    limit->wanted   = wants;
    limit->ended    = 0;
    limit->unused   = 0;
    return true;
}

static status ask(struct engine *engine, struct error *reterr)
{
    Pb__LimitAsk *items  = arena_alloc(engine->arena, ASKS_PER_MESSAGE_MAX * sizeof *items);
    Pb__LimitRule *rules = arena_alloc(engine->arena, ASKS_PER_MESSAGE_MAX * sizeof *rules);
    Pb__LimitAsks asks   = PB__LIMIT_ASKS__INIT;
    asks.asks            = arena_alloc(engine->arena, ASKS_PER_MESSAGE_MAX * sizeof *asks.asks);
    if (!items || !rules || !asks.asks) {
        return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "no memory");
    }
    asks.partition      = engine->partition->index;
    struct limit *limit = NULL;
    while (asks.n_asks < ASKS_PER_MESSAGE_MAX) {
        limits_note_watched(limits_of(engine));
        limit = limits_take_changed(limits_of(engine));
        if (!limit) break;
        limits_watch(limits_of(engine), limit);
        give_up_unused(engine, limit);
        if (fill_ask(engine, limit, &items[asks.n_asks], &rules[asks.n_asks])) {
            asks.asks[asks.n_asks] = &items[asks.n_asks];
            asks.n_asks++;
        }
        limit_refresh(limits_of(engine), limit);
        TRY(write_row(engine, limit, reterr));
        (void)limits_drop(limits_of(engine), limit, engine->now_us);
    }
    if (asks.n_asks == 0) return STATUS_OK;
    Pb__Message message  = PB__MESSAGE__INIT;
    message.content_case = PB__MESSAGE__CONTENT_LIMIT_ASKS;
    message.limit_asks   = &asks;
    return engine_tell(engine, 0, &message, reterr);
}

status engine_take_limit_news(struct engine *engine, const Pb__LimitNews *news, struct error *)
{
    str name                       = str_from(news->name);
    const struct queue_limits rule = limit_rule_from(news->rule);
    struct limit *limit            = limits_at(limits_of(engine), name);
    if (!limit) {
        log_write(LOG_WARN, "limit.too_many", LOG_STR("limit", name));
        return STATUS_OK; /* its jobs go as if there were none */
    }
    if (news->is_rule) engine_limit_rule(engine, limit, &rule, limit_rule_is_any(news->rule));
    limit_receive(limits_of(engine), limit, news->granted);
    return STATUS_OK;
}

/* --- a turn ------------------------------------------------------------------------------------
 */

status engine_limits_settle(struct engine *engine, struct error *reterr)
{
    struct limits *limits = limits_of(engine);
    if (!limits_have_changed(limits)) return STATUS_OK;
    if (!limits_is_owner(limits)) return ask(engine, reterr);
    struct limit *limit = NULL;
    for (limit = limits_first_changed(limits); limit; limit = limit->next_changed) {
        TRY(give_to_others(engine, limit, reterr));
    }
    while ((limit = limits_take_changed(limits))) {
        TRY(write_row(engine, limit, reterr));
        (void)limits_drop(limits, limit, engine->now_us);
    }
    return STATUS_OK;
}

bool limit_rule_is_any(const Pb__LimitRule *rule)
{
    return rule && (rule->concurrency > 0 || rule->rate_count > 0 || rule->token_count > 0);
}

void engine_limit_rule(struct engine *engine, struct limit *limit, const struct queue_limits *rule,
                       bool is_set)
{
    struct queue_limits holds = *rule;
    bool had_rule             = limit_has_rule(limit);
    limit->is_set             = is_set;
    if (!limit->is_set) holds = configured(engine, limit->name);
    limit_set(limits_of(engine), limit, &holds, engine->now_us);
    struct target *target = targets_find(job_queues_targets(engine->queues), limit->name);
    if (target && had_rule != limit_has_rule(limit)) {
        target_limit_jobs(engine->queues, target, engine->now_us);
    }
}

/* --- recovery ----------------------------------------------------------------------------------
 */

static void recover_shares(struct engine *engine, struct limit *limit,
                           const Pb__LimitRecord *record)
{
    if (!limits_is_owner(limits_of(engine))) return;
    for (size_t i = 0; i < record->n_shares; i++) {
        const Pb__LimitShare *share = record->shares[i];
        if (share->partition >= engine->partition->count) continue;
        *limit_share_of(limits_of(engine), limit, (uint16_t)share->partition) =
            (struct limit_share){.given = share->given, .wanted = share->wanted};
        limit->away += share->given;
    }
    for (size_t i = 0; i < record->n_holders; i++) {
        const Pb__LimitHolder *row  = record->holders[i];
        struct limit_holder *holder = limit_holder_of(limit, str_from(row->name), true);
        if (!holder) continue;
        holder->given    = row->given;
        holder->until_us = engine->now_us + LIMIT_HOLDER_US; /* it could not say anything */
        limit->away += row->given;
    }
}

/* By jobs or by who calls: the row says it. What is configured of others may be new. */
static bool is_brought_along(const struct limit *limit)
{
    return is_of_jobs(limit) && token_limit_target(limit->name).len == 0;
}

/* What the row says is missing of its bucket is a share of the bucket that holds now. */
static void configure_anew(struct engine *engine, struct limit *limit)
{
    const struct queue_limits rule = configured(engine, limit->name);
    if (queue_limits_are_same(&limit->rule, &rule)) return; /* all that it owes stays */
    limit_set(limits_of(engine), limit, &rule, engine->now_us);
}

/* What limited it is not known. What is configured does; jobs and callers bring theirs along; the
 * rest is held down, and stays so, until somebody sets it anew: nobody knows what it protected. */
static void hold_down(struct engine *engine, bytes key)
{
    struct key_text name = {};
    if (!key_take_text(&key, &name)) return;
    struct limit *limit = limits_at(limits_of(engine), (str){name.data, name.len});
    if (!limit || is_brought_along(limit)) return;
    struct queue_limits rule = configured(engine, limit->name);
    bool is_of_tokens        = token_limit_target(limit->name).len > 0;
    limit->has_row           = true;
    limit->is_set            = rule.concurrency == 0 && rule.rate_count == 0;
    if (limit->is_set && is_of_tokens) rule = token_limit_rule(UNKNOWN_TOKENS, UNKNOWN_PERIOD_US);
    if (limit->is_set && !is_of_tokens) rule = (struct queue_limits){.concurrency = 1};
    limit_set(limits_of(engine), limit, &rule, engine->now_us);
    log_write(LOG_ERROR, "limit.unreadable", LOG_INT("partition", engine->partition->index),
              LOG_STR("limit", limit->name),
              LOG_TEXT_OF("now", limit->is_set ? "held down until it is set" : "as configured"));
}

static status recover_row(bytes key, bytes row, struct error *reterr, void *context)
{
    struct engine *engine   = context;
    struct key_text name    = {};
    Pb__LimitRecord *record = NULL;
    bytes rest              = key;
    if (!key_take_text(&rest, &name)) {
        return fail(reterr, STATUS_DATA_LOSS, "table limits: a key");
    }
    TRY(record_read(row, &pb__limit_record__descriptor, engine->arena, &record, reterr));
    struct limit *limit = limits_at(limits_of(engine), (str){name.data, name.len});
    if (!limit) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "over %d limits", LIMITS_MAX);
    const struct queue_limits rule = limit_rule_from(record->rule);
    limit->has_row                 = true;
    limit->is_set                  = record->is_set;
    limit->given                   = record->given;
    recover_shares(engine, limit, record);
    limit_set(limits_of(engine), limit, &rule, engine->now_us);
    limit_owe(limits_of(engine), limit, record->rate_full_us, engine->now_us);
    if (!limit->is_set && !is_brought_along(limit)) configure_anew(engine, limit);
    limits_want_care(limits_of(engine), engine->now_us);
    return STATUS_OK;
}

/* A row that cannot be read stays where it is until the limit is written anew. */
static status recover_or_hold(bytes key, bytes row, struct error *reterr, void *context)
{
    struct error why = {};
    status read      = recover_row(key, row, &why, context);
    if (read == STATUS_OK) return STATUS_OK;
    if (read != STATUS_DATA_LOSS) return fail(reterr, read, "%s", why.text);
    engine_row_unreadable(context, TABLE_LIMITS, key, &why);
    hold_down(context, key);
    return STATUS_OK;
}

status engine_limits_recover(struct engine *engine, struct error *reterr)
{
    enum { ROWS_PER_PAGE = 1'000 };
    struct page page       = {.has_more = true};
    const struct scan scan = {};
    while (page.has_more) {
        TRY(txn_page(engine->txn, TABLE_LIMITS, &scan, ROWS_PER_PAGE, &page, recover_or_hold,
                     engine, reterr));
        arena_clear(engine->arena);
    }
    return STATUS_OK;
}
